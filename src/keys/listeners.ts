/** Who wants to know of changes. One that fails keeps nobody else from hearing of them. */
import type { Log } from "../model/ports.ts";

export class Listeners {
  readonly #log: Log;
  readonly #all = new Set<{ readonly changed: () => void }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Returns the function that ends it. */
  add(changed: () => void): () => void {
    // One of its own, so that the same function may listen twice.
    const entry = { changed };
    this.#all.add(entry);
    return () => {
      this.#all.delete(entry);
    };
  }

  notify(): void {
    for (const { changed } of this.#all) {
      try {
        changed();
      } catch (error) {
        this.#log.error("keys: who listens to them failed", { error: error as Error });
      }
    }
  }
}
