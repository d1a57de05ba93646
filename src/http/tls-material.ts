/**
 * Certificates, keys and revocation lists as files → checked values. Errors say which file and what
 * is wrong with it, and hold nothing of a key.
 */
import { createPrivateKey, createPublicKey } from "node:crypto";
import { type Certificate, parseCertificate } from "../crypto/certificate.ts";
import type { Trust } from "../crypto/certificate-chain.ts";
import { pemBlocks, pemLabels } from "../crypto/pem.ts";
import { readRevocationLists, type RevocationList } from "../crypto/revocation-list.ts";
import type { WorkloadSvid } from "../identity/spiffe/workload-source.ts";
import { SallyportError } from "../model/errors.ts";
import type { PairFiles } from "./tls-options.ts";

const LIMITS = {
  /** Bytes of a file of certificates or keys. All the public web's authorities have 250 KB. */
  pem: 4 * 1024 * 1024,
  /** Bytes of a file of revocation lists: some 400 000 entries, which are read in half a second. */
  crl: 16 * 1024 * 1024,
} as const;

/** Reads a file as it is named in the options. Throws what the file system throws. */
export type ReadFile = (file: string) => Uint8Array;

/** A certificate with its chain and key. */
export interface ServerPair {
  readonly leaf: Certificate;
  /** PEM, as the runtime takes them. */
  readonly certificatePem: string;
  readonly keyPem: string;
}

export function readPair({ certificate, key }: PairFiles, read: ReadFile): ServerPair {
  const { text: certificatePem, certificates } = readCertificates(certificate, read);
  const [leaf] = certificates;
  if (leaf === undefined) throw fault(certificate, "it holds no certificate");
  // Forward secrecy rests on a signature. Bun refuses such a certificate, Node its every handshake.
  if (leaf.extensions.signsHandshakes === false) {
    throw fault(certificate, "its key usage has no digitalSignature, which TLS needs");
  }
  const keyPem = textOf(key, read);
  if (!publicPart(key, keyPem).equals(leaf.spki)) {
    throw fault(key, `it is not the key of the certificate in ${certificate}`);
  }
  return { leaf, certificatePem, keyPem };
}

/** The same of what the Workload API has brought, which is verified already. */
export function pairOfSvid({ certificatePem, keyPem }: WorkloadSvid): ServerPair {
  const [leaf] = pemBlocks(certificatePem, "CERTIFICATE");
  if (leaf === undefined) throw new TypeError("an SVID without a certificate");
  return { leaf: parseCertificate(leaf), certificatePem, keyPem };
}

export interface TrustFiles {
  readonly ca: string;
  readonly crl?: string | undefined;
}

/** The authorities and, where there is a file of them, revocation lists. */
export function readTrust(
  { ca, crl }: TrustFiles,
  read: ReadFile,
): Trust & { readonly caPem: string } {
  const { text: caPem, certificates: anchors } = readCertificates(ca, read);
  for (const { subject, extensions } of anchors) {
    if (!extensions.authority) {
      throw fault(ca, `the certificate of ${subject} is not that of an authority`);
    }
  }
  return { caPem, anchors, lists: crl === undefined ? undefined : readLists(crl, read) };
}

function readLists(file: string, read: ReadFile): RevocationList[] {
  const bytes = bytesOf(file, read, LIMITS.crl);
  return named(file, () => readRevocationLists(bytes));
}

function readCertificates(
  file: string,
  read: ReadFile,
): { readonly text: string; readonly certificates: readonly Certificate[] } {
  const text = textOf(file, read);
  const blocks = pemBlocks(text, "CERTIFICATE");
  if (blocks.length === 0) {
    const held = pemLabels(text).map((label) => label.toLowerCase());
    const instead = held.length === 0 ? "" : ` but ${held.join(", ")}`;
    throw fault(file, `it holds no certificate in PEM${instead}`);
  }
  return { text, certificates: named(file, () => blocks.map(parseCertificate)) };
}

/** The public key that belongs to a private one, as SubjectPublicKeyInfo. */
function publicPart(file: string, pem: string): Buffer {
  if (/ENCRYPTED/.test(pem)) throw fault(file, "the key has a passphrase; store it without one");
  try {
    return createPublicKey(createPrivateKey(pem)).export({ type: "spki", format: "der" });
  } catch {
    // What the runtime says may hold pieces of the file.
    throw fault(file, "it holds no private key in PEM that can be used");
  }
}

function textOf(file: string, read: ReadFile): string {
  return bytesOf(file, read, LIMITS.pem).toString("latin1");
}

function bytesOf(file: string, read: ReadFile, limit: number): Buffer {
  let bytes: Buffer;
  try {
    bytes = Buffer.from(read(file));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new SallyportError("certificate-invalid", `${file}: it cannot be read (${code})`, {
      cause: error,
    });
  }
  if (bytes.length > limit) throw fault(file, `it is larger than ${limit} bytes`);
  return bytes;
}

function named<T>(file: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof SallyportError) throw fault(file, error.message);
    throw error;
  }
}

function fault(file: string, detail: string): SallyportError {
  return new SallyportError("certificate-invalid", `${file}: ${detail}`);
}
