/**
 * Compact JWS (RFC 7515 section 7.1), signed. Reading and verifying them is `jws.ts`.
 *
 * Every one has a `typ` (RFC 8725 section 3.11): what was signed as one kind of thing is never taken
 * for another. Refuses a header member that would say something about the key other than `kid` and
 * `x5c`, and a payload that its own reader would refuse for its size.
 */
import type { JsonObject } from "../model/json.ts";
import type { Algorithm } from "./algorithms.ts";

/** What signs: a key of ours under its `kid`, or one that another issued to us and may know without. */
export interface JwsSigner {
  readonly algorithm: Algorithm;
  readonly kid: string | undefined;
  /** The raw signature of JWS (RFC 7515 appendix A; ES256 as r||s). */
  sign(bytes: Uint8Array): Buffer;
}

export interface JwsHeader {
  /** Without `application/`, as RFC 7515 section 4.1.9 recommends: `sallyport-feed+jws`. */
  readonly typ: string;
  /** The certificate of the key and those above it, DER in base64 (section 4.1.6); left out: none. */
  readonly x5c?: readonly string[] | undefined;
}

/** The token. A payload that is bytes is signed as it is. */
export function signJws(
  signer: JwsSigner,
  header: JwsHeader,
  payload: JsonObject | Uint8Array,
): string {
  const { typ, x5c } = header;
  const members = { alg: signer.algorithm, kid: signer.kid, typ, ...(x5c && { x5c }) };
  const bytes = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
  const input = `${encode(JSON.stringify(members))}.${encode(bytes)}`;
  return `${input}.${signer.sign(Buffer.from(input, "latin1")).toString("base64url")}`;
}

function encode(part: string | Uint8Array): string {
  return Buffer.from(part as string).toString("base64url");
}
