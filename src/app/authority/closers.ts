/** What was opened, closed in the opposite order; all of it, whatever fails. */
export class Closers {
  readonly #verbs: (() => void | Promise<void>)[] = [];

  add(close: () => void | Promise<void>): void {
    this.#verbs.push(close);
  }

  /** Rejects with the first failure, once everything has been tried. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let verb = this.#verbs.pop(); verb !== undefined; verb = this.#verbs.pop()) {
      try {
        await verb();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
