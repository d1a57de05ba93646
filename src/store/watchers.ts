/** Who wants to know that something was committed. Calls come after the current turn, many as one. */
import type { Log } from "../model/ports.ts";

export class Watchers {
  readonly #log: Log;
  readonly #all = new Set<{ readonly changed: () => void }>();
  #due = false;

  constructor(log: Log) {
    this.#log = log;
  }

  get size(): number {
    return this.#all.size;
  }

  add(changed: () => void): () => void {
    const entry = { changed };
    this.#all.add(entry);
    return () => {
      this.#all.delete(entry);
    };
  }

  clear(): void {
    this.#all.clear();
  }

  notify(): void {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      for (const { changed } of this.#all) this.#call(changed);
    });
  }

  /** One that fails keeps nobody else from hearing of it, and undoes no commit. */
  #call(changed: () => void): void {
    try {
      changed();
    } catch (error) {
      this.#log.error("store: who watches it failed", { error: error as Error });
    }
  }
}
