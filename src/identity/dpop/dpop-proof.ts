/**
 * A DPoP proof as text (RFC 9449 section 4.2): the one field that carries it, and what it says. Nothing
 * in it is verified here, and nothing of its header is looked at.
 *
 * Refuses two fields, what is no compact JWS of strict JSON, and claims that are absent or of another
 * type than the RFC says.
 */
import { decodeBase64url } from "../../crypto/base64url.ts";
import type { Fields } from "../../model/http.ts";
import type { JsonObject } from "../../model/json.ts";
import { readObject } from "./dpop-keys.ts";
import { invalidProof as invalid, ProofFault } from "./proof-fault.ts";

const LIMITS = {
  /** A proof by an RSA key of 8192 bits has some 5 000 characters, one by P-256 some 500. */
  chars: 8192,
  /** `jti` is a random value of 96 bits or a UUID (section 4.2); longer ones would only fill memory. */
  jtiChars: 256,
  nonceChars: 256,
} as const;

export interface UnverifiedProof {
  /** As sent. */
  readonly header: string;
  readonly signingInput: Buffer;
  readonly signature: Buffer;
  readonly claims: ProofClaims;
}

/** Times in seconds since the epoch. */
export interface ProofClaims {
  readonly jti: string;
  readonly htm: string;
  readonly htu: string;
  readonly iat: number;
  /** Absent at a token endpoint, where there is no token yet. */
  readonly ath: string | undefined;
  readonly nonce: string | undefined;
  /** RFC 9449 knows neither; whoever says so of a proof means it (RFC 7519 sections 4.1.4, 4.1.5). */
  readonly exp: number | undefined;
  readonly nbf: number | undefined;
}

/** The proof of a request. Looks through the fields once and makes no list of them. */
export function readProof(fields: Fields): UnverifiedProof | ProofFault {
  let text: string | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] !== "dpop") continue;
    // Section 4.3, check 1: whoever reads the other one sees another proof.
    if (text !== undefined) return invalid("more than one DPoP field");
    text = fields[index + 1] ?? "";
  }
  return text === undefined ? ABSENT : readText(text);
}

const ABSENT = new ProofFault("missing-proof", "no DPoP field");

function readText(text: string): UnverifiedProof | ProofFault {
  if (text.length > LIMITS.chars) return invalid(`longer than ${LIMITS.chars} characters`);
  const headerEnd = text.indexOf(".");
  const payloadEnd = text.indexOf(".", headerEnd + 1);
  if (headerEnd < 1 || payloadEnd < 0 || text.includes(".", payloadEnd + 1)) {
    return invalid("not three parts divided by dots");
  }
  const payload = readObject(text.slice(headerEnd + 1, payloadEnd), "payload");
  if (payload instanceof ProofFault) return payload;
  const claims = readClaims(payload);
  if (claims instanceof ProofFault) return claims;
  const signature = decodeBase64url(text.slice(payloadEnd + 1));
  if (signature === undefined) return invalid("the signature is not canonical base64url");
  return {
    header: text.slice(0, headerEnd),
    signingInput: Buffer.from(text.slice(0, payloadEnd), "latin1"),
    signature,
    claims,
  };
}

/** Section 4.3, check 3. */
function readClaims(payload: JsonObject): ProofClaims | ProofFault {
  const { jti, htm, htu, iat, ath, nonce, exp, nbf } = payload;
  if (typeof jti !== "string" || jti === "" || jti.length > LIMITS.jtiChars) {
    return invalid(`jti is not a text of at most ${LIMITS.jtiChars} characters`);
  }
  if (typeof htm !== "string") return invalid("htm is absent or not a text");
  if (typeof htu !== "string") return invalid("htu is absent or not a text");
  if (typeof iat !== "number") return invalid("iat is absent or not a number");
  if (ath !== undefined && typeof ath !== "string") return invalid("ath is absent or not a text");
  if (nonce !== undefined && (typeof nonce !== "string" || nonce.length > LIMITS.nonceChars)) {
    return invalid(`nonce is not a text of at most ${LIMITS.nonceChars} characters`);
  }
  if (exp !== undefined && typeof exp !== "number") return invalid("exp is not a number");
  if (nbf !== undefined && typeof nbf !== "number") return invalid("nbf is not a number");
  return { jti, htm, htu, iat, ath, nonce, exp, nbf };
}
