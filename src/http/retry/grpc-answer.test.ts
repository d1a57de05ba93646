import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fields, RequestHead, ResponseHead } from "../../model/http.ts";
import { causeOf, hasPushback, judgedStatus } from "./grpc-answer.ts";

const CALL = {
  method: "POST",
  version: "2",
  fields: ["content-type", "application/grpc+proto"],
} as unknown as RequestHead;
const BUSY: Fields = ["content-type", "application/grpc", "grpc-status", "14"];

function answer(fields: Fields, changes: Partial<ResponseHead> = {}): ResponseHead {
  return { status: 200, fields, bodyKind: "none", ...changes } as ResponseHead;
}

test("causeOf() knows a call that is answered UNAVAILABLE and nothing else", () => {
  assert.equal(causeOf(answer(BUSY), CALL), "grpc-unavailable");
  const said = { bodyKind: "length", contentLength: 0 } as const;
  assert.equal(causeOf(answer(BUSY, said), CALL), "grpc-unavailable");
});

test("causeOf() is the status for everything else", () => {
  const plain = { ...CALL, fields: ["content-type", "application/json"] } as RequestHead;
  const old = { ...CALL, version: "1.1" } as RequestHead;
  assert.equal(causeOf(answer(BUSY, { bodyKind: "chunked" }), CALL), 200);
  const message = { bodyKind: "length", contentLength: 7 } as const;
  assert.equal(causeOf(answer(BUSY, message), CALL), 200);
  assert.equal(causeOf(answer(BUSY, { status: 503 }), CALL), 503);
  assert.equal(causeOf(answer([...BUSY.slice(0, 3), "13"]), CALL), 200);
  assert.equal(causeOf(answer(BUSY.slice(2)), CALL), 200);
  assert.equal(causeOf(answer(BUSY), plain), 200);
  assert.equal(causeOf(answer(BUSY), old), 200);
});

test("judgedStatus() takes an unavailable call for a 503", () => {
  assert.equal(judgedStatus("grpc-unavailable", 200), 503);
  assert.equal(judgedStatus(200, 200), 200);
});

test("hasPushback() is true whatever the service asks for", () => {
  assert.equal(hasPushback(answer([...BUSY, "grpc-retry-pushback-ms", "-1"])), true);
  assert.equal(hasPushback(answer(BUSY)), false);
});
