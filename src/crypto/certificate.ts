/**
 * One X.509 certificate, read once (RFC 5280). Ours and not the runtime's, since the two runtimes
 * print names in ways of their own, and a printed name can be made to look like another one.
 */
import { createHash, type KeyObject } from "node:crypto";
import {
  bitOf,
  type DerElement,
  DerReader,
  derFault,
  inside,
  oidText,
  optionalFlag,
  smallInteger,
  TAG,
  timeOf,
  wholeSequence,
} from "./der.ts";
import { publicKeyOf, type Signed, splitSigned } from "./x509-signature.ts";
import { nameText } from "./x509-name.ts";

const LIMITS = {
  /** Bytes of a certificate: with dozens of names they have some four thousand. */
  bytes: 64 * 1024,
} as const;

export interface Certificate {
  readonly der: Buffer;
  readonly signed: Signed;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  readonly subject: string;
  readonly issuer: string;
  /** The DER of the names: what is compared. */
  readonly subjectDer: Buffer;
  readonly issuerDer: Buffer;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Buffer;
  readonly key: KeyObject;
  /** base64url SHA-256 of the whole, as in `x5t#S256` (RFC 8705). */
  readonly thumbprint: string;
  readonly extensions: CertificateExtensions;
}

export interface CertificateExtensions {
  readonly authority: boolean;
  /** How many authorities may stand between this one and an end entity. */
  readonly pathLength: number | undefined;
  /** Undefined: the certificate does not say. */
  readonly signsHandshakes: boolean | undefined;
  readonly signsCertificates: boolean | undefined;
  readonly signsLists: boolean | undefined;
  readonly usages: readonly string[] | undefined;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly emails: readonly string[];
  /** Dotted or colon text. */
  readonly addresses: readonly string[];
  /** Whether it restricts by what nobody here enforces: name or policy constraints, or what is critical and unknown. */
  readonly asksMore: boolean;
}

export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const ANY_USAGE = "2.5.29.37.0";

/** Throws `certificate-invalid` for what is not one certificate in DER. */
export function parseCertificate(der: Buffer): Certificate {
  if (der.length > LIMITS.bytes) throw derFault("a certificate of more bytes than the limit");
  const signed = splitSigned(wholeSequence(der));
  const body = wholeSequence(signed.body);
  body.optional(0xa0);
  const serial = body
    .next(TAG.integer)
    .content.toString("hex")
    .replace(/^0+(?=.)/, "");
  body.next(TAG.sequence);
  const issuer = body.next(TAG.sequence);
  const validity = inside(body.next(TAG.sequence));
  const notBefore = timeOf(validity);
  const notAfter = timeOf(validity);
  const subject = body.next(TAG.sequence);
  const spki = body.next(TAG.sequence).bytes;
  body.optional(0x81);
  body.optional(0x82);
  const tagged = body.optional(0xa3);
  body.end();
  return {
    der,
    signed,
    serial,
    subject: nameText(subject),
    issuer: nameText(issuer),
    subjectDer: subject.bytes,
    issuerDer: issuer.bytes,
    notBefore,
    notAfter,
    spki,
    key: publicKeyOf(spki),
    thumbprint: createHash("sha256").update(der).digest("base64url"),
    extensions: readExtensions(extensionsOf(tagged)),
  };
}

/** By the bytes themselves, which nobody changes: a connection's certificates are asked for by several. */
const parsed = new WeakMap<Uint8Array, Certificate>();

/** The same as `parseCertificate`, once for each buffer. */
export function certificateIn(der: Uint8Array): Certificate {
  let certificate = parsed.get(der);
  if (certificate === undefined) {
    const whole = Buffer.isBuffer(der)
      ? der
      : Buffer.from(der.buffer, der.byteOffset, der.byteLength);
    certificate = parseCertificate(whole);
    parsed.set(der, certificate);
  }
  return certificate;
}

/** Whether it may be used for this; one that says nothing may be used for anything. */
export function allowsUsage({ extensions }: Certificate, usage: string): boolean {
  const { usages } = extensions;
  return usages === undefined || usages.includes(usage) || usages.includes(ANY_USAGE);
}

/** Extensions by their id: whether critical, and the value. One that stands twice is refused. */
export function extensionsOf(
  tagged: DerElement | undefined,
): ReadonlyMap<string, { readonly critical: boolean; readonly value: Buffer }> {
  const found = new Map<string, { readonly critical: boolean; readonly value: Buffer }>();
  if (tagged === undefined) return found;
  const list = wholeSequence(tagged.content);
  while (!list.done) {
    const extension = inside(list.next(TAG.sequence));
    const id = oidText(extension.next(TAG.oid));
    const critical = optionalFlag(extension);
    const value = extension.next(TAG.octetString).content;
    extension.end();
    if (found.has(id)) throw derFault("an extension that stands twice");
    found.set(id, { critical, value });
  }
  return found;
}

function readExtensions(
  found: ReadonlyMap<string, { readonly critical: boolean; readonly value: Buffer }>,
): CertificateExtensions {
  const value = (id: string): Buffer | undefined => found.get(id)?.value;
  const constraints = readConstraints(value("2.5.29.19"));
  const keyUsage = value("2.5.29.15");
  const bits = keyUsage === undefined ? undefined : new DerReader(keyUsage).next(TAG.bitString);
  return {
    ...constraints,
    signsHandshakes: bits === undefined ? undefined : bitOf(bits, 0),
    signsCertificates: bits === undefined ? undefined : bitOf(bits, 5),
    signsLists: bits === undefined ? undefined : bitOf(bits, 6),
    usages: readUsages(value("2.5.29.37")),
    ...readNames(value("2.5.29.17")),
    asksMore: [...found].some(
      ([id, { critical }]) => CONSTRAINTS.has(id) || (critical && !ENFORCED.has(id)),
    ),
  };
}

/** Name constraints, policy constraints (RFC 5280 sections 4.2.1.10 and 4.2.1.11). */
const CONSTRAINTS: ReadonlySet<string> = new Set(["2.5.29.30", "2.5.29.36"]);
/** Key usage, subject alternative name, basic constraints, extended key usage. */
const ENFORCED: ReadonlySet<string> = new Set(["2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37"]);

function readConstraints(
  value: Buffer | undefined,
): Pick<CertificateExtensions, "authority" | "pathLength"> {
  if (value === undefined) return { authority: false, pathLength: undefined };
  const parts = wholeSequence(value);
  const authority = optionalFlag(parts);
  const length = parts.optional(TAG.integer);
  parts.end();
  return { authority, pathLength: length === undefined ? undefined : smallInteger(length) };
}

function readUsages(value: Buffer | undefined): string[] | undefined {
  if (value === undefined) return undefined;
  const parts = wholeSequence(value);
  const usages: string[] = [];
  while (!parts.done) usages.push(oidText(parts.next(TAG.oid)));
  return usages;
}

/** RFC 5280 section 4.2.1.6; kinds of names that nobody here asks for are passed over. */
function readNames(
  value: Buffer | undefined,
): Pick<CertificateExtensions, "dnsNames" | "uris" | "emails" | "addresses"> {
  const [dnsNames, uris, emails, addresses]: string[][] = [[], [], [], []];
  const parts = value === undefined ? new DerReader(Buffer.alloc(0)) : wholeSequence(value);
  while (!parts.done) {
    const { tag, content } = parts.any();
    if (tag === 0x81) emails?.push(asciiText(content));
    else if (tag === 0x82) dnsNames?.push(asciiText(content).toLowerCase());
    else if (tag === 0x86) uris?.push(asciiText(content));
    else if (tag === 0x87) addresses?.push(addressText(content));
  }
  return {
    dnsNames: dnsNames ?? [],
    uris: uris ?? [],
    emails: emails ?? [],
    addresses: addresses ?? [],
  };
}

/** A name with a control character in it is a name that is meant to be read wrongly (CVE-2009-2408). */
function asciiText(content: Buffer): string {
  const text = content.toString("latin1");
  if (!/^[\x20-\x7e]*$/.test(text)) throw derFault("an alternative name with other than ASCII");
  return text;
}

function addressText(content: Buffer): string {
  if (content.length === 4) return content.join(".");
  if (content.length !== 16) throw derFault("an address of a wrong length");
  const groups = Array.from({ length: 8 }, (_, index) => content.readUInt16BE(index * 2));
  return groups.map((group) => group.toString(16)).join(":");
}
