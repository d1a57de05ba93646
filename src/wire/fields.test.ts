import { strict as assert } from "node:assert";
import test from "node:test";
import { forwardable, getAllFields, getField, HOP_BY_HOP, isEndToEndName } from "./fields.ts";

const fields = ["host", "a", "x-one", "1", "accept", "b", "x-one", "2"];

test("getField() gives the first value, getAllFields() all of them in order", () => {
  assert.equal(getField(fields, "x-one"), "1");
  assert.equal(getField(fields, "1"), undefined);
  assert.deepEqual(getAllFields(fields, "x-one"), ["1", "2"]);
  assert.deepEqual(getAllFields(fields, "x-two"), []);
});

test("forwardable() drops every hop-by-hop field and keeps the order of the others", () => {
  const hop = [...HOP_BY_HOP].flatMap((name) => [name, "x"]);
  assert.deepEqual(forwardable([...hop, ...fields, ...hop], undefined), fields);
});

test("forwardable() drops what Connection names", () => {
  assert.deepEqual(forwardable(fields, ["x-one"]), ["host", "a", "accept", "b"]);
});

test("forwardable() keeps end-to-end fields whatever Connection names", () => {
  const kept = ["host", "a", "authorization", "b", "cookie", "c", "x-forwarded-for", "d"];
  assert.deepEqual(forwardable(kept, ["host", "authorization", "cookie", "x-forwarded-for"]), kept);
});

test("isEndToEndName() is false for what two neighbours may agree on", () => {
  for (const name of ["te", "upgrade", "transfer-encoding", "keep-alive", "x-internal"]) {
    assert.equal(isEndToEndName(name), false, name);
  }
});
