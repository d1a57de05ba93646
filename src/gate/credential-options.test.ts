import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialsSchema, credentialValue } from "./credential-options.ts";

const basic = { basic: { username: "gate", passwordFile: "p" } };
const header = { header: { name: "x-key", valueFile: "v", prefix: "Key " } };
const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8");

test("credentialValue() makes the field of a secret without the line break at its end", () => {
  const expected = `Basic ${Buffer.from("gate:s:é").toString("base64")}`;
  assert.deepEqual(credentialValue(basic, bytes("s:é\n")), { value: expected });
  assert.deepEqual(credentialValue(header, bytes("abc\r\n")), { value: "Key abc" });
});

test("credentialValue() names what is wrong and nothing of the secret", () => {
  for (const secret of [
    "",
    "\n",
    "canary\nX-Admin: 1",
    "canary\r\n\r\n",
    "canary\0",
    "c".repeat(5000),
  ]) {
    for (const options of [basic, header]) {
      const found = credentialValue(options, bytes(secret));
      assert.ok("fault" in found, JSON.stringify(secret));
      assert.doesNotMatch(found.fault, /canary/);
    }
  }
  assert.ok("fault" in credentialValue(header, bytes("é")));
  assert.ok("fault" in credentialValue(header, bytes(" a")));
  assert.ok("fault" in credentialValue(basic, Uint8Array.of(0xff)));
});

test("credentialsSchema takes a name that Basic can carry and a field that is not ours", () => {
  const parses = (value: unknown): boolean => credentialsSchema.safeParse(value).success;
  assert.ok(parses("strip") && parses("forward") && parses(basic) && parses(header));
  assert.ok(!parses({ basic: { username: "a:b", passwordFile: "p" } }));
  assert.ok(!parses({ basic: { username: "a\n", passwordFile: "p" } }));
  for (const name of ["host", "content_length", "x-forwarded-for", "sallyport-decision"]) {
    assert.ok(!parses({ header: { name, valueFile: "v" } }), name);
  }
  assert.ok(!parses({ ...basic, ...header }));
});
