/** What the gate is told of a caller's certificate. Absent on connections that owe none. */
import type { Reason } from "./reason.ts";

/** A client certificate that led to a trusted authority. */
export interface PeerCertificate {
  /** RFC 4514 text. */
  readonly subject: string;
  readonly issuer: string;
  /** Lower-case hex. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** base64url SHA-256 of the certificate, as `x5t#S256` (RFC 8705). */
  readonly thumbprint: string;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly emails: readonly string[];
  /** Its one URI where that is a SPIFFE ID; a certificate with two URIs is no SPIFFE identity. */
  readonly spiffeId: string | undefined;
}

/** Verified once for a connection; asked on every request. */
export interface PeerTls {
  /** Undefined: none was presented, or it led to no trusted authority. */
  readonly certificate: PeerCertificate | undefined;
  /** Of what was presented; undefined where nothing was. */
  readonly thumbprint: string | undefined;
  /**
   * DER of what was presented, its own certificate first; empty where nothing was. For those who verify
   * it again by rules of their own, and only while `certificate` is there.
   */
  readonly presented: readonly Uint8Array[];
  /** Why a request on this connection must be refused now; undefined when nothing is wrong. */
  refusal(nowMs: number): Reason | undefined;
  /** For the operator: more about the last refusal. */
  readonly detail: string | undefined;
}
