/**
 * What speaks for a trust domain: the authorities of its X.509-SVIDs and the keys of its JWT-SVIDs, from
 * a SPIFFE bundle (SPIFFE Trust Domain and Bundle, section 4) or from PEM.
 *
 * A bundle with one member that is not as the specification says is refused whole: what is left of it
 * would be somebody's guess at what was meant. Members of uses that are not known are passed over, as
 * section 4.2.2 says. An empty list is a bundle too: its trust domain has taken all its keys back.
 */
import { type Certificate, parseCertificate } from "../../crypto/certificate.ts";
import { readKeySet, type VerificationKey } from "../../crypto/jwk.ts";
import { pemBlocks, pemLabels } from "../../crypto/pem.ts";
import { parseSpiffeId } from "../../crypto/spiffe-id.ts";
import { SallyportError } from "../../model/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseJsonBytes } from "../../model/json.ts";

/** The halves of a bundle. */
export type BundlePart = "x509-bundles" | "jwt-bundles";

/** Frozen; another content is another reference. */
export interface TrustBundle {
  readonly trustDomain: string;
  readonly x509: readonly Certificate[];
  /** By `kid`, which each of them has (section 4.2.2.2). */
  readonly jwt: ReadonlyMap<string, VerificationKey>;
  /** `spiffe_sequence`, which only grows; undefined where the bundle does not say. */
  readonly sequence: number | undefined;
  /** `spiffe_refresh_hint`, after which to look for another one. */
  readonly refreshHintSeconds: number | undefined;
}

export const TRUST_BUNDLE_LIMITS = {
  /** Bytes of a document. A bundle with twenty authorities and as many keys has some 40 KB. */
  bytes: 512 * 1024,
  /** Members of a bundle: each is parsed, and each path to an authority is looked for among all. */
  keys: 100,
} as const;

/**
 * JSON where it begins like an object, else PEM, which holds no keys of JWT-SVIDs: `part` says what it is for.
 * Throws SallyportError `certificate-invalid` or `key-invalid`.
 */
export function readTrustBundle(
  bytes: Uint8Array,
  trustDomain: string,
  part: BundlePart = "x509-bundles",
): TrustBundle {
  if (bytes.length > TRUST_BUNDLE_LIMITS.bytes) {
    throw invalid(`a trust bundle of more than ${TRUST_BUNDLE_LIMITS.bytes} bytes`);
  }
  const text = Buffer.from(bytes).toString("latin1");
  if (!/^\s*\{/.test(text)) {
    if (part === "jwt-bundles") {
      throw invalid("no SPIFFE bundle (JSON), and nothing else holds keys of JWT-SVIDs");
    }
    return readPemBundle(text, trustDomain);
  }
  let document: JsonValue;
  try {
    document = parseJsonBytes(bytes);
  } catch (cause) {
    throw new SallyportError("certificate-invalid", "the trust bundle is not strict JSON", {
      cause,
    });
  }
  return readBundleDocument(document, trustDomain);
}

/** The authorities that PEM has; none is a mistake there, as nobody takes keys back by an empty file. */
function readPemBundle(text: string, trustDomain: string): TrustBundle {
  const blocks = pemBlocks(text, "CERTIFICATE");
  if (blocks.length === 0) {
    const held = pemLabels(text).map((label) => label.toLowerCase());
    const instead = held.length === 0 ? "" : ` but ${held.join(", ")}`;
    throw invalid(`no SPIFFE bundle, and no certificate in PEM${instead}`);
  }
  // What is between the marks and is no certificate may be one that was meant to count.
  if (text.split("-----BEGIN CERTIFICATE-----").length - 1 !== blocks.length) {
    throw invalid("a certificate in PEM that is cut short or damaged");
  }
  if (blocks.length > TRUST_BUNDLE_LIMITS.keys) throw tooMany();
  return createTrustBundle({
    trustDomain,
    x509: blocks.map((der) => authorityOf(der)),
    jwt: new Map(),
  });
}

/** Reads a bundle that is parsed already. */
export function readBundleDocument(document: JsonValue, trustDomain: string): TrustBundle {
  if (!isJsonObject(document)) throw invalid("a SPIFFE bundle is a JSON object");
  const members = document["keys"];
  if (!Array.isArray(members)) throw invalid("a SPIFFE bundle has a list `keys`");
  if (members.length > TRUST_BUNDLE_LIMITS.keys) throw tooMany();
  const x509: Certificate[] = [];
  const jwt = new Map<string, VerificationKey>();
  for (const [index, member] of (members as JsonValue[]).entries()) {
    if (!isJsonObject(member)) throw invalid(`keys[${index}] is not an object`);
    if (member["use"] === "x509-svid") x509.push(authorityIn(member, index));
    if (member["use"] === "jwt-svid") {
      const key = keyIn(member, index);
      if (jwt.has(key.kid)) throw invalid(`keys[${index}]: a kid that stands twice`);
      jwt.set(key.kid, key);
    }
  }
  return createTrustBundle({
    trustDomain,
    x509,
    jwt,
    sequence: wholeNumber(document, "spiffe_sequence"),
    refreshHintSeconds: wholeNumber(document, "spiffe_refresh_hint"),
  });
}

/** A bundle of parts that are checked: for those who have them from elsewhere than a document. */
export function createTrustBundle(
  parts: Omit<TrustBundle, "sequence" | "refreshHintSeconds"> & Partial<TrustBundle>,
): TrustBundle {
  for (const authority of parts.x509) refuseForeign(authority);
  return Object.freeze({
    sequence: undefined,
    refreshHintSeconds: undefined,
    ...parts,
    x509: Object.freeze([...parts.x509]),
  });
}

/** Whether both say the same, whatever their numbers: then what was verified by one stands. */
export function sameAuthorities(one: TrustBundle, other: TrustBundle): boolean {
  return fingerprint(one) === fingerprint(other);
}

function fingerprint({ x509, jwt }: TrustBundle): string {
  const authorities = x509.map(({ thumbprint }) => thumbprint).toSorted();
  const keys = [...jwt]
    .map(([kid, { thumbprint, algorithms }]) => JSON.stringify([kid, thumbprint, ...algorithms]))
    .toSorted();
  return JSON.stringify([authorities, keys]);
}

/** Section 4.2.2.1: exactly one certificate stands in `x5c`, as base64 and not base64url. */
function authorityIn(member: JsonObject, index: number): Certificate {
  const chain = member["x5c"];
  const [text, ...more] = Array.isArray(chain) ? (chain as JsonValue[]) : [];
  if (typeof text !== "string" || more.length > 0) {
    throw invalid(`keys[${index}]: x5c has to hold exactly one certificate`);
  }
  const der = Buffer.from(text, "base64");
  if (der.toString("base64") !== text) throw invalid(`keys[${index}]: x5c is not base64`);
  return authorityOf(der, `keys[${index}]`);
}

function authorityOf(der: Buffer, place?: string): Certificate {
  let certificate: Certificate;
  try {
    certificate = parseCertificate(der);
  } catch (error) {
    if (!(error instanceof SallyportError) || place === undefined) throw error;
    throw invalid(`${place}: ${error.message}`);
  }
  const { subject, extensions } = certificate;
  // The very certificates of a bundle are trusted: an end entity in it would vouch for itself.
  if (!extensions.authority) throw invalid(`the certificate of ${subject} is no authority`);
  return certificate;
}

/** X.509-SVID section 3.2: the ID of an authority has no path. */
function refuseForeign({ subject, extensions }: Certificate): void {
  for (const uri of extensions.uris) {
    if (uri.startsWith("spiffe:") && parseSpiffeId(uri)?.path !== "") {
      throw invalid(`the certificate of ${subject} has a SPIFFE ID that is no trust domain's`);
    }
  }
}

function keyIn(member: JsonObject, index: number): VerificationKey & { readonly kid: string } {
  // Its own use is what it is in this list for; to a reader of key sets it would be an unknown one.
  const { use: _, ...jwk } = member;
  const { kid } = jwk;
  if (typeof kid !== "string" || kid === "") throw invalid(`keys[${index}] has no kid`);
  const { keys, skipped } = readKeySet({ keys: [jwk] });
  const [key] = keys;
  if (key === undefined) throw invalid(`keys[${index}]: ${skipped.join()}`);
  return { ...key, kid };
}

function wholeNumber(document: JsonObject, name: string): number | undefined {
  const value = document[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw invalid(`${name} is not a whole number`);
  }
  return value;
}

function tooMany(): SallyportError {
  return invalid(`a trust bundle has at most ${TRUST_BUNDLE_LIMITS.keys} keys`);
}

function invalid(message: string): SallyportError {
  return new SallyportError("certificate-invalid", message);
}
