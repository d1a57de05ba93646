/**
 * Proves that whoever sends a token has the key that it is bound to: a DPoP proof, checked as RFC 9449
 * sections 4.3 and 7 say, each check of them on every request. Checks that cost nothing come first, the
 * signature after them, and last of all the proof is used up, so that a bad one uses up nothing.
 *
 * Nothing of a proof is kept but that it was used, and the key that made it.
 */
import { hash } from "node:crypto";
import { verifyJws } from "../../crypto/jws.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Fields } from "../../model/http.ts";
import type { Counter, Metrics } from "../../model/ports.ts";
import type { Reason } from "../../model/reason.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import type { ProofAnswer, ProofInput, ProofVerifier } from "../../model/verifiers.ts";
import { createProofKeys, type ProofKey, type ProofKeys } from "./dpop-keys.ts";
import { createNonces, type Nonces, type NonceVerdict } from "./dpop-nonces.ts";
import type { DpopOptions } from "./dpop-options.ts";
import { type ProofClaims, readProof, type UnverifiedProof } from "./dpop-proof.ts";
import { isSameTarget } from "./dpop-target.ts";
import { invalidProof as invalid, ProofFault } from "./proof-fault.ts";

const LIMITS = {
  /** Characters of a used proof's key in memory: 132 bits of a SHA-256, which nobody makes collide. */
  usedChars: 22,
  /** Milliseconds that a used proof is remembered beyond its time, where no skew is granted too. */
  lateMs: 1000,
} as const;

/** Where used proofs are remembered. */
const SPACE = "dpop-proofs";

export interface ProofVerifierOptions extends Omit<DpopOptions, "nonce"> {
  readonly nonce: "off" | "required";
}

export interface ProofVerifierDeps {
  readonly shared: SharedMemory;
  readonly metrics: Metrics;
  readonly random?: (bytes: number) => Uint8Array;
}

export function createProofVerifier(
  options: ProofVerifierOptions,
  deps: ProofVerifierDeps,
): ProofVerifier {
  return new DpopVerifier(options, deps);
}

class DpopVerifier implements ProofVerifier {
  readonly #windowMs: number;
  readonly #skewMs: number;
  readonly #shared: SharedMemory;
  readonly #keys: ProofKeys;
  readonly #nonces: Nonces | undefined;
  readonly #outcome: (outcome: Reason | "verified") => Counter;

  constructor(options: ProofVerifierOptions, { shared, metrics, random }: ProofVerifierDeps) {
    this.#windowMs = options.window;
    this.#skewMs = options.clockSkew;
    this.#shared = shared;
    this.#keys = createProofKeys(options.algorithms);
    const lifetimeMs = options.nonceLifetime;
    this.#nonces =
      options.nonce === "off"
        ? undefined
        : createNonces({ lifetimeMs }, { shared, ...(random && { random }) });
    const outcomes = metrics.counter(
      "sallyport_dpop_proofs",
      "DPoP proofs, by outcome: verified, or why not.",
      ["outcome"],
    );
    this.#outcome = (outcome) => outcomes.with(outcome);
  }

  verify(input: ProofInput): ProofAnswer | Promise<ProofAnswer> {
    const proof = readProof(input.fields);
    if (proof instanceof ProofFault) return this.#refused(proof);
    const key = this.#keys.find(proof.header, input.keyThumbprint);
    if (key instanceof ProofFault) return this.#refused(key);
    const fault = this.#fault(proof.claims, input);
    if (fault !== undefined) return this.#refused(fault);
    const read = { proof, key, input };
    if (this.#nonces === undefined) return this.#signed(read, NO_NONCE);
    return this.#withNonce(read, this.#nonces);
  }

  /** What the claims say, beside the nonce: section 4.3, checks 8, 9, 11 and 12. */
  #fault(claims: ProofClaims, { method, url, token, nowMs }: ProofInput): ProofFault | undefined {
    if (claims.htm !== method) return invalid("htm is not the method");
    if (!isSameTarget(claims.htu, url)) return invalid(`htu is not ${url}`);
    const issuedMs = claims.iat * 1000;
    if (issuedMs > nowMs + this.#skewMs) return stale("iat is ahead of us");
    if (nowMs - issuedMs > this.#windowMs + this.#skewMs) return stale("iat is too long ago");
    if (claims.exp !== undefined && nowMs >= claims.exp * 1000 + this.#skewMs) {
      return stale("exp has passed");
    }
    if (claims.nbf !== undefined && claims.nbf * 1000 > nowMs + this.#skewMs) {
      return stale("nbf is ahead of us");
    }
    if (token === undefined) return undefined;
    if (claims.ath === undefined) return invalid("ath is absent or not a text");
    // A proof for one token must not serve another that is bound to the same key.
    if (claims.ath !== hash("sha256", token, "base64url")) return invalid("ath is not the token's");
    return undefined;
  }

  #withNonce(read: Read, nonces: Nonces): ProofAnswer | Promise<ProofAnswer> {
    try {
      const verdict = nonces.judge(read.proof.claims.nonce, read.input.nowMs);
      if (!(verdict instanceof Promise)) return this.#judged(read, verdict);
      return verdict.then(
        (settled) => this.#judged(read, settled),
        (error: unknown) => this.#unavailable(error),
      );
    } catch (error) {
      return this.#unavailable(error);
    }
  }

  #judged(read: Read, verdict: NonceVerdict): ProofAnswer | Promise<ProofAnswer> {
    if (verdict.good) return this.#signed(read, verdict);
    const absent = read.proof.claims.nonce === undefined;
    const detail = absent ? "no nonce" : "a nonce that is not good, here or any more";
    return this.#refused(new ProofFault("use-dpop-nonce", detail), { answer: nonceField(verdict) });
  }

  #signed(read: Read, verdict: NonceVerdict): ProofAnswer | Promise<ProofAnswer> {
    const { proof, key } = read;
    const answer = nonceField(verdict);
    const { algorithm } = key;
    const { signingInput, signature } = proof;
    if (!verifyJws({ algorithm, signingInput, signature }, algorithm, key.key)) {
      return this.#refused(invalid("the signature does not fit"), { answer, costly: true });
    }
    // Alone `jti` is not enough: another client could use up this one's.
    const used = hash("sha256", `${key.key.thumbprint}.${proof.claims.jti}`, "base64url");
    // As long as the proof could be taken: from before its `iat` until after the window, and by a
    // replica whose clock is late.
    const ttlMs = this.#windowMs + 3 * this.#skewMs + LIMITS.lateMs;
    try {
      const first = this.#shared.claim(SPACE, used.slice(0, LIMITS.usedChars), ttlMs);
      if (!(first instanceof Promise)) return this.#claimed(read, { first, answer });
      return first.then(
        (settled) => this.#claimed(read, { first: settled, answer }),
        (error: unknown) => this.#unavailable(error, answer),
      );
    } catch (error) {
      return this.#unavailable(error, answer);
    }
  }

  #claimed(
    { proof, key, input }: Read,
    { first, answer }: { first: boolean; answer: Fields },
  ): ProofAnswer {
    if (!first) return this.#refused(REPLAYED, { answer });
    // Looked at after the claim: what was lost while it was made counts as well.
    if (proof.claims.iat * 1000 < this.#shared.since) return this.#refused(FORGOTTEN, { answer });
    this.#outcome("verified").inc();
    if (input.keyThumbprint === undefined) {
      return { refused: undefined, answerFields: answer, keyThumbprint: key.key.thumbprint };
    }
    return answer.length === 0 ? PROVEN : { refused: undefined, answerFields: answer };
  }

  #unavailable(error: unknown, answer: Fields = NONE): ProofAnswer {
    if (!(error instanceof SallyportError)) throw error;
    return this.#refused(new ProofFault("memory-unavailable", error.message), { answer });
  }

  #refused(
    { reason, detail }: ProofFault,
    { answer = NONE, costly = false }: { answer?: Fields; costly?: boolean } = {},
  ): ProofAnswer {
    this.#outcome(reason).inc();
    return { refused: { reason, detail, costly }, answerFields: answer };
  }
}

interface Read {
  readonly proof: UnverifiedProof;
  readonly key: ProofKey;
  readonly input: ProofInput;
}

const NONE: Fields = Object.freeze([]);
const NO_NONCE: NonceVerdict = Object.freeze({ good: true, next: undefined });
const PROVEN: ProofAnswer = Object.freeze({ refused: undefined, answerFields: NONE });
const REPLAYED = new ProofFault("replayed-proof", "jti was used before");
const FORGOTTEN = new ProofFault("stale-proof", "made before the memory of used proofs was lost");

function stale(detail: string): ProofFault {
  return new ProofFault("stale-proof", detail);
}

function nonceField({ next }: NonceVerdict): Fields {
  return next === undefined ? NONE : ["dpop-nonce", next];
}
