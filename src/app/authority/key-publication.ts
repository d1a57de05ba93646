/**
 * Has the keys that were made on this machine published, and sees to it that they stay so: what the
 * authority does not tell of (it was away, its store was restored, this machine was enabled again) is
 * published anew.
 */
import type { LocalKey, LocalKeys } from "../../keys/local-keys.ts";
import type { Log, Timers } from "../../model/ports.ts";
import type { PublishedKey } from "../../model/signing.ts";

const LIMITS = {
  /** Milliseconds between looks; a feed tells of a key within a second. */
  lookMs: 5000,
  /** … after a failure, doubled up to … */
  retryMs: 5000,
  /** … this: keys are published hours before they are needed. */
  maxRetryMs: 5 * 60_000,
} as const;

export interface KeyPublicationDeps {
  readonly local: LocalKeys;
  /** What the authority tells of. */
  readonly told: () => readonly PublishedKey[];
  /** Rejects where it could not be done. */
  readonly publish: (key: LocalKey) => Promise<void>;
  readonly timers: Timers;
  readonly log: Log;
}

export class KeyPublication {
  readonly #deps: KeyPublicationDeps;
  readonly #unlisten: () => void;
  #callOff: (() => void) | undefined;
  #wanted = false;
  #running = false;
  #failures = 0;
  #closed = false;

  constructor(deps: KeyPublicationDeps) {
    this.#deps = deps;
    this.#unlisten = deps.local.changed(() => this.#soon(0));
  }

  /** Whether anything is signed here. */
  set wanted(wanted: boolean) {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#soon(0);
  }

  close(): void {
    this.#closed = true;
    this.#unlisten();
    this.#callOff?.();
  }

  #soon(ms: number): void {
    this.#callOff?.();
    if (this.#closed || !this.#wanted) return;
    this.#callOff = this.#deps.timers.after(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const { local, told, publish, log } = this.#deps;
    const known = new Set(told().map(({ kid }) => kid));
    const missing = local.all().filter(({ published }) => !known.has(published.kid));
    try {
      for (const key of missing) {
        // oxlint-disable-next-line no-await-in-loop -- one or two, and one after the other
        await publish(key);
        log.info("a key for assertions was published", { kid: key.published.kid });
      }
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      // The first, and then ever fewer.
      if (Number.isInteger(Math.log2(this.#failures))) {
        log.warn("a key for assertions could not be published: services may not know it", {
          failures: this.#failures,
          error: error instanceof Error ? error : new Error(String(error)),
        });
      }
    } finally {
      this.#running = false;
    }
    const waitMs = Math.min(LIMITS.retryMs * 2 ** (this.#failures - 1), LIMITS.maxRetryMs);
    this.#soon(this.#failures === 0 ? LIMITS.lookMs : waitMs);
  }
}
