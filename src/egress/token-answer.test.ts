import assert from "node:assert/strict";
import { test } from "node:test";
import { readTokenAnswer } from "./token-answer.ts";

const GOOD = { access_token: "abc.def-_~+/=", token_type: "bearer", expires_in: 300 };

function read(status: number, body: unknown) {
  return readTokenAnswer(
    status,
    Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  );
}

test("readTokenAnswer() reads a token with its type, in lower case, and its time", () => {
  assert.deepEqual(read(200, { ...GOOD, token_type: "DPoP", scope: "read" }), {
    token: "abc.def-_~+/=",
    type: "dpop",
    expiresInSeconds: 300,
  });
});

test("readTokenAnswer() takes a key for a day at most, whatever it says", () => {
  const answer = read(200, { ...GOOD, expires_in: 1e12 });
  assert.ok("token" in answer);
  assert.equal(answer.expiresInSeconds, 86_400);
});

test("readTokenAnswer() refuses what is no token, and repeats nothing of it", () => {
  const cases: [body: unknown, fault: RegExp][] = [
    ["no json", /strict JSON/],
    ['{"access_token":"a","access_token":"b","token_type":"Bearer","expires_in":9}', /strict JSON/],
    [[], /strict JSON/],
    [{ ...GOOD, access_token: undefined }, /access_token/],
    [{ ...GOOD, access_token: "s3cret token" }, /access_token/],
    [{ ...GOOD, access_token: "a\r\nb" }, /access_token/],
    [{ ...GOOD, access_token: "a".repeat(16 * 1024 + 1) }, /access_token/],
    [{ ...GOOD, token_type: 7 }, /token_type/],
    [{ ...GOOD, expires_in: undefined }, /expires_in/],
    [{ ...GOOD, expires_in: "300" }, /expires_in/],
    [{ ...GOOD, expires_in: 4 }, /expires_in/],
    [{ ...GOOD, expires_in: -1 }, /expires_in/],
  ];
  for (const [body, fault] of cases) {
    const answer = read(200, body);
    assert.ok("fault" in answer, JSON.stringify(body));
    assert.match(answer.fault, fault);
    assert.doesNotMatch(answer.fault, /s3cret/);
  }
});

test("readTokenAnswer() reads errors by their codes, whatever else is in them", () => {
  assert.deepEqual(read(400, { error: "invalid_scope", error_description: "n\u00f6\n" }), {
    error: "invalid_scope",
    description: "n??",
  });
  assert.deepEqual(read(502, "<html>"), { error: undefined, description: undefined });
  assert.deepEqual(read(400, { error: 'a"b' }), { error: undefined, description: undefined });
  const long = read(403, { error: "x", error_description: "d".repeat(300) });
  assert.ok("description" in long);
  assert.equal(long.description?.length, 200);
});
