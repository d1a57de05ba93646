/**
 * Proves who sent a signed token: RFC 9068 access tokens and plain JWTs (RFC 7519), verified as
 * RFC 8725 advises.
 *
 * Refuses algorithms and types that are not listed, keys that its issuer does not vouch for,
 * signatures that do not fit, tokens without `exp`, ID tokens (unless `insecureIdTokens`), and
 * tokens bound to a key (`cnf`, RFC 7800): without the proof they are somebody's stolen property.
 * What costs nothing is looked at before the signature. No detail holds any part of a token.
 */
import { hash } from "node:crypto";
import { canonicalAlgorithm, isAlgorithm, type Algorithm } from "../crypto/algorithms.ts";
import { verifyJws, type UnverifiedJws } from "../crypto/jws.ts";
import { ConfigError } from "../model/errors.ts";
import type { CredentialFacts, CredentialFailure } from "../model/facts.ts";
import { parseJsonBytes, type JsonObject } from "../model/json.ts";
import type { Clock, DocumentFetcher, Log, Metrics, Timers } from "../model/ports.ts";
import type { Reason } from "../model/reason.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";
import { checkTimes } from "./checks.ts";
import { createClaimMapper } from "./claims.ts";
import { ABSENT_TYPE, type JwtOptions } from "./jwt-options.ts";
import { createKeySetSource } from "./key-set-source.ts";
import { createFixedKeySet, createRemoteKeySet } from "./key-set.ts";
import type { KeyAnswer, KeySet } from "./key-set.ts";
import { readRegisteredClaims, type RegisteredClaims } from "./registered-claims.ts";

export interface JwtAuthenticator {
  readonly name: string;
  /** `iss` of the tokens that it takes, exactly. */
  readonly issuer: string;
  /** base64url SHA-256 of its name and options: under it its facts are cached. */
  readonly configHash: string;
  /** Its own audience; empty when it has none, then each of its routes must have one. */
  readonly acceptedAudience: readonly string[];
  /** What its principals can be, for the schema of policies. */
  readonly vocabulary: VocabularyAuthenticator;
  /** Fetches keys, and keeps them current from then on. Resolves after the first try; never rejects. */
  start(): Promise<void>;
  /** Verifies a token whose `iss` is its issuer. A promise only where keys are fetched; never rejects. */
  verify(
    jws: UnverifiedJws,
    credentialHash: string,
  ): CredentialFacts | CredentialFailure | Promise<CredentialFacts | CredentialFailure>;
  /** Stops fetching. What it verified is valid no more. */
  close(): void;
}

export interface JwtDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly fetcher: DocumentFetcher;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Reads a file that the configuration names, relative to it. Throws where that fails. */
  readonly readFile: (path: string) => Uint8Array;
}

interface Fault {
  readonly fault: Reason;
  readonly detail: string;
}

const LIMITS = {
  /** A key set file, as a fetched one. */
  fileBytes: 512 * 1024,
} as const;

/** Throws ConfigError where a key file cannot be read or used. */
export function createJwtAuthenticator(
  options: JwtOptions & { readonly name: string },
  deps: JwtDeps,
): JwtAuthenticator {
  const { name, issuer } = options;
  const keys = createKeys(options, deps);
  const mapper = createClaimMapper(name, options.principal);
  const algorithms = new Set(options.algorithms.map(canonicalAlgorithm));
  const types = new Set(options.types.map((type) => type.toLowerCase()));
  const clockSkew = options.clockSkew / 1000;
  const maxAge = options.maxAge === undefined ? undefined : options.maxAge / 1000;
  const acceptedAudience = Object.freeze([...(options.audience ?? [])]);

  function verify(
    jws: UnverifiedJws,
    credentialHash: string,
  ): CredentialFacts | CredentialFailure | Promise<CredentialFacts | CredentialFailure> {
    const refuse = (fault: Fault, costly: boolean): CredentialFailure => ({
      failure: fault.fault,
      detail: fault.detail,
      authenticator: name,
      credentialHash,
      costly,
    });
    const { algorithm } = jws;
    if (!isAlgorithm(algorithm) || !algorithms.has(canonicalAlgorithm(algorithm))) {
      return refuse({ fault: "algorithm-not-allowed", detail: "alg is not in the list" }, false);
    }
    const typeFault = checkType(jws);
    if (typeFault !== undefined) return refuse(typeFault, false);
    const registered = readRegistered(jws.claims);
    if ("fault" in registered) return refuse(registered, false);

    const finish = (answer: KeyAnswer): CredentialFacts | CredentialFailure => {
      const key = findSigner(answer, jws, algorithm);
      if ("fault" in key) return refuse(key, key.fault !== "identity-unavailable");
      const principal = mapper.principal(jws.claims);
      if ("fault" in principal) return refuse(principal, true);
      return Object.freeze({
        ...registered,
        principal,
        authenticator: name,
        kind: "jwt",
        credentialHash,
        clockSkew,
        acceptedAudience,
        bound: false,
        valid: key.valid,
      });
    };
    const answer = keys.find(jws.kid, algorithm);
    return answer instanceof Promise ? answer.then(finish) : finish(answer);
  }

  function checkType(jws: UnverifiedJws): Fault | undefined {
    // RFC 7515 section 4.1.9: `application/` may be left out, media types know no case.
    const type = jws.type?.toLowerCase().replace(/^application\//, "") ?? ABSENT_TYPE;
    if (!types.has(type)) return wrongType("typ is not in the list");
    if ("cnf" in jws.claims) return wrongType("it is bound to a key, and carries no proof of it");
    if (!options.insecureIdTokens && isIdToken(jws.claims)) return wrongType("it is an ID token");
    return undefined;
  }

  function readRegistered(claims: JsonObject): RegisteredClaims | Fault {
    const read = readRegisteredClaims(claims);
    if ("fault" in read) return read;
    const times = { ...read, clockSkew };
    if (maxAge !== undefined) {
      if (read.issuedAt === undefined) {
        return { fault: "missing-claim", detail: "claim iat is absent, and maxAge needs it" };
      }
      times.expiresAt = Math.min(read.expiresAt, read.issuedAt + maxAge);
    }
    const fault = checkTimes(times, deps.clock.now());
    return fault === undefined ? times : { fault, detail: "by its times; nothing was verified" };
  }

  function findSigner(answer: KeyAnswer, jws: UnverifiedJws, algorithm: Algorithm) {
    if (answer === "unavailable") {
      return {
        fault: "identity-unavailable",
        detail: "the issuer's keys are not at hand",
      } as const;
    }
    const signer = answer.find(({ key }) => verifyJws(jws, algorithm, key));
    if (signer !== undefined) return signer;
    return answer.length > 0 ? SIGNATURE_FAULT : whyNoKey(keys, jws);
  }

  return {
    name,
    issuer,
    configHash: hashConfig(options),
    acceptedAudience,
    vocabulary: mapper.vocabulary,
    start: () => keys.start(),
    verify,
    close: () => keys.close(),
  };
}

const SIGNATURE_FAULT = {
  fault: "invalid-signature",
  detail: "the signature does not verify",
} as const;

function createKeys(options: JwtOptions & { readonly name: string }, deps: JwtDeps): KeySet {
  if (options.jwks?.startsWith("file:") === true) {
    return readKeyFile(options.jwks.slice("file:".length), options.name, deps);
  }
  const source = createKeySetSource(
    {
      issuer: options.issuer,
      jwks: options.jwks,
      insecureHttp: options.insecureHttp,
      timeoutMs: options.keys.timeout,
    },
    deps,
  );
  return createRemoteKeySet(
    source,
    {
      authenticator: options.name,
      minRefreshMs: options.keys.minRefresh,
      maxRefreshMs: options.keys.maxRefresh,
      cooldownMs: options.keys.cooldown,
      keepMs: options.keys.keep,
    },
    deps,
  );
}

function readKeyFile(path: string, name: string, deps: JwtDeps): KeySet {
  try {
    const bytes = deps.readFile(path);
    if (bytes.length > LIMITS.fileBytes) throw new RangeError(`larger than ${LIMITS.fileBytes} B`);
    return createFixedKeySet(parseJsonBytes(bytes));
  } catch (cause) {
    const rule = cause instanceof Error ? cause.message : "it cannot be read";
    const message = `the key set of authenticator "${name}" cannot be used: ${rule}`;
    throw new ConfigError([{ file: path, message, remedy: "a JWK Set of public keys" }], { cause });
  }
}

/**
 * OpenID Connect Core sections 3.1.3.6 and 3.3.2.11: only ID tokens carry these hashes. Keycloak
 * says it in a claim `typ`.
 */
function isIdToken(claims: JsonObject): boolean {
  return "at_hash" in claims || "c_hash" in claims || claims["typ"] === "ID";
}

function wrongType(detail: string): Fault {
  return { fault: "invalid-token-type", detail };
}

function whyNoKey(keys: KeySet, jws: UnverifiedJws): Fault {
  if (jws.kid !== undefined && keys.has(jws.kid)) {
    return { fault: "algorithm-not-allowed", detail: "alg does not fit the key that kid names" };
  }
  const detail =
    jws.kid === undefined
      ? "it names no key, and the set has none or too many that fit alg"
      : "kid is not in the issuer's key set";
  return { fault: "unknown-key", detail };
}

/** The same options in any order of their members have the same hash. */
function hashConfig(options: JwtOptions & { readonly name: string }): string {
  const text = JSON.stringify(options, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return hash("sha256", text, "base64url");
}
