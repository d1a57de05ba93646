import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { readJws } from "../../crypto/jws.ts";
import { SallyportError } from "../../model/errors.ts";
import { ManualClock } from "../../platform/clock.ts";
import { createClientAuthentication } from "./client-authentication.ts";
import { clientSchema } from "./client-options.ts";

const NOW = 1_800_000_000_000;
const PROVIDER = "https://login.example.com";

function pem(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" });
}

function ground(first: string | Error = pem()) {
  const clock = new ManualClock(NOW);
  const file = { content: first, reads: 0 };
  const readFile = (): Uint8Array => {
    file.reads += 1;
    if (file.content instanceof Error) throw file.content;
    return Buffer.from(file.content);
  };
  const client = clientSchema.parse({ id: "sallyport", privateKey: "client.key" });
  const open = () => createClientAuthentication(client, PROVIDER, { clock, readFile });
  return { clock, file, open };
}

const gone = Object.assign(new Error("no such file"), { code: "ENOENT" });

test("an assertion names us, the provider and a minute, and is never the same twice", () => {
  const prove = ground().open();
  const claims = [prove(), prove()].map(({ form, headers }) => {
    assert.deepEqual(headers, {});
    assert.equal(form["client_id"], "sallyport");
    const jws = readJws(form["client_assertion"] ?? "");
    assert.ok(!("fault" in jws));
    return jws.claims;
  });
  const [first, second] = claims;
  const { jti, ...rest } = { ...first };
  const iat = NOW / 1000;
  assert.deepEqual(rest, { iss: "sallyport", sub: "sallyport", aud: PROVIDER, iat, exp: iat + 60 });
  assert.notEqual(jti, second?.["jti"]);
});

/** The signature is random with each, so the key that made it is told by who verifies it: here by the file's reads. */
test("the key is read once a second at most, and a new one is used from then on", () => {
  const { clock, file, open } = ground();
  const prove = open();
  assert.equal(file.reads, 1);
  clock.advance(999);
  prove();
  assert.equal(file.reads, 1);
  file.content = "no key any more";
  prove();
  assert.equal(file.reads, 1);
  clock.advance(1);
  assert.throws(() => prove(), { code: "key-invalid" });
  assert.equal(file.reads, 2);
  file.content = pem();
  prove();
  assert.equal(file.reads, 3);
  clock.advance(1000);
  prove();
  assert.equal(file.reads, 4);
});

test("a new key signs, under its own algorithm", () => {
  const { clock, file, open } = ground();
  const prove = open();
  const algorithm = (): string => {
    const jws = readJws(prove().form["client_assertion"] ?? "");
    assert.ok(!("fault" in jws));
    return jws.algorithm;
  };
  assert.equal(algorithm(), "ES256");
  const { privateKey } = generateKeyPairSync("ed25519");
  file.content = privateKey.export({ type: "pkcs8", format: "pem" });
  clock.advance(1000);
  assert.match(algorithm(), /Ed(?:DSA|25519)/);
});

test("a key that cannot be read or used fails at once and names its file, and nothing of it", () => {
  for (const [content, message] of [
    [gone, /client\.key: it cannot be read \(ENOENT\)/],
    [new Error("odd"), /client\.key: it cannot be read \(unreadable\)/],
    ["s3cret", /client\.key: /],
  ] as const) {
    assert.throws(ground(content).open, (error) => {
      assert.ok(error instanceof SallyportError);
      assert.equal(error.code, "key-invalid");
      assert.match(error.message, message);
      assert.ok(!error.message.includes("s3cret"));
      return true;
    });
  }
});
