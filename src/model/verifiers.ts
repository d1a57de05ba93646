/**
 * The ways to know a caller, as the gate asks them. Each is made of the authenticators that a route
 * names (`identity/`), and answers from what it has verified before wherever it can.
 *
 * None of them throws or rejects: what goes wrong is a failure with its reason, and denies.
 */
import type { Verified } from "./facts.ts";
import type { CanonicalRequest, Fields } from "./http.ts";
import type { PeerTls } from "./peer-tls.ts";
import type { Reason } from "./reason.ts";

/** Tokens: signed, opaque, API keys. Which authenticator takes one is told by the token alone. */
export interface BearerVerifier {
  /** Facts already known about this token, or undefined. Never waits, never spends a signature check. */
  recall(token: string): Extract<Verified, { readonly principal: unknown }> | undefined;
  verify(token: string): Verified | Promise<Verified>;
}

/** Certificates of connections. Asked on every request of one, so it keeps what it found (by `tls`). */
export interface CertificateVerifier {
  /**
   * Undefined: no certificate, or none that any of its authenticators is for (another trust domain,
   * a name that no pattern fits), so it proves nothing here. A failure: one of them is for it and
   * refuses it.
   */
  verify(tls: PeerTls, nowMs: number): Verified | undefined;
}

/** What the sessions of a request are worth. */
export interface SessionAnswer {
  readonly result: Verified;
  /** Of further sessions, where a request carries those of several authenticators. */
  readonly others?: readonly Verified[];
  /** `set-cookie` lines that go out with the answer, whoever gives it. */
  readonly setCookies: readonly string[];
}

/** Browser sessions. */
export interface SessionVerifier {
  /** Undefined where the request carries no session of its authenticators. A promise where one is refreshed or fetched. */
  verify(
    request: CanonicalRequest,
    nowMs: number,
    /** Asked again about a stream that is open: its answer is long under way, so no cookie is renewed. */
    stream?: boolean,
  ): SessionAnswer | undefined | Promise<SessionAnswer | undefined>;
}

/** Proofs of possession of a key (DPoP, RFC 9449). */
export interface ProofVerifier {
  verify(proof: ProofInput): ProofAnswer | Promise<ProofAnswer>;
}

export interface ProofInput {
  /** Of the request: it looks for its own field, and refuses two. */
  readonly fields: Fields;
  readonly method: string;
  /** What `htu` must name: the public origin of the listener and the path as received, without query and fragment. */
  readonly url: string;
  /** The access token that the proof must be for (`ath`); undefined at the token endpoint, where there is none yet. */
  readonly token: string | undefined;
  /** `cnf.jkt` of the token; undefined where the proof says which key it is. */
  readonly keyThumbprint: string | undefined;
  readonly nowMs: number;
}

export interface ProofAnswer {
  /** Undefined: proven. */
  readonly refused:
    | {
        readonly reason: Reason;
        readonly detail: string;
        /** Whether a signature check was spent on it: then it counts against the caller's budget. */
        readonly costly: boolean;
      }
    | undefined;
  /** Fields that go out with the answer (`dpop-nonce`); name, value, name, value, … */
  readonly answerFields: Fields;
  /** Of the key that was proven, where none was asked for. */
  readonly keyThumbprint?: string | undefined;
}
