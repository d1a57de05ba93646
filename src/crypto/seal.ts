/**
 * Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key-encryption key, bound to the place where
 * they are kept, so that a sealed text that is moved to another row does not open there.
 *
 * The form is `sealed:v1:<key id>:<base64url of nonce, ciphertext and tag>`. A key's id is a hash of the
 * key: a store says which key it needs, and nobody can give it the wrong one unnoticed. Refuses what is
 * in another form, of a key that it was not given, of another place, or changed.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { SallyportError } from "../model/errors.ts";
import { decodeBase64url } from "./base64url.ts";

/** A key-encryption key. Holds the key where it is not printed. */
export interface Kek {
  readonly id: string;
  readonly key: KeyObject;
}

export interface SealerKeys {
  /** What is sealed from now on. */
  readonly current: Kek;
  /** What was sealed before still opens: while a store is being re-wrapped. */
  readonly previous: readonly Kek[];
}

/** `context` is `<collection>/<id>/<field>`: see `sealContext`. */
export interface Sealer {
  seal(plain: Uint8Array, context: string): string;
  /** Throws SallyportError `key-encryption-failed`. */
  open(sealed: string, context: string): Buffer;
  /** Whether it was sealed with the current key. */
  isCurrent(sealed: string): boolean;
}

export const KEK_BYTES = 32;

const CIPHER = "aes-256-gcm";
/** 96 bits at random: good for 2^32 texts under one key (SP 800-38D, section 8.3); we seal a few a day. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PREFIX = "sealed:v1:";
const FORM = /^sealed:v1:([0-9a-f]{16}):([A-Za-z0-9_-]+)$/;

/** From exactly 32 bytes. Throws SallyportError `key-encryption-failed`. */
export function createKek(bytes: Uint8Array): Kek {
  if (bytes.length !== KEK_BYTES) {
    throw failed(`a key-encryption key has ${KEK_BYTES} bytes, not ${bytes.length}`);
  }
  const hash = createHash("sha256").update("sallyport key-encryption key\0").update(bytes);
  return { id: hash.digest("hex").slice(0, 16), key: createSecretKey(bytes) };
}

export function createSealer({ current, previous }: SealerKeys): Sealer {
  const keys = new Map([current, ...previous].map(({ id, key }) => [id, key]));
  return {
    seal: (plain, context) => seal(plain, context, current),
    open: (sealed, context) => open(sealed, context, keys),
    isCurrent: (sealed) => FORM.exec(sealed)?.[1] === current.id,
  };
}

/** Whether a text says of itself that it is sealed. */
export function looksSealed(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** The place of a secret in the store: `field` is the path of names to it, with dots between them. */
export function sealContext(collection: string, id: string, field: string): string {
  return `${collection}/${id}/${field}`;
}

function seal(plain: Uint8Array, context: string, { id, key }: Kek): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associatedData(id, context));
  const bytes = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return `${PREFIX}${id}:${bytes.toString("base64url")}`;
}

function open(sealed: string, context: string, keys: ReadonlyMap<string, KeyObject>): Buffer {
  const [, id = "", text = ""] = FORM.exec(sealed) ?? [];
  const bytes = decodeBase64url(text);
  if (bytes === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) {
    throw failed(`what is kept at ${context} is not in the form of a sealed secret`);
  }
  const key = keys.get(id);
  if (key === undefined) {
    const known = [...keys.keys()].join(", ");
    throw failed(
      `what is kept at ${context} was sealed with the key ${id}, and given are ${known}; name that key under keyEncryptionKey.previous`,
    );
  }
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(id, context));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([
      decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]);
  } catch {
    // The cause would say no more than this.
    throw failed(`what is kept at ${context} was changed, or was sealed for another place`);
  }
}

/** Form and key id are bound as well: neither can be exchanged under a text. */
function associatedData(id: string, context: string): Buffer {
  return Buffer.from(`${PREFIX}${id}:${context}`);
}

function failed(message: string): SallyportError {
  return new SallyportError("key-encryption-failed", message);
}
