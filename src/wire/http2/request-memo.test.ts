import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { DEFAULT_HEAD_LIMITS, isHeadFault, readRequestFields } from "./request-fields.ts";
import { RequestMemo } from "./request-memo.ts";

const GET = [":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/"];

test("readRequestFields() gives the very head again for the very list, with a memo", () => {
  const rules = { ...DEFAULT_HEAD_LIMITS, memo: new RequestMemo() };
  const lists = ["a", "b", "c", "d"].map((text) => [...GET, "x", text]);
  const first = lists.map((list) => readRequestFields(list, true, rules));
  for (const [index, list] of lists.entries()) {
    assert.equal(readRequestFields(list, true, rules), first[index]);
  }
  // A fifth takes the place of the first.
  readRequestFields([...GET], true, rules);
  assert.notEqual(readRequestFields(lists[0] as string[], true, rules), first[0]);
});

test("readRequestFields() reads a list anew that ends its stream where it did not, with a memo", () => {
  const rules = { ...DEFAULT_HEAD_LIMITS, memo: new RequestMemo() };
  const list = [...GET, "content-length", "3"];
  assert.ok(!isHeadFault(readRequestFields(list, false, rules)));
  assert.ok(isHeadFault(readRequestFields(list, true, rules)));
});

test("readRequestFields() makes a key for each handshake, with a memo", () => {
  let keys = 0;
  const newWebsocketKey = (): string => String((keys += 1));
  const rules = { ...DEFAULT_HEAD_LIMITS, memo: new RequestMemo(), newWebsocketKey };
  const list = [":protocol", "websocket", ...GET].map((text) =>
    text === "GET" ? "CONNECT" : text,
  );
  for (const key of ["1", "2"]) {
    const read = readRequestFields(list, false, rules);
    if (isHeadFault(read)) assert.fail(read.detail);
    assert.equal(read.head.fields.at(-1), key);
  }
});

test("readRequestFields() judges a field anew of which name or value alone is as before, with a memo", () => {
  for (const [name, value] of [
    ["x-a", "a\r\nx-b: b"],
    ["X-A", "a"],
  ]) {
    const rules = { ...DEFAULT_HEAD_LIMITS, memo: new RequestMemo() };
    assert.ok(!isHeadFault(readRequestFields([...GET, "x-a", "a"], true, rules)));
    assert.ok(isHeadFault(readRequestFields([...GET, name ?? "", value ?? ""], true, rules)));
    // What was refused is not what was accepted last.
    assert.ok(isHeadFault(readRequestFields([...GET, name ?? "", value ?? ""], true, rules)));
  }
});

test("RequestMemo keeps no long list", () => {
  const rules = { ...DEFAULT_HEAD_LIMITS, memo: new RequestMemo() };
  const list = [...GET, "x", "a".repeat(4096)];
  const first = readRequestFields(list, true, rules);
  assert.ok(!isHeadFault(first));
  assert.notEqual(readRequestFields(list, true, rules), first);
  assert.equal(rules.memo.holds(list, 0), false);
});

const field = fc.tuple(
  fc.constantFrom("accept", "x-a", "cookie", "host", "te", "content-length", "X-Upper", "upgrade"),
  fc.constantFrom("a", "b", " a", "a\r\n", "a.example", "trailers", "1"),
);
const list = fc.tuple(fc.constantFrom("/", "/b", "c"), fc.array(field, { maxLength: 4 }));

test("readRequestFields() with a memo says what it says without", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(list, fc.boolean()), { maxLength: 12 }), (blocks) => {
      const memo = new RequestMemo();
      const lists = new Map<string, string[]>();
      for (const [[path, fields], endStream] of blocks) {
        const made = [...GET.slice(0, -1), path, ...fields.flat()];
        // Equal lists are one list, as from a decoder with a memo.
        const given = lists.get(made.join("\n")) ?? made;
        lists.set(made.join("\n"), given);
        assert.deepEqual(
          readRequestFields(given, endStream, { ...DEFAULT_HEAD_LIMITS, memo }),
          readRequestFields(made, endStream, DEFAULT_HEAD_LIMITS),
        );
      }
    }),
    { numRuns: 2000 },
  );
});
