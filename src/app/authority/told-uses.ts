/**
 * What a follower and those behind it say of API keys that were used, gathered on its way to the
 * authority. Nothing waits for it; what could not be told is told with the next.
 */
import type { ApiKeyUse } from "../../model/api-keys.ts";
import type { Log, Timers } from "../../model/ports.ts";

const LIMITS = {
  /** Each process tells once a minute; what they say within so long goes as one. */
  gatherMs: 5000,
  /** Keys that wait; those of further ones are told when they are used again. */
  keys: 10_000,
} as const;

export class ToldUses {
  readonly #report: (uses: readonly ApiKeyUse[]) => Promise<void>;
  readonly #deps: { readonly timers: Timers; readonly log: Log };
  #waiting = new Map<string, number>();
  #callOff: (() => void) | undefined;
  #failing = false;

  constructor(
    report: (uses: readonly ApiKeyUse[]) => Promise<void>,
    deps: { readonly timers: Timers; readonly log: Log },
  ) {
    this.#report = report;
    this.#deps = deps;
  }

  tell(uses: readonly ApiKeyUse[]): void {
    for (const { id, atMs } of uses) {
      const before = this.#waiting.get(id);
      if (before === undefined && this.#waiting.size >= LIMITS.keys) continue;
      this.#waiting.set(id, Math.max(before ?? 0, atMs));
    }
    if (this.#waiting.size === 0) return;
    this.#callOff ??= this.#deps.timers.after(LIMITS.gatherMs, () => void this.#send());
  }

  /** Tells what waits, as far as that is possible now. Never rejects. */
  async close(): Promise<void> {
    this.#callOff?.();
    if (this.#waiting.size > 0) await this.#send();
  }

  async #send(): Promise<void> {
    this.#callOff = undefined;
    const uses = [...this.#waiting].map(([id, atMs]) => ({ id, atMs }));
    this.#waiting = new Map();
    try {
      await this.#report(uses);
      this.#failing = false;
    } catch (error) {
      for (const { id, atMs } of uses) {
        const later = this.#waiting.get(id);
        if (later !== undefined || this.#waiting.size < LIMITS.keys) {
          this.#waiting.set(id, Math.max(later ?? 0, atMs));
        }
      }
      // Once: an authority of an earlier version does not take them at all.
      if (!this.#failing) {
        this.#deps.log.info("when API keys were last used cannot be told now", {
          error: error instanceof Error ? error : new Error(String(error)),
        });
      }
      this.#failing = true;
    }
  }
}
