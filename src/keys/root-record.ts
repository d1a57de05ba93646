/**
 * One root of the certificate authority as it stands in the store, and as it is used. Its
 * certificate ends when it is removed: the last one that it signed is over by then.
 */
import { z } from "zod";
import { parseCertificate } from "../crypto/certificate.ts";
import { issueCertificate, pemText } from "../crypto/issue-certificate.ts";
import {
  exportSigningKey,
  generateSigningKey,
  readSigningKey,
  type SigningKey,
} from "../crypto/signing-key.ts";
import type { Sealer } from "../crypto/seal.ts";
import type { JsonObject } from "../model/json.ts";
import type { StoredDocument } from "../model/store.ts";
import { KEY_CAUSES, type KeyCause } from "./key-record.ts";
import { type Scheduled, type Times, timesOf } from "./schedule.ts";
import { damaged, openRecord, sealRecord } from "./sealed-record.ts";

export type RootCause = KeyCause;

export interface RootRecord extends Scheduled {
  readonly id: string;
  /** Of the document; 0 for one that is not in the store yet. */
  readonly number: number;
  readonly commonName: string;
  readonly der: Buffer;
  readonly pem: string;
  /** As in the certificate, in milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly because: RootCause;
  /** Who asked for it, where somebody did. */
  readonly by: string | undefined;
  /** Undefined once it is erased. */
  readonly key: SigningKey | undefined;
}

const time = z.int().min(0);

const schema = z.strictObject({
  commonName: z.string(),
  /** DER in base64. */
  certificate: z.string(),
  createdMs: time,
  activeMs: time,
  nextMs: time,
  retiredMs: time,
  removedMs: time,
  because: z.enum(KEY_CAUSES),
  by: z.string().optional(),
  /** PKCS #8 in base64url. */
  private: z.string().optional(),
});

export function makeRoot(given: {
  readonly id: string;
  readonly times: Times;
  readonly notBeforeMs: number;
  readonly because: RootCause;
  readonly by: string | undefined;
}): RootRecord {
  const { id, times, notBeforeMs, because, by } = given;
  const key = generateSigningKey("ES256");
  // Its key's name in it: readers that look for an issuer by name find the one root, not another
  // generation or another installation's.
  const commonName = `Sallyport ${id} ${key.kid.slice(0, 16)}`;
  const { der, pem } = issueCertificate(
    {
      commonName,
      publicKey: key.publicKey,
      notBeforeMs,
      notAfterMs: times.removedMs,
      authority: { pathLength: 0 },
    },
    { commonName, privateKey: key.privateKey },
  );
  const { notBefore, notAfter } = parseCertificate(der);
  return {
    id,
    number: 0,
    commonName,
    der,
    pem,
    notBeforeMs: notBefore,
    notAfterMs: notAfter,
    because,
    by,
    key,
    signs: true,
    ...times,
    // Whole seconds, as the certificate holds it.
    removedMs: notAfter,
  };
}

/** Throws SallyportError `key-encryption-failed` or `store-failed`. */
export function readRootRecord(sealer: Sealer, document: StoredDocument): RootRecord {
  const parsed = schema.safeParse({ ...openRecord(sealer, document) });
  if (!parsed.success) throw damaged(document);
  const { private: secret, by, certificate, ...members } = parsed.data;
  const der = Buffer.from(certificate, "base64");
  const { notBefore, notAfter, key: publicKey } = parseCertificate(der);
  const key =
    secret === undefined ? undefined : readSigningKey(Buffer.from(secret, "base64url"), "ES256");
  if (key !== undefined && !key.publicKey.equals(publicKey)) throw damaged(document);
  const { id, number } = document;
  return {
    ...members,
    id,
    number,
    der,
    pem: pemText("CERTIFICATE", der),
    by,
    key,
    signs: key !== undefined,
    notBeforeMs: notBefore,
    notAfterMs: notAfter,
  };
}

/** The body of its document. */
export function rootRecordBody(sealer: Sealer, root: RootRecord): JsonObject {
  const { id, commonName, der, because, by, key } = root;
  return sealRecord(
    sealer,
    { collection: "certificate-authorities", id },
    {
      commonName,
      certificate: der.toString("base64"),
      because,
      ...timesOf(root),
      ...(by !== undefined && { by }),
      ...(key !== undefined && { private: exportSigningKey(key).toString("base64url") }),
    },
  );
}
