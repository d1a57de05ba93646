/** The keys that a `jwt` authenticator names: a file, a URL, or by discovery. */
import { ConfigError } from "../../model/errors.ts";
import { parseJsonBytes } from "../../model/json.ts";
import type { Clock, DocumentFetcher, Log, Metrics, Timers } from "../../model/ports.ts";
import { hashOptions } from "../config-hash.ts";
import type { JwtOptions } from "../jwt-options.ts";
import type { KeySetPool } from "./key-set-pool.ts";
import { createKeySetSource } from "./key-set-source.ts";
import { createFixedKeySet, createRemoteKeySet, type KeySet } from "./key-set.ts";

export interface JwtKeysDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly fetcher: DocumentFetcher;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Reads a file that the configuration names, relative to it. Throws where that fails. */
  readonly readFile: (path: string) => Uint8Array;
  /** Where fetched sets are shared across reloads; without it each authenticator has its own. */
  readonly keySets?: KeySetPool;
}

/** What of an authenticator's options says where its keys are. */
type NamedOptions = Pick<JwtOptions, "issuer" | "jwks" | "keys" | "insecureHttp"> & {
  readonly name: string;
};

const LIMITS = {
  /** A key set file, as a fetched one. */
  fileBytes: 512 * 1024,
} as const;

/** Throws ConfigError where a key file cannot be read or used. Fetches nothing yet. */
export function openKeys(options: NamedOptions, deps: JwtKeysDeps): KeySet {
  if (options.jwks?.startsWith("file:") === true) {
    return readKeyFile(options.jwks.slice("file:".length), options.name, deps);
  }
  const create = (): KeySet => createFetchedKeys(options, deps);
  if (deps.keySets === undefined) return create();
  const { name, issuer, jwks, keys, insecureHttp } = options;
  return deps.keySets.open(hashOptions({ name, issuer, jwks, keys, insecureHttp }), create);
}

function readKeyFile(path: string, name: string, deps: JwtKeysDeps): KeySet {
  try {
    const bytes = deps.readFile(path);
    if (bytes.length > LIMITS.fileBytes) {
      throw new RangeError(`it is larger than ${LIMITS.fileBytes} bytes`);
    }
    return createFixedKeySet(parseJsonBytes(bytes), { authenticator: name, log: deps.log });
  } catch (cause) {
    const rule = cause instanceof Error ? cause.message : "it cannot be read";
    const message = `the key set of authenticator "${name}" cannot be used: ${rule}`;
    throw new ConfigError([{ file: path, message, remedy: "a JWK Set of public keys" }], { cause });
  }
}

function createFetchedKeys(options: NamedOptions, deps: JwtKeysDeps): KeySet {
  const { issuer, jwks, insecureHttp, keys } = options;
  const source = { issuer, jwks, insecureHttp, timeoutMs: keys.timeout };
  return createRemoteKeySet(
    createKeySetSource(source, deps),
    {
      authenticator: options.name,
      minRefreshMs: keys.minRefresh,
      maxRefreshMs: keys.maxRefresh,
      cooldownMs: keys.cooldown,
      keepMs: keys.keep,
    },
    deps,
  );
}
