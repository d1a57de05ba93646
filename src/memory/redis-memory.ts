/**
 * What all proxies hold in common, in Redis or Valkey. Each verb is one command that is whole in itself
 * (`SET … NX PX`), so that of two proxies exactly one claims.
 *
 * Without it nothing is known, and what needs it is refused. What it loses is lost: after another start
 * of the server, or on another server, proofs from before count as used. A failure of the server that
 * nobody connected notices, a copy that was behind when it took over, and keys that are evicted cannot be
 * seen from here.
 */
import type { CommonQuotas } from "../model/common-quotas.ts";
import type { CommonRates } from "../model/common-rates.ts";
import { SallyportError } from "../model/errors.ts";
import type { Clock, Log, Metrics, Timers } from "../model/ports.ts";
import type { SharedMemory } from "../model/shared-memory.ts";
import { RedisConnection, type ServerInfo } from "./redis-connection.ts";
import { createRedisQuotas } from "./redis-quotas.ts";
import { createRedisRates } from "./redis-rates.ts";
import { parseRedisUrl } from "./redis-url.ts";
import type { SharedOptions } from "./shared-options.ts";

export interface RedisMemory extends SharedMemory {
  claim(space: string, key: string, ttlMs: number): Promise<boolean>;
  agree(space: string, key: string, value: string, ttlMs: number): Promise<string>;
  get(space: string, key: string): Promise<string | undefined>;
  put(space: string, key: string, value: string, ttlMs: number): Promise<void>;
  remove(space: string, key: string): Promise<void>;
  /** Rates that all proxies count as one. */
  readonly rates: CommonRates;
  /** Quotas that all proxies count as one. */
  readonly quotas: CommonQuotas;
  /** Whether it answers, in words, for the checks of readiness. */
  check(): string;
  /** Resolves after the first try to connect; never rejects. */
  start(): Promise<void>;
  close(): void;
}

export interface RedisMemoryDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly readFile: (path: string) => Uint8Array;
}

/** Throws what `readFile` throws. */
export function createRedisMemory(options: SharedOptions, deps: RedisMemoryDeps): RedisMemory {
  return new Remote(options, deps);
}

class Remote implements RedisMemory {
  readonly #prefix: string;
  readonly #deps: RedisMemoryDeps;
  readonly #connection: RedisConnection;
  readonly #failed: () => void;
  readonly rates: CommonRates;
  readonly quotas: CommonQuotas;
  #greetings = 0;
  #runId: string | undefined;
  since = 0;

  constructor({ redis, ca, prefix, timeout }: SharedOptions, deps: RedisMemoryDeps) {
    const place = parseRedisUrl(redis);
    if (place === undefined) throw new TypeError("the configuration was checked");
    this.#prefix = prefix;
    this.#deps = deps;
    const { timers, log, metrics } = deps;
    if (place.insecure) {
      log.warn("shared memory: what is said to Redis can be read and changed on the way", {
        redis: place.name,
        remedy: "rediss:// in place of redis://",
      });
    }
    this.#connection = new RedisConnection(
      {
        place,
        ca: ca === undefined ? undefined : Buffer.from(deps.readFile(ca)).toString("utf8"),
        timeoutMs: timeout,
      },
      { timers, log, greeted: (server) => this.#greeted(server) },
    );
    const failures = metrics.counter(
      "sallyport_shared_memory_failures",
      "Questions to the memory that all proxies share which had no answer.",
      [],
    );
    this.#failed = () => failures.with().inc();
    const { clock } = deps;
    const connection = this.#connection;
    this.rates = createRedisRates({ connection, clock, log, prefix, failed: this.#failed });
    this.quotas = createRedisQuotas({ connection, prefix, failed: this.#failed });
    metrics.sampled(
      "sallyport_shared_memory_connected",
      "Whether the memory that all proxies share answers: 1 or 0.",
      () => (this.#connection.connected ? 1 : 0),
    );
  }

  check(): string {
    return this.#connection.connected
      ? "answers"
      : "does not answer; what needs it is refused, and limits do as their whenAway says";
  }

  start(): Promise<void> {
    return this.#connection.open();
  }

  close(): void {
    this.#connection.close();
  }

  async claim(space: string, key: string, ttlMs: number): Promise<boolean> {
    return (await this.#ask(this.#setIfAbsent({ space, key, value: "", ttlMs }))) === "OK";
  }

  async agree(space: string, key: string, value: string, ttlMs: number): Promise<string> {
    // What was there may have expired between the two.
    for (let attempt = 0; attempt < 2; attempt++) {
      if ((await this.#ask(this.#setIfAbsent({ space, key, value, ttlMs }))) === "OK") return value;
      const found = await this.get(space, key);
      if (found !== undefined) return found;
    }
    throw new SallyportError("memory-unavailable", `the shared memory ${space} agrees to nothing`);
  }

  async get(space: string, key: string): Promise<string | undefined> {
    const found = await this.#ask(["GET", this.#name(space, key)]);
    return typeof found === "string" ? found : undefined;
  }

  async put(space: string, key: string, value: string, ttlMs: number): Promise<void> {
    await this.#ask(["SET", this.#name(space, key), value, "PX", String(Math.ceil(ttlMs))]);
  }

  async remove(space: string, key: string): Promise<void> {
    await this.#ask(["DEL", this.#name(space, key)]);
  }

  async #ask(command: readonly string[]): Promise<unknown> {
    try {
      return await this.#connection.ask(command);
    } catch (error) {
      this.#failed();
      throw error;
    }
  }

  #setIfAbsent(entry: { space: string; key: string; value: string; ttlMs: number }): string[] {
    const { space, key, value, ttlMs } = entry;
    return ["SET", this.#name(space, key), value, "NX", "PX", String(Math.ceil(ttlMs))];
  }

  #name(space: string, key: string): string {
    return `${this.#prefix}${space}:${key}`;
  }

  #greeted({ runId, evicts }: ServerInfo): void {
    const { clock, log } = this.#deps;
    this.#greetings += 1;
    // Where the server does not say who it is (INFO is not allowed), each connection may be to another.
    if (this.#greetings > 1 && (runId === undefined || runId !== this.#runId)) {
      this.since = clock.now();
      log.warn("shared memory: Redis was started anew; proofs from before are not taken", {});
    }
    this.#runId = runId;
    if (evicts) {
      log.warn("shared memory: Redis may evict keys, and used proofs with them", {
        remedy: "maxmemory-policy noeviction, or a server for this alone",
      });
    }
  }
}
