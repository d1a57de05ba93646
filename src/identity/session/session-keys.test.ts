import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ConfigError } from "../../model/errors.ts";
import { systemTimers } from "../../platform/timers.ts";
import { oidcOptionsSchema } from "../oidc-options.ts";
import { readSessionKeys } from "./session-keys.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-session-keys-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const [one, two, made] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const file = join(folder, "session.key");
writeFileSync(file, one.toString("base64url"), { mode: 0o600 });

function read(keys: readonly object[]) {
  const people = oidcOptionsSchema.parse({
    type: "oidc",
    issuer: "https://login.example.com",
    client: { id: "console" },
    principal: { kind: "user" },
    session: { keys },
  });
  const env = { SESSION_KEY: two.toString("hex"), SHORT: "c2hvcnQ" };
  return readSessionKeys({ people, corp: { type: "jwt" } }, { env, timers: systemTimers, made });
}

test("readSessionKeys() gives the keys in their order, from files, variables and commands", async () => {
  const third = randomBytes(32);
  const command = ["printf", third.toString("base64")];
  const keys = await read([{ env: "SESSION_KEY" }, { file }, { command }]);
  assert.deepEqual(keys("people").map(String), [two, one, third].map(String));
  assert.deepEqual(keys("corp"), []);
});

test("readSessionKeys() gives the one that was made at random where none is named", async () => {
  assert.deepEqual((await read([]))("people"), [made]);
});

for (const [name, keys, message] of [
  ["a key that is not there", [{ env: "ABSENT" }], /people.*ABSENT is not set/],
  ["a key that is too short", [{ env: "SHORT" }], /people.*not a key/],
  ["a key that stands there twice", [{ file }, { env: "SESSION_KEY" }, { file }], /entry 3/],
] as const) {
  test(`readSessionKeys() refuses ${name}, and says nothing of any key`, async () => {
    const error = await read(keys).then(
      () => assert.fail("refused"),
      (caught: unknown) => caught,
    );
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, message);
    for (const key of [one, two, made])
      assert.ok(!error.message.includes(key.toString("base64url")));
  });
}

test("readSessionKeys() refuses a file that others can read", async () => {
  const open = join(folder, "open.key");
  writeFileSync(open, two.toString("base64url"));
  chmodSync(open, 0o644);
  await assert.rejects(read([{ file: open }]), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /mode 0644/);
    // It is a good key, under which sessions are.
    assert.deepEqual(
      error.problems.map(({ remedy }) => remedy),
      ["chmod 600"],
    );
    return true;
  });
});
