import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readKey, type KeySource } from "./key-source.ts";
import { ManualTimers, systemTimers } from "./timers.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-key-source-"));
after(() => rmSync(folder, { recursive: true }));

const KEY = randomBytes(32);

async function read(source: KeySource, env: Record<string, string> = {}): Promise<Buffer> {
  return await readKey(source, { env, timers: systemTimers });
}

/** Rejects with the code, and with none of the key. */
async function refused(source: KeySource, env: Record<string, string> = {}): Promise<string> {
  const error: unknown = await read(source, env).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error, "it was read");
  assert.equal((error as { readonly code?: string }).code, "key-encryption-failed");
  for (const form of ["base64url", "hex", "latin1"] as const) {
    assert.ok(!error.message.includes(KEY.toString(form).slice(0, 8)));
  }
  return error.message;
}

test("readKey() takes base64url, base64 and hex, with white space around", async () => {
  const texts = [KEY.toString("base64url"), KEY.toString("base64"), KEY.toString("hex")];
  for (const text of [...texts, `\n ${texts[0]}\r\n`, KEY.toString("hex").toUpperCase()]) {
    assert.deepEqual(await read({ env: "KEK" }, { KEK: text }), KEY);
  }
});

test("readKey() refuses what is not a key", async () => {
  const text = KEY.toString("base64url");
  const wrong = [
    "",
    KEY.toString("latin1"),
    text.slice(1),
    `${text}A`,
    `${text.slice(0, -1)}*`,
    // Bits that are no part of the key are not zero.
    `${"A".repeat(42)}B`,
    `${KEY.toString("hex").slice(1)}g`,
    randomBytes(16).toString("hex"),
    `${text} ${text}`,
  ];
  for (const value of wrong) assert.match(await refused({ env: "KEK" }, { KEK: value }), /\$KEK/);
  assert.match(await refused({ env: "KEK" }), /not set/);
});

test("readKey() reads a file that only its owner can read", async () => {
  const file = join(folder, "kek");
  writeFileSync(file, `${KEY.toString("base64url")}\n`, { mode: 0o600 });
  assert.deepEqual(await read({ file }), KEY);
  chmodSync(file, 0o400);
  assert.deepEqual(await read({ file }), KEY);
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(file, mode);
    assert.match(await refused({ file }), /chmod it to 0600/);
  }
  assert.match(await refused({ file: join(folder, "absent") }), /ENOENT/);
  assert.match(await refused({ file: "/dev/zero" }), /not a regular file/);
  const large = join(folder, "large");
  writeFileSync(large, " ".repeat(5000), { mode: 0o600 });
  assert.match(await refused({ file: large }), /larger/);
});

test("readKey() reads what a command prints, without a shell", async () => {
  const print = (text: string): KeySource => ({ command: ["/bin/echo", text] });
  assert.deepEqual(await read(print(KEY.toString("base64"))), KEY);
  assert.match(await refused(print("$HOME")), /not a key/);
  assert.match(await refused({ command: ["/bin/false"] }), /exit code 1/);
  assert.match(await refused({ command: [join(folder, "absent")] }), /ENOENT/);
});

test("readKey() refuses a command that fails after it printed a key", async () => {
  const command = ["/bin/sh", "-c", `echo ${KEY.toString("base64url")}; exit 3`];
  assert.match(await refused({ command }), /exit code 3/);
});

test("readKey() bounds what a command prints, and how long it takes", async () => {
  assert.match(await refused({ command: ["/bin/cat", "/dev/zero"] }), /more than a key/);
  const timers = new ManualTimers();
  const waiting = readKey({ command: ["/bin/sleep", "600"] }, { env: {}, timers });
  timers.runAll();
  await assert.rejects(waiting, { code: "key-encryption-failed" });
});
