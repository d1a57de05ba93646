/**
 * Hears of commits of every process, by LISTEN on a connection of its own. A pooler may swallow what is
 * listened for, and a connection may be dead without anybody saying so: hence it notifies itself at
 * the start and now and then, and polls the counter while that does not arrive. A slow poll goes on
 * beside it always.
 */
import { randomBytes } from "node:crypto";
import type { PostgresPool } from "./postgres-client.ts";
import { CHANGED_CHANNEL, NOTIFY, NOW } from "./postgres-statements.ts";
import type { StoreDeps } from "./store-deps.ts";

const LIMITS = {
  /** Milliseconds between looks at the counter while notifications do not arrive, and while they do. */
  poll: 200,
  safetyPoll: 5000,
  /** Milliseconds between probes of what works, and until one has failed. */
  probe: 30_000,
  probeAnswer: 2000,
  /** Milliseconds before a lost connection is made anew: at first, and at most. */
  retry: 250,
  retryMost: 5000,
} as const;

export class PostgresNotices {
  readonly #pool: Pick<PostgresPool, "use" | "listen">;
  readonly #deps: Pick<StoreDeps, "timers" | "log">;
  readonly #changed: () => void;
  #life: Life | undefined;

  constructor(
    pool: Pick<PostgresPool, "use" | "listen">,
    deps: Pick<StoreDeps, "timers" | "log">,
    changed: () => void,
  ) {
    this.#pool = pool;
    this.#deps = deps;
    this.#changed = changed;
  }

  start(): void {
    if (this.#life !== undefined) return;
    this.#life = new Life(this.#pool, this.#deps, this.#changed);
    this.#life.begin();
  }

  stop(): void {
    this.#life?.end();
    this.#life = undefined;
  }
}

/** From one start to its stop. What is still under way when it ends has no effect any more. */
class Life {
  readonly #pool: Pick<PostgresPool, "use" | "listen">;
  readonly #deps: Pick<StoreDeps, "timers" | "log">;
  readonly #changed: () => void;
  #ended = false;
  /** Ends the connection that listens; undefined: there is none. */
  #hangUp: (() => void) | undefined;
  /** Whether the last probe arrived over it. */
  #listening = false;
  #probe: string | undefined;
  #retryMs: number = LIMITS.retry;
  #position: string | undefined;
  #warned = false;
  /** What is next for the connection (its probe, or a new one), and for the poll. */
  #callOffNext: () => void = () => undefined;
  #callOffPoll: () => void = () => undefined;

  constructor(
    pool: Pick<PostgresPool, "use" | "listen">,
    deps: Pick<StoreDeps, "timers" | "log">,
    changed: () => void,
  ) {
    this.#pool = pool;
    this.#deps = deps;
    this.#changed = changed;
  }

  begin(): void {
    void this.#connect();
    void this.#poll();
  }

  end(): void {
    this.#ended = true;
    this.#drop();
    this.#callOffNext();
    this.#callOffPoll();
  }

  async #connect(): Promise<void> {
    try {
      const hangUp = await this.#pool.listen(CHANGED_CHANNEL, {
        notified: (payload) => this.#notified(payload),
        lost: () => this.#lost(),
      });
      if (this.#ended) {
        hangUp();
        return;
      }
      this.#hangUp = hangUp;
      this.#retryMs = LIMITS.retry;
      await this.#sendProbe();
    } catch (error) {
      this.#deps.log.debug("store: listening for commits failed", { error: error as Error });
      this.#lost();
    }
  }

  /** Notifies ourselves: what arrives proves the whole way. */
  async #sendProbe(): Promise<void> {
    if (this.#ended) return;
    const nonce = randomBytes(8).toString("hex");
    this.#probe = nonce;
    this.#next(LIMITS.probeAnswer, () => this.#unheard());
    await this.#pool.use((sql) => sql.query({ ...NOTIFY, values: [nonce] }));
  }

  #notified(payload: string): void {
    if (this.#ended) return;
    if (payload === "") {
      this.#changed();
      return;
    }
    // Those of other processes arrive as well.
    if (payload !== this.#probe) return;
    if (!this.#listening) {
      this.#deps.log.info("store: commits are heard of by notification");
      // What was committed before, and not listened for.
      this.#changed();
    }
    this.#probe = undefined;
    this.#listening = true;
    this.#warned = false;
    this.#next(LIMITS.probe, () => void this.#probeAgain());
  }

  async #probeAgain(): Promise<void> {
    try {
      await this.#sendProbe();
    } catch (error) {
      this.#deps.log.debug("store: listening for commits failed", { error: error as Error });
      this.#lost();
    }
  }

  #unheard(): void {
    if (!this.#warned) {
      this.#warned = true;
      this.#deps.log.warn(
        "store: notifications do not arrive (a pooler in between?); the counter is polled",
      );
    }
    this.#drop();
    this.#next(LIMITS.probe, () => void this.#connect());
  }

  #lost(): void {
    if (this.#ended) return;
    this.#drop();
    // Jitter, so that many processes do not come back as one.
    this.#next(this.#retryMs * (0.5 + Math.random() / 2), () => void this.#connect());
    this.#retryMs = Math.min(this.#retryMs * 2, LIMITS.retryMost);
  }

  #drop(): void {
    const hangUp = this.#hangUp;
    const listened = this.#listening;
    this.#probe = undefined;
    this.#hangUp = undefined;
    this.#listening = false;
    hangUp?.();
    // The slow poll would be the next to look.
    if (listened && !this.#ended) {
      this.#callOffPoll();
      void this.#poll();
    }
  }

  async #poll(): Promise<void> {
    try {
      const [row] = await this.#pool.use((sql) => sql.query(NOW));
      if (this.#ended) return;
      const position = `${row?.[2]} ${row?.[0]}`;
      // The first look may come after a commit that the watcher has not read.
      if (this.#position !== position) this.#changed();
      this.#position = position;
    } catch (error) {
      this.#deps.log.debug("store: looking for commits failed", { error: error as Error });
    }
    if (this.#ended) return;
    this.#callOffPoll();
    const ms = this.#listening ? LIMITS.safetyPoll : LIMITS.poll;
    this.#callOffPoll = this.#deps.timers.after(ms, () => void this.#poll());
  }

  /** One thing is next; what was to be before is not. */
  #next(ms: number, run: () => void): void {
    this.#callOffNext();
    this.#callOffNext = this.#deps.timers.after(ms, run);
  }
}
