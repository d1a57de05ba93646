/**
 * What every way to know a caller has in common. Each is one file in this folder: options checked and
 * compiled once, then one verb. Which of them is asked about a credential is told by the credential
 * alone, never by trying (design section 5, rule 3).
 */
import type { UnverifiedJws } from "../crypto/jws.ts";
import type { Verified } from "../model/facts.ts";
import type { CertificateVerifier, SessionVerifier } from "../model/verifiers.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";
import type { KeySetFigures } from "./key-set/key-set.ts";
import type { LoginAuthenticator } from "./provider/login-authenticator.ts";
import type { TrustBundleSource } from "./spiffe/trust-bundle-source.ts";

interface Named {
  readonly name: string;
  /** base64url SHA-256 of its name and options: under it its facts are cached. */
  readonly configHash: string;
  /** What its principals can be, for the schema of policies. */
  readonly vocabulary: VocabularyAuthenticator;
  /** Fetches what it needs, and keeps that current from then on. Resolves after the first try; never rejects. */
  start(): Promise<void>;
  /** How the keys of its issuer do; undefined where it has none. */
  keys(): KeySetFigures | undefined;
  /** Stops fetching. What it verified is valid no more, unless its keys are shared in a pool. */
  close(): void;
}

/** Which tokens are an authenticator's own. */
export type Takes =
  /** Signed tokens with exactly this `iss`. */
  | { readonly by: "issuer"; readonly issuer: string }
  /** Signed tokens without a known `iss` whose `sub` is a SPIFFE ID of this trust domain. */
  | { readonly by: "trust-domain"; readonly trustDomain: string }
  /** Tokens that begin so. */
  | { readonly by: "prefix"; readonly prefix: string }
  /** What no other takes: opaque tokens, and signed ones of `issuer` where that is given. One on a route. */
  | { readonly by: "rest"; readonly issuer: string | undefined };

export interface PresentedToken {
  readonly token: string;
  /** As it was read; undefined where it is no compact JWS of JSON objects. */
  readonly jws: UnverifiedJws | undefined;
  /** base64url SHA-256 of the token. */
  readonly credentialHash: string;
}

/** A way to know a caller by what its Authorization field carries. */
export interface TokenAuthenticator extends Named {
  readonly proves: "token";
  readonly takes: Takes;
  /** A promise only where something is fetched; never throws or rejects. */
  verify(presented: PresentedToken): Verified | Promise<Verified>;
  /** Field in which its credentials may come instead of Authorization (lower-case); undefined: none. */
  readonly field?: string | undefined;
}

/** … by the certificate of its connection. */
export interface CertificateAuthenticator extends Named, CertificateVerifier {
  readonly proves: "certificate";
  /** Those of its own that certificates lead to, by which listeners can verify callers; undefined: none. */
  readonly authorities?: TrustBundleSource | undefined;
}

/** … by the cookie of a browser session. */
export interface SessionAuthenticator extends Named, SessionVerifier {
  readonly proves: "session";
  /** How its sessions are begun and ended. */
  readonly login: LoginAuthenticator;
}

export type Authenticator = TokenAuthenticator | CertificateAuthenticator | SessionAuthenticator;
