/**
 * What was made of certificate files, made anew when they change. Files that cannot be used leave what
 * was made before in force, and that is said in the log and by a metric, once for each change.
 */
import type { Counter, Log, Timers } from "../model/ports.ts";
import { watchFiles, type WatchedFiles } from "../platform/watched-files.ts";

export interface MaterialOptions<T> {
  readonly files: readonly string[];
  /** Reads all files. Throws where they cannot be used. */
  readonly read: () => T;
  /** Counts readings by their last label, `loaded` or `failed`. */
  readonly counted: { with(...labels: string[]): Counter };
  /** Whose files they are, for labels and log lines. */
  readonly owner: { readonly kind: "listener" | "service"; readonly name: string };
  /** After a change is in force. Returns what the log line says beside. */
  readonly changed?: (material: T) => Readonly<Record<string, string>>;
}

export class WatchedMaterial<T> {
  readonly #options: MaterialOptions<T>;
  readonly #log: Log;
  readonly #watch: WatchedFiles;
  readonly #loaded: Counter;
  readonly #failed: Counter;
  #current: T;

  /** Throws what `read` throws. */
  constructor(options: MaterialOptions<T>, deps: { readonly timers: Timers; readonly log: Log }) {
    this.#options = options;
    this.#log = deps.log;
    this.#loaded = options.counted.with(options.owner.name, "loaded");
    this.#failed = options.counted.with(options.owner.name, "failed");
    this.#watch = watchFiles(options.files, deps, () => this.reload());
    try {
      this.#current = options.read();
    } catch (error) {
      this.#watch.close();
      throw error;
    }
  }

  get current(): T {
    return this.#current;
  }

  /** Reads all files anew and puts them in force whole, or leaves what is in force. */
  reload(): void {
    const { kind, name } = this.#options.owner;
    try {
      this.#current = this.#options.read();
    } catch (error) {
      this.#failed.inc();
      this.#log.error("certificates were not reloaded: those before stay in force", {
        [kind]: name,
        error: error instanceof Error ? error : new Error(String(error)),
      });
      return;
    }
    this.#loaded.inc();
    const said = this.#options.changed?.(this.#current);
    this.#log.info("certificates reloaded", { [kind]: name, ...said });
  }

  close(): void {
    this.#watch.close();
  }
}
