/**
 * Rates that all machines count as one, in Redis or Valkey: of each key the time at which its bucket is
 * full again, by the clock of the server, which is the same for all. One script takes from all limits of
 * a request or from none, so that it is one round trip, and exact whoever else asks meanwhile.
 *
 * The server learns hashes of who is counted, and keeps each only for as long as it owes. What it loses
 * (a start anew, a copy that was behind, keys that it evicts) begins anew with a full bucket.
 */
import { hash } from "node:crypto";
import type { CommonRate, CommonRates, CommonVerdict } from "../model/common-rates.ts";
import { SallyportError } from "../model/errors.ts";
import type { Clock, Log } from "../model/ports.ts";
import { rateVerdict } from "../model/rate.ts";
import { type RedisConnection, scriptOf } from "./redis-connection.ts";

const LIMITS = {
  /** Milliseconds between two lines of the log on whether it counts. */
  quietMs: 10_000,
} as const;

/**
 * Each key holds `ms:part`: a time of the server's clock and a part of its next millisecond, in units; in
 * units alone it would not fit what Lua's numbers hold exactly. What lies further ahead than a whole burst
 * comes of a clock that was set back, and counts as one. A key goes a second after it owes nothing.
 *
 * Answers 0 and what each owes now, or the number of the first that has no room and what that one owes.
 */
const TAKE = scriptOf(`
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local function keep(key, debt, scale)
  local whole = math.floor(debt / scale)
  local full_at = string.format('%.0f:%.0f', now + whole, debt - whole * scale)
  redis.call('SET', key, full_at, 'PX', string.format('%.0f', whole + 1000))
end
local owed = {}
for i, key in ipairs(KEYS) do
  local scale, step, depth = tonumber(ARGV[i*3-1]), tonumber(ARGV[i*3]), tonumber(ARGV[i*3+1])
  local ms, part = string.match(redis.call('GET', key) or '', '^(%d+):(%d+)$')
  local debt = 0
  if ms then debt = math.max(0, (tonumber(ms) - now) * scale + tonumber(part)) end
  if debt > depth then
    debt = depth
    keep(key, debt, scale)
  end
  if debt + step > depth then return {i, debt} end
  owed[i] = debt + step
end
for i, key in ipairs(KEYS) do keep(key, owed[i], tonumber(ARGV[i*3-1])) end
return {0, unpack(owed)}
`);

export interface RedisRatesDeps {
  readonly connection: RedisConnection;
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Log;
  /** Begins every key. */
  readonly prefix: string;
  /** Told of each question without an answer. */
  readonly failed: () => void;
  /** Milliseconds since the epoch, for tests; the server's clock when left out. */
  readonly now?: () => number;
}

export function createRedisRates(deps: RedisRatesDeps): CommonRates {
  return new Rates(deps);
}

class Rates implements CommonRates {
  readonly #deps: RedisRatesDeps;
  #counts = true;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(deps: RedisRatesDeps) {
    this.#deps = deps;
  }

  async take(rates: readonly CommonRate[]): Promise<CommonVerdict> {
    try {
      const verdict = readReply(rates, await this.#ask(rates));
      this.#say(true);
      return verdict;
    } catch (error) {
      this.#deps.failed();
      this.#say(false, error);
      throw error;
    }
  }

  #ask(rates: readonly CommonRate[]): Promise<unknown> {
    const { connection, prefix, now } = this.#deps;
    const keys = rates.map(({ id, key }) => `${prefix}rate:${nameOf(id, key)}`);
    const units = rates.flatMap(({ units: { scale, step, depth } }) => [scale, step, depth]);
    const args = [now === undefined ? "" : now(), ...units].map(String);
    return connection.run(TAKE, keys, args);
  }

  /** Once for each change, and not more often than now and then where it comes and goes. */
  #say(counts: boolean, error?: unknown): void {
    if (counts === this.#counts) return;
    const { clock, log } = this.#deps;
    if (clock.monotonic() < this.#saidAt + LIMITS.quietMs && !counts) return;
    this.#counts = counts;
    this.#saidAt = clock.monotonic();
    if (counts) log.info("limits across machines: counted in common again");
    else {
      const why = error instanceof SallyportError ? error.message : "no answer that can be read";
      log.warn(
        "limits across machines: not counted in common; each limit's whenAway says what is done",
        {
          why,
        },
      );
    }
  }
}

/** Nobody who reads the server's keys is told who called; by `id` no limit meets another. */
function nameOf(id: string, key: string): string {
  return hash("sha256", `${id}\0${key}`, "base64url");
}

function readReply(rates: readonly CommonRate[], reply: unknown): CommonVerdict {
  const [first, ...owed] = Array.isArray(reply) ? reply.map(Number) : [];
  if (first === 0 && owed.length === rates.length) {
    const verdicts = rates.map(({ units }, index) =>
      rateVerdict(units, { owed: owed[index] ?? Number.NaN, beyond: 0 }),
    );
    return { refused: undefined, verdicts };
  }
  const refused = (first ?? 0) - 1;
  const [debt] = owed;
  const rate = rates[refused];
  if (rate === undefined || debt === undefined) {
    throw new SallyportError("memory-unavailable", "the shared memory answers what nobody asked");
  }
  const beyond = debt + rate.units.step - rate.units.depth;
  return { refused, verdict: rateVerdict(rate.units, { owed: debt, beyond }) };
}
