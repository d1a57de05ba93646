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
  readonly #pool: PostgresPool;
  readonly #deps: StoreDeps;
  readonly #changed: () => void;
  readonly #callOff = new Set<() => void>();
  #running = false;
  #hangUp: (() => void) | undefined;
  #listening = false;
  #probed: { readonly nonce: string; readonly callOff: () => void } | undefined;
  #retryMs: number = LIMITS.retry;
  #position: string | undefined;
  #warned = false;

  constructor(pool: PostgresPool, deps: StoreDeps, changed: () => void) {
    this.#pool = pool;
    this.#deps = deps;
    this.#changed = changed;
  }

  /** Whether commits are heard of at once. */
  get listening(): boolean {
    return this.#listening;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#connect();
    void this.#poll();
  }

  stop(): void {
    this.#running = false;
    for (const callOff of this.#callOff) callOff();
    this.#callOff.clear();
    this.#drop();
  }

  async #connect(): Promise<void> {
    try {
      const hangUp = await this.#pool.listen(CHANGED_CHANNEL, {
        notified: (payload) => this.#notified(payload),
        lost: () => this.#lost(),
      });
      if (!this.#running) {
        hangUp();
        return;
      }
      this.#hangUp = hangUp;
      this.#retryMs = LIMITS.retry;
      await this.#probe();
    } catch (error) {
      this.#deps.log.debug("store: listening for commits failed", { error: error as Error });
      this.#lost();
    }
  }

  /** Notifies ourselves: what arrives proves the whole way. */
  async #probe(): Promise<void> {
    const nonce = randomBytes(8).toString("hex");
    const callOff = this.#later(LIMITS.probeAnswer, () => this.#unheard());
    this.#probed = { nonce, callOff };
    await this.#pool.use((sql) => sql.query({ ...NOTIFY, values: [nonce] }));
  }

  #notified(payload: string): void {
    // The probe of another process: all of them arrive everywhere.
    if (payload !== "" && payload !== this.#probed?.nonce) return;
    if (payload !== "") {
      this.#probed?.callOff();
      this.#probed = undefined;
      if (!this.#listening) this.#deps.log.info("store: commits are heard of by notification");
      this.#listening = true;
      this.#warned = false;
      this.#later(LIMITS.probe, () => void this.#probeAgain());
    }
    this.#changed();
  }

  async #probeAgain(): Promise<void> {
    if (this.#hangUp === undefined) return;
    try {
      await this.#probe();
    } catch {
      // The poll says that the server is away; the probe's own time runs out.
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
    this.#later(LIMITS.probe, () => void this.#connect());
  }

  #lost(): void {
    this.#drop();
    if (!this.#running) return;
    // Jitter, so that many processes do not come back as one.
    this.#later(this.#retryMs * (0.5 + Math.random() / 2), () => void this.#connect());
    this.#retryMs = Math.min(this.#retryMs * 2, LIMITS.retryMost);
  }

  #drop(): void {
    this.#probed?.callOff();
    this.#probed = undefined;
    this.#listening = false;
    const hangUp = this.#hangUp;
    this.#hangUp = undefined;
    hangUp?.();
  }

  async #poll(): Promise<void> {
    try {
      const [row] = await this.#pool.use((sql) => sql.query(NOW));
      const position = `${row?.[2]} ${row?.[0]}`;
      // The first look may come after a commit that the watcher has not read.
      if (this.#position !== position) this.#changed();
      this.#position = position;
    } catch (error) {
      this.#deps.log.debug("store: looking for commits failed", { error: error as Error });
    }
    if (!this.#running) return;
    this.#later(this.#listening ? LIMITS.safetyPoll : LIMITS.poll, () => void this.#poll());
  }

  #later(ms: number, run: () => void): () => void {
    const forget = this.#deps.timers.after(ms, () => {
      this.#callOff.delete(callOff);
      run();
    });
    const callOff = (): void => {
      this.#callOff.delete(callOff);
      forget();
    };
    this.#callOff.add(callOff);
    return callOff;
  }
}
