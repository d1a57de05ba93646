import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { array, assert as check, constantFrom, property } from "fast-check";
import { SallyportError } from "../../model/errors.ts";
import { checkpointText, parseCheckpoint } from "./checkpoint.ts";
import { leafHash } from "./hashing.ts";
import { noteSigner, parseNote, readVkey, signNote, verifyNote } from "./note.ts";

/** Of golang.org/x/mod/sumdb/note: a key and a note that it signed. */
const GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE =
  "If you think cryptography is the answer to your problem,\n" +
  "then you don't know what your problem is.\n" +
  "\n" +
  "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

const signer = noteSigner("example.com/log", generateKeyPairSync("ed25519").privateKey);
const TEXT = checkpointText({ origin: "example.com/log", size: 7, root: leafHash(Buffer.of(1)) });

test("a note that others signed is verified", () => {
  const key = readVkey(GO_VKEY);
  assert.equal(key.vkey, GO_VKEY);
  assert.deepEqual(verifyNote(parseNote(GO_NOTE), key), { timeMs: undefined });
  assert.equal(verifyNote(parseNote(GO_NOTE.replace("answer", "Answer")), key), false);
});

test("signNote() signs what verifyNote() takes, and each key finds its own signature", () => {
  const other = noteSigner("example.com/log", generateKeyPairSync("ed25519").privateKey);
  const note = signNote(TEXT, [signer, other]);
  const parsed = parseNote(Buffer.from(note));
  assert.equal(parsed.text, TEXT);
  for (const { public: key } of [signer, other]) {
    assert.deepEqual(verifyNote(parsed, readVkey(key.vkey)), { timeMs: undefined });
  }
  assert.equal(verifyNote(parseNote(signNote(TEXT, [other])), signer.public), undefined);
});

test("two signatures of one key are none", () => {
  const note = signNote(TEXT, [signer, signer]);
  assert.equal(verifyNote(parseNote(note), signer.public), false);
});

test("a cosignature is verified with its time, and does not hold with another", () => {
  const key = createPrivateKey(
    generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }),
  );
  const { x = "" } = key.export({ format: "jwk" });
  const typed = Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url")]);
  const witness = readVkeyOf("witness.example/w", typed);
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(1_764_000_000n);
  const signature = sign(null, Buffer.from(`cosignature/v1\ntime 1764000000\n${TEXT}`), key);
  const line = (stamp: Buffer): string =>
    `— witness.example/w ${Buffer.concat([Buffer.from(witness.id, "hex"), stamp, signature]).toString("base64")}\n`;
  const note = signNote(TEXT, [signer]);
  assert.deepEqual(verifyNote(parseNote(note + line(time)), witness), {
    timeMs: 1_764_000_000_000,
  });
  time.writeBigUInt64BE(1_764_000_001n);
  assert.equal(verifyNote(parseNote(note + line(time)), witness), false);
  time.writeBigUInt64BE(2n ** 63n);
  assert.equal(verifyNote(parseNote(note + line(time)), witness), false);
});

/** A vkey with the right hash, found by asking for it. */
function readVkeyOf(name: string, typed: Buffer) {
  const { createHash } = process.getBuiltinModule("node:crypto");
  const id = createHash("sha256").update(`${name}\n`).update(typed).digest("hex").slice(0, 8);
  return readVkey(`${name}+${id}+${typed.toString("base64")}`);
}

test("malformed notes are refused", () => {
  const note = signNote(TEXT, [signer]);
  const line = note.slice(note.lastIndexOf("—"));
  for (const [what, broken] of [
    ["no signature", `${TEXT}\n`],
    ["no empty line", TEXT + line],
    ["no end", note.slice(0, -1)],
    ["a tab", note.replace("\n7\n", "\n\t7\n")],
    ["a carriage return", note.replaceAll("\n", "\r\n")],
    ["a hyphen for the dash", note.replace("—", "-")],
    ["two spaces", note.replace("— ", "—  ")],
    ["base64 that is not canonical", note.replace(/=+\n$/, "\n")],
    ["too short a signature", `${TEXT}\n— a AAAA\n`],
    ["too many signatures", note + line.repeat(64)],
    ["too long", `${"a\n".repeat(40_000)}\n${line}`],
    ["a plus sign in a name", note.replace("— example", "— exa+mple")],
  ] as const) {
    assert.throws(() => parseNote(broken), SyntaxError, what);
  }
  assert.throws(() => parseNote(Buffer.concat([Buffer.of(0xff), Buffer.from(note)])), SyntaxError);
});

test("malformed keys are refused", () => {
  const good = signer.public.vkey;
  const [name = "", id = "", key = ""] = good.split("+", 3);
  for (const broken of [
    "",
    name,
    `${name}+${id}`,
    `${name}+00000000+${key}`,
    good.replace("example", "Example"),
    good.slice(0, -4),
    `a b+${id}+${key}`,
    `${name}+${id}+${Buffer.alloc(33, 2).toString("base64")}`,
  ]) {
    assert.throws(() => readVkey(broken), isKeyInvalid, broken);
  }
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  assert.throws(() => noteSigner("example.com/log", rsa), isKeyInvalid);
  assert.throws(() => noteSigner("a b", signer.key), isKeyInvalid);
});

function isKeyInvalid(error: unknown): boolean {
  return error instanceof SallyportError && error.code === "key-invalid";
}

test("a checkpoint reads back as it was written, and others are refused", () => {
  const root = leafHash(Buffer.of(1));
  assert.deepEqual(parseCheckpoint(TEXT), { origin: "example.com/log", size: 7, root });
  for (const broken of [
    TEXT.slice(0, -1),
    `${TEXT}extension\n`,
    TEXT.replace("\n7\n", "\n07\n"),
    TEXT.replace("\n7\n", "\n-1\n"),
    TEXT.replace("\n7\n", "\n9007199254740993\n"),
    TEXT.replace("example.com/log", ""),
    TEXT.replace("example.com/log", "a b"),
    TEXT.replace(root.toString("base64"), "AAAA"),
    TEXT.replace(root.toString("base64"), root.toString("hex")),
  ]) {
    assert.throws(() => parseCheckpoint(broken), SyntaxError, broken);
  }
  assert.throws(() => checkpointText({ origin: "a\nb", size: 1, root }), TypeError);
});

test("whatever text is given, parseNote() refuses it or reads it back as it is", () => {
  const pieces = constantFrom("a", "\n", "\n\n", "— ", "x ", "QUJDRA==", "\u0000", "é", " ");
  check(
    property(array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      try {
        const note = parseNote(text);
        assert.ok(text.startsWith(`${note.text}\n— `));
      } catch (error) {
        assert.ok(error instanceof SyntaxError);
      }
    }),
    { numRuns: 2000 },
  );
});
