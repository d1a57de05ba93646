import { strict as assert } from "node:assert";
import test from "node:test";
import type { Fields } from "../model/http.ts";
import { isHeadFault } from "./head-fault.ts";
import { DEFAULT_HEAD_LIMITS } from "./head-limits.ts";
import { readRequestFields } from "./http2/request-fields.ts";
import { readResponseFields } from "./http2/response-fields.ts";
import { readTrailerFields } from "./http2/trailer-fields.ts";
import { trailerFields } from "./http2/write-fields.ts";
import { keepNeverIndexed, markNeverIndexed, neverIndexedIn } from "./never-indexed.ts";

function marked(...fields: string[]): string[] {
  markNeverIndexed(fields, ["x-plan"]);
  return fields;
}

test("neverIndexedIn() gives what was marked in that very list", () => {
  const list = marked("x-plan", "gold");
  assert.deepEqual(neverIndexedIn(list), ["x-plan"]);
  assert.deepEqual(neverIndexedIn([...list]), []);
});

test("keepNeverIndexed() marks a list as the one that it is made of", () => {
  const list = ["x-plan", "gold"];
  assert.deepEqual(neverIndexedIn(keepNeverIndexed(list, [...list])), []);
  markNeverIndexed(list, ["x-plan"]);
  const made = [...list, "via", "1"];
  assert.equal(keepNeverIndexed(list, made), made);
  assert.deepEqual(neverIndexedIn(made), ["x-plan"]);
});

test("readRequestFields() keeps what its block wants never indexed (RFC 7541 section 6.2.3)", () => {
  const pseudo = { ":method": "GET", ":scheme": "https", ":authority": "a.example", ":path": "/" };
  const block = marked(...Object.entries(pseudo).flat(), "x-plan", "gold");
  const request = readRequestFields(block, true, DEFAULT_HEAD_LIMITS);
  assert.equal(isHeadFault(request), false);
  assert.deepEqual("head" in request && neverIndexedIn(request.head.fields), ["x-plan"]);
});

test("readResponseFields() keeps what its block wants never indexed (RFC 7541 section 6.2.3)", () => {
  const answer = readResponseFields(marked(":status", "200", "x-plan", "gold"), true, {
    method: "GET",
  });
  assert.deepEqual("fields" in answer && neverIndexedIn(answer.fields), ["x-plan"]);
});

test("readTrailerFields() and trailerFields() keep it too", () => {
  const trailers = readTrailerFields(marked("x-plan", "gold")) as Fields;
  assert.deepEqual(neverIndexedIn(trailers), ["x-plan"]);
  assert.deepEqual(neverIndexedIn(trailerFields(trailers)), ["x-plan"]);
});
