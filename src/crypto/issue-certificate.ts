/**
 * Writes and signs X.509 v3 certificates (RFC 5280) for the authority's own small CA: a root, and
 * what machines are known by. `certificate.ts` reads them back.
 *
 * Refuses (SallyportError `certificate-invalid`) names that could be read as other names: control
 * characters, a wildcard, a DNS name or address that is none; and keys that are too weak or of a
 * kind that some TLS client does not take. Signs with ECDSA on P-256 or with Ed25519.
 */
import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";
import { CLIENT_AUTH, SERVER_AUTH } from "./certificate.ts";
import { addressBytes } from "./address-bytes.ts";
import { DerReader, derFault, inside, TAG } from "./der.ts";
import {
  bitString,
  der,
  explicit,
  integer,
  isTrue,
  namedBits,
  octetString,
  oid,
  sequence,
  set,
  time,
  utf8String,
} from "./der-writer.ts";

/** Signing JWS (RFC 9509 section 3, id-kp-jwt): the key of the feed, and no TLS end. */
export const JWS_SIGNING = "1.3.6.1.5.5.7.3.37";

/** What a certificate of ours may be good for. */
export const CERTIFICATE_USAGES = {
  client: CLIENT_AUTH,
  server: SERVER_AUTH,
  feed: JWS_SIGNING,
} as const;
export type CertificateUsage = keyof typeof CERTIFICATE_USAGES;

const LIMITS = {
  /** RFC 5280 appendix A.1, ub-common-name: longer ones are refused by OpenSSL and Java. */
  commonName: 64,
  /** Of alternative names: the certificate travels in every handshake. */
  names: 100,
  uriChars: 2048,
  /** RFC 5280 section 4.1.2.2 wants unpredictable serials of at most 20 octets; 16 leave 126 random bits. */
  serialBytes: 16,
  /** NIST SP 800-131A. */
  minRsaBits: 2048,
  maxRsaBits: 8192,
} as const;

/** Whose signature a certificate gets. */
export interface CertificateIssuer {
  readonly commonName: string;
  readonly privateKey: KeyObject;
}

export interface CertificateContent {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  /** Milliseconds since the epoch; whole seconds are written, rounded down. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** A CA: how many CAs may stand below it. Left out: an end entity. */
  readonly authority?: { readonly pathLength: number } | undefined;
  readonly usages?: readonly CertificateUsage[] | undefined;
  readonly uris?: readonly string[] | undefined;
  readonly dnsNames?: readonly string[] | undefined;
  readonly ipAddresses?: readonly string[] | undefined;
}

export interface IssuedCertificate {
  readonly der: Buffer;
  readonly pem: string;
  /** Lower-case hex, as `parseCertificate` gives it. */
  readonly serial: string;
}

export function issueCertificate(
  content: CertificateContent,
  issuer: CertificateIssuer,
): IssuedCertificate {
  checkKey(content.publicKey);
  if (!(content.notBeforeMs < content.notAfterMs)) throw derFault("a validity that never begins");
  const serial = randomSerial();
  const algorithm = signatureAlgorithm(issuer.privateKey);
  const spki = spkiOf(content.publicKey);
  const body = sequence(
    explicit(0, integer(2)),
    integer(serial),
    algorithm.identifier,
    nameOf(issuer.commonName),
    sequence(time(content.notBeforeMs), time(content.notAfterMs)),
    nameOf(content.commonName),
    spki,
    explicit(
      3,
      sequence(...extensionsOf(content, spki, spkiOf(createPublicKey(issuer.privateKey)))),
    ),
  );
  const signature = sign(algorithm.digest, body, issuer.privateKey);
  const bytes = sequence(body, algorithm.identifier, bitString(signature));
  return { der: bytes, pem: pemText("CERTIFICATE", bytes), serial: serial.toString("hex") };
}

/** `-----BEGIN label-----`, lines of 64 characters (RFC 7468 section 2). */
export function pemText(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** Positive, and without a zero in front: every reader prints it alike. */
function randomSerial(): Buffer {
  const bytes = randomBytes(LIMITS.serialBytes);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

interface SignatureAlgorithm {
  readonly identifier: Buffer;
  readonly digest: string | null;
}

/** RFC 5758 section 3.2 and RFC 8410 section 3: both without parameters. */
function signatureAlgorithm(key: KeyObject): SignatureAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ed25519") return { identifier: sequence(oid("1.3.101.112")), digest: null };
  if (type === "ec" && details?.namedCurve === "prime256v1") {
    return { identifier: sequence(oid("1.2.840.10045.4.3.2")), digest: "sha256" };
  }
  throw derFault("a CA signs with P-256 or Ed25519");
}

/** Keys of whoever is certified: such as TLS 1.3 clients take (RFC 8446 section 9.1), and Ed25519. */
function checkKey(key: KeyObject): void {
  const { type, asymmetricKeyType, asymmetricKeyDetails: details } = key;
  if (type !== "public") throw derFault("only a public key is certified");
  const curve = details?.namedCurve;
  const bits = details?.modulusLength ?? 0;
  const fits =
    asymmetricKeyType === "ed25519" ||
    (asymmetricKeyType === "ec" && (curve === "prime256v1" || curve === "secp384r1")) ||
    (asymmetricKeyType === "rsa" && bits >= LIMITS.minRsaBits && bits <= LIMITS.maxRsaBits);
  if (!fits) {
    throw derFault("a certified key is P-256, P-384, Ed25519, or RSA with 2048 to 8192 bits");
  }
}

function nameOf(commonName: string): Buffer {
  const characters = Array.from(commonName).length;
  if (characters < 1 || characters > LIMITS.commonName || /[\p{C}\p{Zl}\p{Zp}]/u.test(commonName)) {
    throw derFault(
      `a common name has 1 to ${LIMITS.commonName} characters, none of them a control`,
    );
  }
  return sequence(set(sequence(oid("2.5.4.3"), utf8String(commonName))));
}

/** Section 4.2: basic constraints and key usage are critical, since who does not know them would take a machine for a CA. */
function extensionsOf(content: CertificateContent, own: Buffer, issuers: Buffer): Buffer[] {
  const { authority, usages = [] } = content;
  const constraints =
    authority === undefined ? sequence() : sequence(isTrue(), integer(authority.pathLength));
  // Section 4.2.1.3: digitalSignature; of a CA keyCertSign and cRLSign.
  const keyUsage = namedBits(authority === undefined ? [0] : [5, 6]);
  const made = [
    extension("2.5.29.19", { critical: true }, constraints),
    extension("2.5.29.15", { critical: true }, keyUsage),
    extension("2.5.29.14", { critical: false }, octetString(keyId(own))),
    extension("2.5.29.35", { critical: false }, sequence(der(0x80, keyId(issuers)))),
  ];
  if (usages.length > 0) {
    const ids = [...new Set(usages)].map((usage) => oid(CERTIFICATE_USAGES[usage]));
    made.push(extension("2.5.29.37", { critical: false }, sequence(...ids)));
  }
  const names = alternativeNames(content);
  if (names.length > 0) made.push(extension("2.5.29.17", { critical: false }, sequence(...names)));
  return made;
}

function extension(
  id: string,
  { critical }: { readonly critical: boolean },
  value: Buffer,
): Buffer {
  return sequence(oid(id), ...(critical ? [isTrue()] : []), octetString(value));
}

/** RFC 7093 section 2, method 1: as RFC 5280 section 4.2.1.2, with SHA-256 in the place of SHA-1. */
function keyId(spki: Buffer): Buffer {
  const parts = inside(new DerReader(spki).next(TAG.sequence));
  parts.next(TAG.sequence);
  const bits = parts.next(TAG.bitString).content.subarray(1);
  return createHash("sha256").update(bits).digest().subarray(0, 20);
}

/** Section 4.2.1.6. */
function alternativeNames(content: CertificateContent): Buffer[] {
  const { uris = [], dnsNames = [], ipAddresses = [] } = content;
  if (uris.length + dnsNames.length + ipAddresses.length > LIMITS.names) {
    throw derFault(`a certificate has at most ${LIMITS.names} names`);
  }
  return [
    ...uris.map((uri) => der(0x86, ascii(checkUri(uri)))),
    ...dnsNames.map((name) => der(0x82, ascii(checkDnsName(name)))),
    ...ipAddresses.map((address) => der(0x87, checkAddress(address))),
  ];
}

function checkUri(uri: string): string {
  const printable = /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(uri);
  if (!printable || uri.length > LIMITS.uriChars || !URL.canParse(uri)) {
    throw derFault("an alternative name that is no absolute URI");
  }
  return uri;
}

/** RFC 1034 section 3.5, and the underscore that DNS has got used to. No wildcard: a certificate is one machine's. */
const DNS_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

function checkDnsName(name: string): string {
  // RFC 6125 section 6.4: an address is no DNS name, though some clients would take it for one.
  if (!DNS_NAME.test(name) || isIPv4(name))
    throw derFault("an alternative name that is no DNS name");
  return name.toLowerCase();
}

function checkAddress(address: string): Buffer {
  const bytes = addressBytes(address);
  if (bytes === undefined) throw derFault("an alternative name that is no IP address");
  return bytes;
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

function ascii(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
