/**
 * What a browser keeps for us, sealed: AES-256-GCM (NIST SP 800-38D) with version, key id and purpose as
 * associated data, so that nobody reads it, changes it, or puts what one authenticator gave before another.
 *
 * The form is `v1.<key id>.<base64url of nonce, ciphertext and tag>`. Each purpose has keys of its own, derived
 * from the configured ones (HKDF, RFC 5869): one key for one use. The first key seals, all of them open.
 * Refuses another form, a key that is not there, and what does not authenticate.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomBytes,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import { decodeBase64url } from "../../crypto/base64url.ts";
import { createKek } from "../../crypto/seal.ts";

export interface SessionSealer {
  seal(plain: string): string;
  /** The plain text, or why there is none. */
  open(sealed: string): { readonly plain: string } | SealFault;
}

export interface SealFault {
  /** `unknown-key`: sealed once under a key that has been taken away, or is another proxy's. */
  readonly fault: "form" | "unknown-key" | "changed";
}

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
/**
 * 96 bits at random: good for 2^32 texts under one key (SP 800-38D, section 8.3). A hundred renewals a
 * second reach that in a year and four months; keys are changed before.
 */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORM = /^v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)$/;

/** `keys`: 32 bytes each, the current one first. `purpose`: what is sealed, and for whom. */
export function createSessionSealer(keys: readonly Uint8Array[], purpose: string): SessionSealer {
  const [current] = keys;
  if (current === undefined) throw new TypeError("a sealer needs a key");
  const opening = new Map(keys.map((key) => [createKek(key).id, derive(key, purpose)]));
  const currentId = createKek(current).id;
  const sealing = derive(current, purpose);
  return {
    seal(plain) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, sealing, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(associatedData(currentId, purpose));
      const text = cipher.update(plain, "utf8");
      const bytes = Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()]);
      return `v1.${currentId}.${bytes.toString("base64url")}`;
    },
    open(sealed) {
      const [, id = "", text = ""] = FORM.exec(sealed) ?? [];
      const bytes = decodeBase64url(text);
      if (bytes === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return { fault: "form" };
      const key = opening.get(id);
      if (key === undefined) return { fault: "unknown-key" };
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(associatedData(id, purpose));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const plain = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
        return { plain: Buffer.concat([plain, decipher.final()]).toString("utf8") };
      } catch {
        return { fault: "changed" };
      }
    },
  };
}

function derive(key: Uint8Array, purpose: string): KeyObject {
  const bytes = hkdfSync("sha256", key, new Uint8Array(0), `sallyport v1 ${purpose}`, KEY_BYTES);
  return createSecretKey(new Uint8Array(bytes));
}

function associatedData(id: string, purpose: string): Buffer {
  return Buffer.from(`v1.${id}.${purpose}`);
}
