/**
 * Where a trust domain's bundle comes from, kept current, and how everybody asks for it: a file, a
 * federation endpoint, the Workload API. A source never goes back to what it had, and has nothing once
 * what it had is older than its bound.
 */
import { ConfigError, SallyportError } from "../../model/errors.ts";
import type { Log, Timers } from "../../model/ports.ts";
import { watchFiles } from "../../platform/watched-files.ts";
import type { KeySetFigures } from "../key-set/key-set.ts";
import {
  type BundlePart,
  readTrustBundle,
  sameAuthorities,
  type TrustBundle,
} from "./trust-bundle.ts";

export interface TrustBundleSource {
  readonly trustDomain: string;
  /**
   * Of now; undefined before the first one came, beyond the bound, and after `close`. What was verified
   * by a bundle stands for as long as this is the same reference. Reading it costs nothing.
   */
  readonly current: TrustBundle | undefined;
  /** Begins to keep it current. Resolves after the first try, well or not; never rejects. */
  start(): Promise<void>;
  /** Calls `run` after `current` has become another one. Returns what calls it off. */
  onChange(run: () => void): () => void;
  figures(): KeySetFigures;
  close(): void;
}

/** `current` and who has to hear of it: what every source has in common. */
export class CurrentBundle {
  #current: TrustBundle | undefined;
  readonly #listeners = new Set<() => void>();

  get value(): TrustBundle | undefined {
    return this.#current;
  }

  /** Keeps the reference where the new one says the same. */
  take(next: TrustBundle | undefined): void {
    const before = this.#current;
    if (before === next) return;
    if (before !== undefined && next !== undefined && sameAuthorities(before, next)) return;
    this.#current = next;
    for (const run of this.#listeners) run();
  }

  onChange(run: () => void): () => void {
    // A function of its own, so that one who listens twice calls off one of them.
    const heard = (): void => run();
    this.#listeners.add(heard);
    return () => void this.#listeners.delete(heard);
  }

  /** Nothing any more, and nobody hears of it. */
  end(): void {
    this.#listeners.clear();
    this.#current = undefined;
  }
}

export interface TrustFileDeps {
  readonly timers: Timers;
  readonly log: Log;
  /** Throws where it cannot be read. */
  readonly readFile: (path: string) => Uint8Array;
}

/**
 * A file with a SPIFFE bundle or with PEM, read again when it changes. One that cannot be used later on
 * leaves what was read before in force. Throws ConfigError where it cannot be used at first.
 */
export function createFileBundleSource(
  { name, file, trustDomain, part }: FileBundleOptions,
  { timers, log, readFile }: TrustFileDeps,
): TrustBundleSource {
  const current = new CurrentBundle();
  let failures = 0;
  const reload = (): void => {
    try {
      current.take(readTrustBundle(readFile(file), trustDomain, part));
      failures = 0;
      log.info("trust bundle reloaded", { authenticator: name, trustDomain });
    } catch (error) {
      failures += 1;
      log.error("a trust bundle was not reloaded: the one before stays in force", {
        authenticator: name,
        trustDomain,
        error: error instanceof Error ? error : new Error(String(error)),
      });
    }
  };
  // Before the first reading, so that no change between the two is missed.
  const watch = watchFiles([file], { timers }, reload);
  try {
    current.take(readTrustBundle(readFile(file), trustDomain, part));
  } catch (cause) {
    watch.close();
    throw unusable({ name, file, part }, cause);
  }
  return {
    trustDomain,
    get current() {
      return current.value;
    },
    start: () => Promise.resolve(),
    onChange: (run) => current.onChange(run),
    figures: () => ({ usable: countKeys(current.value), fetchedMs: undefined, failures }),
    close() {
      watch.close();
      current.end();
    },
  };
}

export interface FileBundleOptions {
  /** Of the authenticator, for logs. */
  readonly name: string;
  readonly file: string;
  readonly trustDomain: string;
  /** Authorities of X.509-SVIDs when left out. */
  readonly part?: BundlePart | undefined;
}

/** Reads a bundle that never changes: with which an endpoint is verified. Throws ConfigError. */
export function readBundleFile(
  { name, file, trustDomain }: FileBundleOptions,
  readFile: TrustFileDeps["readFile"],
): TrustBundle {
  try {
    return readTrustBundle(readFile(file), trustDomain);
  } catch (cause) {
    throw unusable({ name, file }, cause);
  }
}

/** Authorities and keys together. */
export function countKeys(bundle: TrustBundle | undefined): number {
  return bundle === undefined ? 0 : bundle.x509.length + bundle.jwt.size;
}

function unusable({ name, file, part }: Omit<FileBundleOptions, "trustDomain">, cause: unknown) {
  const rule =
    cause instanceof SallyportError
      ? cause.message
      : ((cause as NodeJS.ErrnoException).code ?? "it cannot be read");
  const message = `the trust bundle of authenticator "${name}" cannot be used: ${rule}`;
  const pem = part === "jwt-bundles" ? "" : ", or authorities in PEM";
  const remedy = `a SPIFFE bundle (JSON)${pem}`;
  return new ConfigError([{ file, message, remedy }], { cause });
}
