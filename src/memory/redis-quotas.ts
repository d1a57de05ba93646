/**
 * What principals use of their quotas, added up for all machines in Redis or Valkey: one key for each
 * principal and period, which goes some time after its period. It is written four times a second, not with
 * each request.
 *
 * The server learns hashes of who is counted. What it loses is made good by what the machines know.
 */
import { hash, randomUUID } from "node:crypto";
import type { CommonQuotas, CommonSums, QuotaEntry } from "../model/common-quotas.ts";
import { SallyportError } from "../model/errors.ts";
import type { QuotaUse } from "../model/quota-steps.ts";
import { type RedisConnection, scriptOf } from "./redis-connection.ts";

const LIMITS = {
  /** Milliseconds for which the server knows which batch of a process was the last. */
  batchMs: 86_400_000,
} as const;

/**
 * Each key holds `requests:bytes:cost`. The first key holds the number of the last batch of this process: one
 * that was taken already, whose answer got lost, adds nothing.
 */
const ADD = scriptOf(`
local last = tonumber(redis.call('GET', KEYS[1]) or '-1')
local fresh = last < tonumber(ARGV[1])
local answer = {last}
for i = 2, #KEYS do
  local at = 3 + (i - 2) * 7
  local stored = redis.call('GET', KEYS[i]) or ''
  local used = {string.match(stored, '^(%d+):(%d+):(%d+)$')}
  for part = 1, 3 do
    used[part] = tonumber(used[part]) or 0
    if fresh then
      local known, step = tonumber(ARGV[at + part]), tonumber(ARGV[at + 3 + part])
      used[part] = math.max(0, math.max(used[part], known) + step)
    end
  end
  local text = string.format('%.0f:%.0f:%.0f', used[1], used[2], used[3])
  if fresh then redis.call('SET', KEYS[i], text, 'PX', ARGV[at]) end
  answer[i] = text
end
if fresh then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return answer
`);

export interface RedisQuotasDeps {
  readonly connection: Pick<RedisConnection, "run">;
  /** Begins every key. */
  readonly prefix: string;
  /** Told of each question without an answer. */
  readonly failed: () => void;
}

export function createRedisQuotas({ connection, prefix, failed }: RedisQuotasDeps): CommonQuotas {
  const own = `${prefix}quota-batch:${randomUUID()}`;
  return {
    async add(number, entries) {
      const keys = entries.map(({ step }) => `${prefix}quota:${nameOf(step)}`);
      const args = [number, LIMITS.batchMs, ...entries.flatMap(figuresOf)].map(String);
      try {
        return readReply(await connection.run(ADD, [own, ...keys], args), entries.length);
      } catch (error) {
        failed();
        throw error;
      }
    },
  };
}

function figuresOf({ step, known, keepMs }: QuotaEntry): number[] {
  const [, , , ...used] = step;
  return [Math.ceil(keepMs), known.requests, known.bytes, known.cost, ...used];
}

/** Nobody who reads the server's keys is told who called. */
function nameOf([principal, period, start]: QuotaEntry["step"]): string {
  return hash("sha256", `${period}\0${start}\0${principal}`, "base64url");
}

function readReply(reply: unknown, count: number): CommonSums {
  const [last, ...texts] = (Array.isArray(reply) ? reply : []) as readonly unknown[];
  const uses = texts.flatMap((text): QuotaUse[] => {
    const [requests = -1, bytes = -1, cost = -1, ...more] = String(text).split(":").map(Number);
    const all = [requests, bytes, cost];
    const are = all.every((sum) => Number.isSafeInteger(sum) && sum >= 0) && more.length === 0;
    return are ? [{ requests, bytes, cost }] : [];
  });
  if (Number.isSafeInteger(last) && uses.length === count) return { last: Number(last), uses };
  throw new SallyportError("memory-unavailable", "the shared memory answers what nobody asked");
}
