/**
 * Certificates and revocation lists for tests and examples, made on the spot (RFC 5280), so that no
 * key lies in the repository and nothing expires. ECDSA on P-256 only.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** Wide, so that a test says what it is about. */
const FROM = new Date(Date.UTC(2020, 0, 1));
const UNTIL = new Date(Date.UTC(2120, 0, 1));

export interface CertificateOptions {
  readonly name: string;
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
  readonly email?: readonly string[];
  /** Parts of the subject before the common name, as `[OID, value]`: the last one reads first in RFC 4514. */
  readonly within?: readonly (readonly [string, string])[];
  /** Octets of the key usage; as the kind of certificate needs them when left out, none with null. */
  readonly keyUsage?: readonly number[] | null;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** An authority: may sign others. */
  readonly authority?: boolean;
  /** Certificates of authority that may follow below; without a limit when left out. */
  readonly pathLength?: number;
  /** Extended key usages, as `OID`s; both server and client when left out, none with `[]`. */
  readonly usages?: readonly string[];
  readonly serial?: Buffer;
  /** DER of further extensions. */
  readonly extensions?: readonly Buffer[];
  /** Another key than a fresh one. */
  readonly keys?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

export interface CrlOptions {
  readonly revoked?: readonly TestCertificate[];
  readonly thisUpdate?: Date;
  /** Null leaves it out. */
  readonly nextUpdate?: Date | null;
  readonly number?: number;
  /** DER of further extensions. */
  readonly extensions?: readonly Buffer[];
}

export const OID = {
  organization: "2.5.4.10",
  unit: "2.5.4.11",
  commonName: "2.5.4.3",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** A certificate with its key, and what it can sign where it is an authority. */
export class TestCertificate {
  readonly name: string;
  readonly within: CertificateOptions["within"];
  readonly der: Buffer;
  readonly serial: Buffer;
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly issuer: TestCertificate | undefined;

  /** Signed by `issuer`; by itself when there is none. */
  constructor(options: CertificateOptions, issuer?: TestCertificate) {
    this.name = options.name;
    this.within = options.within;
    this.issuer = issuer;
    this.keys = options.keys ?? generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.serial = options.serial ?? Buffer.concat([Buffer.from([0x51]), randomBytes(15)]);
    const signer = issuer ?? this;
    this.der = signed(tbsCertificate(this, options, signer), signer);
  }

  get pem(): string {
    return pemOf("CERTIFICATE", this.der);
  }

  /** base64url SHA-256. */
  get thumbprint(): string {
    return createHash("sha256").update(this.der).digest("base64url");
  }

  get keyPem(): string {
    return this.keys.privateKey.export({ type: "pkcs8", format: "pem" });
  }

  /** This certificate and those above it, without the root. */
  get chainPem(): string {
    const { issuer } = this;
    return issuer?.issuer === undefined ? this.pem : this.pem + issuer.chainPem;
  }

  issue(options: CertificateOptions): TestCertificate {
    return new TestCertificate(options, this);
  }

  crlDer(options: CrlOptions = {}): Buffer {
    return signed(tbsCrl(this, options), this);
  }

  crl(options: CrlOptions = {}): string {
    return pemOf("X509 CRL", this.crlDer(options));
  }
}

/** A self-signed root. */
export function createRoot(
  name: string,
  options: Partial<CertificateOptions> = {},
): TestCertificate {
  return new TestCertificate({ name, authority: true, ...options });
}

export function pemOf(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

// DER (X.690)

export function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), derLength(content.length), content]);
}

function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >> 8, length & 0xff]);
}

export const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);

function integer(value: Buffer | number): Buffer {
  const bytes = typeof value === "number" ? Buffer.from([value]) : value;
  return der(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left & 0x7f) | 0x80);
    }
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

function time(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d{3}/g, "");
  // RFC 5280 section 4.1.2.5: UTCTime through 2049.
  return date.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(text.slice(2), "ascii"))
    : der(0x18, Buffer.from(text, "ascii"));
}

function nameOf({ name, within = [] }: Pick<TestCertificate, "name" | "within">): Buffer {
  const parts = [...within, [OID.commonName, name] as const];
  return sequence(
    ...parts.map(([id, value]) =>
      der(0x31, sequence(oid(id), der(0x0c, Buffer.from(value, "utf8")))),
    ),
  );
}

export function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...flag, der(0x04, value));
}

const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));

function signed(tbs: Buffer, signer: TestCertificate): Buffer {
  const signature = sign("sha256", tbs, signer.keys.privateKey);
  return sequence(tbs, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature));
}

function keyId({ keys }: TestCertificate): Buffer {
  const spki = keys.publicKey.export({ type: "spki", format: "der" });
  return createHash("sha1").update(spki).digest();
}

function tbsCertificate(
  { name, within, serial, keys }: TestCertificate,
  options: CertificateOptions,
  signer: TestCertificate,
): Buffer {
  const { notBefore = FROM, notAfter = UNTIL } = options;
  return sequence(
    der(0xa0, integer(2)),
    integer(serial),
    ECDSA_SHA256,
    nameOf(signer),
    sequence(time(notBefore), time(notAfter)),
    nameOf({ name, within }),
    keys.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions(options, keyId({ keys } as TestCertificate), keyId(signer)))),
  );
}

function extensions(options: CertificateOptions, own: Buffer, signers: Buffer): Buffer[] {
  const { authority = false, pathLength } = options;
  const constraints = authority
    ? [der(0x01, Buffer.from([0xff])), ...(pathLength === undefined ? [] : [integer(pathLength)])]
    : [];
  const { keyUsage = authority ? [1, 0x06] : [7, 0x80] } = options;
  const made = [
    extension("2.5.29.19", true, sequence(...constraints)),
    ...(keyUsage === null ? [] : [extension("2.5.29.15", true, der(0x03, Buffer.from(keyUsage)))]),
    extension("2.5.29.14", false, der(0x04, own)),
    extension("2.5.29.35", false, sequence(der(0x80, signers))),
  ];
  const usages = options.usages ?? (authority ? [] : [OID.serverAuth, OID.clientAuth]);
  if (usages.length > 0) made.push(extension("2.5.29.37", false, sequence(...usages.map(oid))));
  const names = [
    ...(options.dns ?? []).map((name) => der(0x82, Buffer.from(name, "ascii"))),
    ...(options.uri ?? []).map((name) => der(0x86, Buffer.from(name, "ascii"))),
    ...(options.email ?? []).map((name) => der(0x81, Buffer.from(name, "ascii"))),
    ...(options.ip ?? []).map((ip) => der(0x87, Buffer.from(ip.split(".").map(Number)))),
  ];
  if (names.length > 0) made.push(extension("2.5.29.17", false, sequence(...names)));
  made.push(...(options.extensions ?? []));
  return made;
}

function tbsCrl(signer: TestCertificate, options: CrlOptions): Buffer {
  const { revoked = [], thisUpdate = FROM, nextUpdate = UNTIL, number = 1 } = options;
  const entries = revoked.map(({ serial }) => sequence(integer(serial), time(thisUpdate)));
  return sequence(
    integer(1),
    ECDSA_SHA256,
    nameOf(signer),
    time(thisUpdate),
    ...(nextUpdate === null ? [] : [time(nextUpdate)]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    der(
      0xa0,
      sequence(
        extension("2.5.29.35", false, sequence(der(0x80, keyId(signer)))),
        extension("2.5.29.20", false, integer(number)),
        ...(options.extensions ?? []),
      ),
    ),
  );
}
