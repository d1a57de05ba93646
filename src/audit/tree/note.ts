/**
 * Signed notes (C2SP signed-note): a text, an empty line, and lines of signatures. Ed25519 signatures
 * of a log (type 1), and cosignatures of witnesses (type 4, C2SP tlog-cosignature), which say when
 * they saw the text.
 *
 * Refuses whatever two readers could take differently: control characters, invalid UTF-8, a text or
 * signatures without their end, base64 that is not the one way to write its bytes, names with spaces or
 * plus signs, more signatures than anybody needs. What is said of a key or a note names the rule.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { SallyportError } from "../../model/errors.ts";

const LIMITS = {
  /** Bytes of a note: a checkpoint has some hundreds. */
  bytes: 64 * 1024,
  /** Signatures of a note: the log's own, old and new, and its witnesses. */
  signatures: 64,
  /** Characters of a name. */
  name: 255,
  /** Seconds since the epoch of a cosignature: the year 9999. */
  seconds: 253_402_300_799n,
} as const;

/** C2SP signed-note, "Signature types". */
const TYPES = { log: 0x01, cosignature: 0x04 } as const;

const TYPE_NAMES: ReadonlyMap<number, keyof typeof TYPES> = new Map([
  [TYPES.log, "log"],
  [TYPES.cosignature, "cosignature"],
]);

/** DER of an Ed25519 public key before its 32 bytes (RFC 8410 section 4). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** A public key that notes are checked with. */
export interface NoteKey {
  readonly name: string;
  readonly type: keyof typeof TYPES;
  /** First four bytes of a hash of name and key, in hexadecimal: which key a signature is of. */
  readonly id: string;
  /** `name+hash+base64`: how it is written. */
  readonly vkey: string;
  readonly key: KeyObject;
}

/** A private key of a log, by name. */
export interface NoteSigner {
  readonly public: NoteKey;
  readonly key: KeyObject;
}

export interface NoteSignature {
  readonly name: string;
  readonly id: string;
  readonly bytes: Buffer;
}

export interface Note {
  /** With its last line feed: what is signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Reads `name+hash+base64`. Throws SallyportError `key-invalid`. */
export function readVkey(text: string): NoteKey {
  const [, name, id, encoded] =
    /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) {
    throw invalidKey("it is not of the form name+hash+base64");
  }
  const bytes = strictBase64(encoded);
  const type = TYPE_NAMES.get(bytes?.[0] ?? -1);
  if (bytes === undefined || type === undefined || bytes.length !== 1 + KEY_BYTES) {
    throw invalidKey("it is no Ed25519 key of a log (type 1) or of a witness (type 4)");
  }
  const key = noteKey(name, type, bytes.subarray(1));
  if (key.id !== id) throw invalidKey("its hash is not that of its name and key");
  return key;
}

/** From an Ed25519 private key. Throws SallyportError `key-invalid` for others, and for names that no note can hold. */
export function noteSigner(name: string, key: KeyObject): NoteSigner {
  if (!isNoteName(name))
    throw invalidKey("its name has a space, a plus sign or a control character");
  if (key.type !== "private" || key.asymmetricKeyType !== "ed25519") {
    throw invalidKey("it is no Ed25519 private key (openssl genpkey -algorithm ed25519)");
  }
  const { x = "" } = createPublicKey(key).export({ format: "jwk" });
  return { public: noteKey(name, "log", Buffer.from(x, "base64url")), key };
}

export function isNoteName(name: string): boolean {
  if (name.length > LIMITS.name || !name.isWellFormed()) return false;
  return /^[^\s+]+$/u.test(name) && !hasControl(name);
}

/** Whether there is a control character other than a line feed. */
function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if ((code < 0x20 && code !== 0x0a) || code === 0x7f) return true;
  }
  return false;
}

/** Signs `text`, which ends with a line feed, with each of the keys. */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  const lines = signers.map(({ public: { name, id }, key }) => {
    const signature = Buffer.concat([Buffer.from(id, "hex"), sign(null, Buffer.from(text), key)]);
    return `— ${name} ${signature.toString("base64")}\n`;
  });
  return `${text}\n${lines.join("")}`;
}

/** Throws SyntaxError that names the rule that it breaks. */
export function parseNote(note: string | Uint8Array): Note {
  const text = typeof note === "string" ? note : decoded(note);
  if (Buffer.byteLength(text) > LIMITS.bytes) throw new SyntaxError("a note is too long");
  if (hasControl(text) || !text.isWellFormed()) {
    throw new SyntaxError("a note holds a control character or invalid UTF-8");
  }
  // The last empty line: the text may hold others.
  const split = text.lastIndexOf("\n\n");
  if (split < 0) throw new SyntaxError("a note has no empty line before its signatures");
  const lines = text.slice(split + 2).split("\n");
  if (lines.pop() !== "" || lines.length === 0) {
    throw new SyntaxError("a note has no signature, or no line feed at its end");
  }
  return { text: text.slice(0, split + 1), signatures: parseSignatures(lines) };
}

/** Lines `— name base64`, without their line feeds. Throws SyntaxError. */
export function parseSignatures(lines: readonly string[]): NoteSignature[] {
  if (lines.length > LIMITS.signatures) throw new SyntaxError("a note has too many signatures");
  return lines.map((line) => {
    const [, name = "", encoded = ""] = /^— (\S+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
    const bytes = strictBase64(encoded);
    if (!isNoteName(name) || bytes === undefined || bytes.length < 5) {
      throw new SyntaxError("a note has a line that is no signature");
    }
    return { name, id: bytes.toString("hex", 0, 4), bytes: bytes.subarray(4) };
  });
}

/** What a signature of that key proves: undefined where the note has none that holds. */
export interface Verified {
  /** Of a cosignature: when the witness saw the text, milliseconds since the epoch. */
  readonly timeMs: number | undefined;
}

/** False where a signature of that key does not hold, undefined where there is none of it. */
export function verifyNote({ text, signatures }: Note, key: NoteKey): Verified | false | undefined {
  const own = signatures.filter(({ name, id }) => name === key.name && id === key.id);
  if (own.length === 0) return undefined;
  for (const { bytes } of own) {
    const verified = verifyOne(text, bytes, key);
    if (verified === false) return false;
    if (own.length === 1) return verified;
  }
  // One key signs a text once.
  return false;
}

function verifyOne(text: string, bytes: Buffer, { type, key }: NoteKey): Verified | false {
  if (type === "log") {
    if (bytes.length !== SIGNATURE_BYTES) return false;
    return verify(null, Buffer.from(text), key, bytes) && { timeMs: undefined };
  }
  // C2SP tlog-cosignature, "Format": eight bytes of the time, then the signature.
  if (bytes.length !== 8 + SIGNATURE_BYTES) return false;
  const seconds = bytes.readBigUInt64BE(0);
  if (seconds > LIMITS.seconds) return false;
  const signed = Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
  return verify(null, signed, key, bytes.subarray(8)) && { timeMs: Number(seconds) * 1000 };
}

function noteKey(name: string, type: keyof typeof TYPES, bytes: Uint8Array): NoteKey {
  if (!isNoteName(name))
    throw invalidKey("its name has a space, a plus sign or a control character");
  const typed = Buffer.concat([Buffer.from([TYPES[type]]), bytes]);
  const id = createHash("sha256").update(`${name}\n`).update(typed).digest("hex").slice(0, 8);
  return {
    name,
    type,
    id,
    vkey: `${name}+${id}+${typed.toString("base64")}`,
    key: createPublicKey({
      key: Buffer.concat([SPKI_PREFIX, bytes]),
      format: "der",
      type: "spki",
    }),
  };
}

/** Undefined for what is not the one way to write its bytes (RFC 4648 section 3.5). */
export function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return text !== "" && bytes.toString("base64") === text ? bytes : undefined;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decoded(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new SyntaxError("a note holds a control character or invalid UTF-8");
  }
}

function invalidKey(what: string): SallyportError {
  return new SallyportError("key-invalid", `a key of checkpoints: ${what}`);
}
