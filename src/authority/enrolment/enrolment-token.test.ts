import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  authorityUrl,
  type JoinToken,
  readJoinToken,
  TOKEN_PREFIX,
  writeJoinToken,
} from "./enrolment-token.ts";

const bytes = (length: number) =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((value) => Buffer.from(value).toString("base64url"));

const url = () => fc.webUrl().filter((text) => text.length <= 255);

const tokens: fc.Arbitrary<JoinToken> = fc.record(
  {
    secret: bytes(20),
    pins: fc.array(bytes(32), { minLength: 1, maxLength: 8 }),
    name: fc.stringMatching(/^[a-z][a-z0-9-]{0,62}$/),
    kind: fc.constantFrom("proxy", "workload"),
    method: fc.constantFrom("mtls", "private-key-jwt"),
    issuer: url(),
    authority: fc.option(url(), { nil: undefined }),
  },
  { noNullPrototype: true },
);

test("readJoinToken() gives what writeJoinToken() was given", () => {
  fc.assert(
    fc.property(tokens, (token) => {
      assert.deepEqual(readJoinToken(`\n ${writeJoinToken(token)} \n`), token);
    }),
  );
});

test("readJoinToken() refuses a token of which any one character is another or missing", () => {
  const text = writeJoinToken(sample());
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === "A" ? "B" : "A";
    for (const changed of [
      text.slice(0, at) + other + text.slice(at + 1),
      text.slice(0, at) + text.slice(at + 1),
    ]) {
      assert.throws(() => readJoinToken(changed), { code: "enrolment-failed" }, changed);
    }
  }
});

test("readJoinToken() says nothing of the token where it refuses it", () => {
  const token = sample();
  const text = writeJoinToken(token);
  fc.assert(
    fc.property(fc.nat(text.length - TOKEN_PREFIX.length - 1), (cut) => {
      const given = text.slice(0, TOKEN_PREFIX.length + cut);
      assert.throws(
        () => readJoinToken(given),
        (error: Error) =>
          !error.message.includes(text.slice(TOKEN_PREFIX.length, TOKEN_PREFIX.length + 8)),
      );
    }),
  );
});

test("readJoinToken() reads any text without other errors than its own", () => {
  const texts = fc.oneof(
    fc.string(),
    fc
      .uint8Array({ maxLength: 300 })
      .map((value) => TOKEN_PREFIX + Buffer.from(value).toString("base64url")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      assert.throws(() => readJoinToken(text), { code: "enrolment-failed" });
    }),
  );
});

test("authorityUrl() is the first name at the port, unless the system chooses that", () => {
  const names = ["authority.internal", "10.0.0.1"];
  assert.equal(authorityUrl({ address: "0.0.0.0:9443", names }), "https://authority.internal:9443");
  assert.equal(authorityUrl({ address: "[::]:443", names }), "https://authority.internal");
  assert.equal(
    authorityUrl({ address: "[::]:9443", names: ["fd00::1"] }),
    "https://[fd00::1]:9443",
  );
  assert.equal(authorityUrl({ address: "0.0.0.0:0", names }), undefined);
});

function sample(): JoinToken {
  return {
    secret: randomBytes(20).toString("base64url"),
    pins: [randomBytes(32).toString("base64url")],
    name: "edge-1",
    kind: "proxy",
    method: "mtls",
    issuer: "https://sallyport.example.com",
    authority: "https://authority.internal:9443",
  };
}
