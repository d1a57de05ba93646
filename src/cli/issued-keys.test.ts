import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test, type TestContext } from "node:test";
import { desks } from "../../test/admin/desks.ts";
import { adminStage } from "../../test/admin/stage.ts";
import { signJws } from "../crypto/sign-jws.ts";
import { generateSigningKey } from "../crypto/signing-key.ts";
import { AdminCallError } from "./admin-transport.ts";
import { endIssuedKeys, type IssuedKeyOptions } from "./issued-keys.ts";

const IN_AN_HOUR = Math.floor(Date.now() / 1000) + 3600;
const signer = generateSigningKey("ES256");

function keyOf(claims: Record<string, string | number>): string {
  return signJws(signer, { typ: "at+jwt" }, claims);
}

const KEY = keyOf({ jti: "key-1", iss: "https://sallyport.example.com", exp: IN_AN_HOUR });

async function ground(t: TestContext) {
  const made = await desks(t);
  const { socket } = await adminStage(t, { desks: made });
  const folder = mkdtempSync(join(tmpdir(), "sallyport-issued-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const hints: string[] = [];
  const end = (mode: "revoke" | "block", options: IssuedKeyOptions, stdin = "") =>
    endIssuedKeys(
      mode,
      { admin: socket, config: "sallyport.yaml", ...options },
      { stdin: Readable.from([stdin]), hint: (line) => void hints.push(line), nowMs: Date.now },
    );
  const file = (text: string): string => {
    writeFileSync(join(folder, "key"), text);
    return join(folder, "key");
  };
  return { end, hints, file, revocations: made.revocations };
}

/** What is printed while `work` runs. */
async function printed(work: () => Promise<number>): Promise<string> {
  const write = process.stdout.write.bind(process.stdout);
  let text = "";
  process.stdout.write = (chunk: string | Uint8Array): boolean => {
    text += String(chunk);
    return true;
  };
  try {
    assert.equal(await work(), 0);
  } finally {
    process.stdout.write = write;
  }
  return text;
}

test("endIssuedKeys() revokes the key in a file or on standard input by its jti, and prints nothing of it", async (t) => {
  const { end, file, revocations, hints } = await ground(t);
  const text = await printed(() => end("revoke", { keyFile: file(`${KEY}\n`), reason: "leaked" }));
  const [entry] = await revocations.list({ limit: 10 });
  assert.deepEqual(entry?.target, { kind: "id", authenticator: "keys", id: "key-1" });
  assert.ok(entry.cutoff !== undefined && entry.block === undefined);
  assert.match(text, /keys\/key-1 +issued before/);
  for (const part of KEY.split(".")) assert.ok(!`${text}${hints.join("")}`.includes(part));
  await printed(() => end("block", { keyFile: "-" }, `Bearer ${KEY}\n`));
  const [blocked] = await revocations.list({ limit: 10 });
  assert.ok(blocked?.block !== undefined);
});

test("endIssuedKeys() names a client, a principal, a key, a service and all keys", async (t) => {
  const { end, revocations } = await ground(t);
  const targets = async (options: IssuedKeyOptions) => {
    await printed(() => end("revoke", options));
    return (await revocations.list({ limit: 10 })).map(({ target }) => target);
  };
  const expected = [
    [
      { subject: "billing-job" },
      { kind: "subject", authenticator: "keys", subject: "billing-job" },
    ],
    [{ subject: "corp/alice" }, { kind: "subject", authenticator: "corp", subject: "alice" }],
    [
      { authenticator: "corp", subject: "a/b" },
      { kind: "subject", authenticator: "corp", subject: "a/b" },
    ],
    [{ id: "key-2" }, { kind: "id", authenticator: "keys", id: "key-2" }],
    [{ service: "billing" }, { kind: "service", service: "billing" }],
    [{ authenticator: "keys" }, { kind: "authenticator", authenticator: "keys" }],
  ] as const;
  for (const [options, target] of expected) {
    const all = await targets(options);
    assert.ok(
      all.some((one) => JSON.stringify(one) === JSON.stringify(target)),
      JSON.stringify([options, all]),
    );
  }
});

test("endIssuedKeys() has nothing to do for a key that has expired", async (t) => {
  const { end, file, revocations, hints } = await ground(t);
  const expired = keyOf({ jti: "key-1", iss: "x", exp: 1000 });
  await printed(() => end("revoke", { keyFile: file(expired) }));
  assert.match(hints.join(), /expired at 1970/);
  assert.deepEqual(await revocations.list({ limit: 10 }), []);
});

test("endIssuedKeys() refuses what names nothing, or several, and what is no key; it says nothing of that", async (t) => {
  const { end, file, revocations } = await ground(t);
  const refused: readonly (readonly [IssuedKeyOptions, RegExp])[] = [
    [{}, /name one/],
    [{ id: "a", subject: "b" }, /name one/],
    [{ keyFile: file("sp_0123456789secret"), service: "billing" }, /name one/],
    [
      { keyFile: file("sp_0123456789secret") },
      /no key that the authority has issued.*api-keys revoke/,
    ],
    [{ keyFile: join(file(""), "absent") }, /cannot be read/],
    [{ subject: "billing-job", authenticator: "kyes" }, /did you mean keys/],
  ];
  for (const [options, message] of refused) {
    if (options.keyFile?.endsWith("/key") === true) file("sp_0123456789secret");
    // oxlint-disable-next-line no-await-in-loop -- one after the other, over one file
    await assert.rejects(end("revoke", options), (error) => {
      assert.ok(error instanceof AdminCallError);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /0123456789secret/);
      return true;
    });
  }
  const nameless = end("revoke", { keyFile: file(keyOf({ iss: "x", exp: IN_AN_HOUR })) });
  await assert.rejects(nameless, /no jti/);
  const others = end("revoke", { authenticator: "corp", keyFile: file(KEY) });
  await assert.rejects(others, /another issuer made it/);
  assert.deepEqual(await revocations.list({ limit: 10 }), []);
});
