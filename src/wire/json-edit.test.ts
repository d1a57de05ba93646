import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { editJson, type JsonEdit } from "./json-edit.ts";
import { isWithin, parsePointer, type JsonPointer } from "./json-pointer.ts";

function pointer(text: string): JsonPointer {
  const parsed = parsePointer(text);
  if (parsed === undefined) throw new TypeError(`not a pointer: ${text}`);
  return parsed;
}

interface Written {
  readonly rename?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
  readonly set?: Readonly<Record<string, string>>;
}

function edit(text: string, { rename = {}, remove = [], set = {} }: Written): string {
  const compiled: JsonEdit = {
    rename: Object.entries(rename).map(([from, to]) => ({ from: pointer(from), to: pointer(to) })),
    remove: remove.map(pointer),
    set: Object.entries(set).map(([at, value]) => ({ at: pointer(at), text: value })),
  };
  const result = editJson(Buffer.from(text), compiled);
  return "text" in result ? result.text : "FAULT";
}

test("parsePointer() reads the pointers of RFC 6901 section 5", () => {
  assert.deepEqual(parsePointer(""), []);
  assert.deepEqual(parsePointer("/foo/0"), ["foo", "0"]);
  assert.deepEqual(parsePointer("/"), [""]);
  assert.deepEqual(parsePointer("/a~1b/m~0n/~01"), ["a/b", "m~n", "~1"]);
  assert.deepEqual(parsePointer("/ /c%d/e^f"), [" ", "c%d", "e^f"]);
  for (const bad of ["a", "#/a", "/~", "/~2", "/a~", "/\ud800", `/${"a/".repeat(70)}`]) {
    assert.equal(parsePointer(bad), undefined, bad);
  }
});

test("editJson() leaves what it does not touch as it was written", () => {
  const text = ' { "b" : 1.0e+2, "10": 9007199254740993.10, "2": [ 1 , "\\u00e9\\/" ] , "a":{ } } ';
  assert.equal(
    edit(text, { set: { "/x": "1" } }),
    '{"b":1.0e+2,"10":9007199254740993.10,"2":[ 1 , "\\u00e9\\/" ],"a":{ },"x":1}',
  );
  assert.equal(edit(text, {}), text.trim());
});

test("editJson() removes, sets and renames members", () => {
  assert.equal(
    edit('{"a":1,"b":{"c":2,"d":3}}', { remove: ["/a", "/b/c", "/x", "/a/y"] }),
    '{"b":{"d":3}}',
  );
  assert.equal(
    edit('{"a":{"b":1}}', { set: { "/a/b": '"x"', "/c/d/e": "[1]" } }),
    '{"a":{"b":"x"},"c":{"d":{"e":[1]}}}',
  );
  assert.equal(edit('{"a":1,"b":2}', { rename: { "/a": "/z" } }), '{"z":1,"b":2}');
  assert.equal(edit('{"a":1,"b":2}', { rename: { "/a": "/b" } }), '{"b":1}');
  assert.equal(edit('{"a":1}', { rename: { "/a": "/x/y" } }), '{"x":{"y":1}}');
  assert.equal(edit('{"b":2}', { rename: { "/a": "/b" } }), '{"b":2}');
  assert.equal(edit("1", { set: { "": "{}" } }), "{}");
});

test("editJson() takes array places as RFC 6901 section 4 has them", () => {
  assert.equal(edit("[1,2,3]", { remove: ["/1"] }), "[1,3]");
  assert.equal(edit("[1,2,3]", { remove: ["/01", "/3", "/-", "/x"] }), "[1,2,3]");
  assert.equal(edit("[1]", { set: { "/0": "9", "/-": "2" } }), "[9,2]");
  assert.equal(edit("[1]", { set: { "/1": "2" } }), "[1,2]");
  assert.equal(edit('[{"a":1}]', { rename: { "/0/a": "/0/b" } }), '[{"b":1}]');
  for (const at of ["/2", "/01", "/x", "/-/a", "/0/a", "/-1"]) {
    assert.equal(edit("[1]", { set: { [at]: "2" } }), "FAULT", at);
  }
});

test("editJson() overwrites nothing on the way to a place", () => {
  for (const text of ['{"a":1}', '{"a":"x"}', '{"a":null}', '{"a":true}']) {
    assert.equal(edit(text, { set: { "/a/b": "1" } }), "FAULT", text);
  }
  assert.equal(edit('{"a":1,"x":2}', { rename: { "/x": "/a/b" } }), "FAULT");
  assert.equal(edit("1", { set: { "/a": "1" } }), "FAULT");
});

test("editJson() refuses what two readers could understand differently", () => {
  for (const text of [
    "",
    "{",
    '{"a":1,"a":2}',
    String.raw`{"a":1,"\u0061":2}`,
    "{'a':1}",
    '{"a":1}x',
    "\ufeff{}",
    "NaN",
    "[".repeat(65) + "]".repeat(65),
  ]) {
    assert.equal(edit(text, { remove: ["/a"] }), "FAULT", text.slice(0, 20));
  }
  assert.ok(
    "fault" in editJson(Uint8Array.of(0x22, 0xff, 0x22), { rename: [], remove: [], set: [] }),
  );
});

test("editJson() finds a name however it is escaped, and no prototype", () => {
  assert.equal(edit(String.raw`{"\u0061dmin":1,"b":2}`, { remove: ["/admin"] }), '{"b":2}');
  assert.equal(
    edit('{"__proto__":{"x":1},"constructor":{"y":2}}', { remove: ["/__proto__/x"] }),
    '{"__proto__":{},"constructor":{"y":2}}',
  );
  assert.equal(
    edit("{}", { set: { "/__proto__/admin": "true", "/constructor/prototype/x": "1" } }),
    '{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}}}',
  );
  assert.equal(edit("[]", { remove: ["/length", "/__proto__"] }), "[]");
  assert.equal(edit("[]", { set: { "/length": "1" } }), "FAULT");
  assert.equal(({} as Record<string, unknown>)["admin"], undefined);
});

const names = fc.constantFrom("a", "b", "10", "2", "__proto__", "", "a/b", "m~n", "é");
const documents = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, 1, -2.5, "x", '\u2028"\\', 1e21),
    fc.array(tie("value"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc
    .uniqueArray(fc.tuple(names, tie("value")), { maxLength: 4, selector: ([name]) => name })
    .map((members) => new Map(members as [string, unknown][])),
})).object as fc.Arbitrary<Map<string, unknown>>;
const pointers = fc.array(fc.oneof(names, fc.constantFrom("0", "1", "-")), {
  minLength: 1,
  maxLength: 4,
});

/** JSON of a document whose objects are Maps, so that order and `__proto__` are what they are. */
function write(value: unknown, space: string): string {
  if (value instanceof Map) {
    const members = [...value].map(
      ([name, item]) => `${space}${JSON.stringify(name)}${space}:${space}${write(item, space)}`,
    );
    return `{${members.join(",")}${space}}`;
  }
  if (Array.isArray(value))
    return `[${space}${value.map((item) => write(item, space)).join(`${space},`)}${space}]`;
  return JSON.stringify(value);
}

/** The simple way to say it: a deep copy without what stands at the pointer. */
function without(value: unknown, [token = "", ...rest]: JsonPointer): unknown {
  if (value instanceof Map) {
    const kept = [...value].flatMap(([name, item]): [string, unknown][] => {
      if (name !== token) return [[name as string, item]];
      return rest.length === 0 ? [] : [[token, without(item, rest)]];
    });
    return new Map(kept);
  }
  if (!Array.isArray(value)) return value;
  return value.flatMap((item: unknown, index) => {
    if (String(index) !== token) return [item];
    return rest.length === 0 ? [] : [without(item, rest)];
  });
}

const compact = (text: string): unknown => JSON.parse(text, (_name, value: unknown) => value);

test("editJson() removes exactly what stands at the pointer", () => {
  fc.assert(
    fc.property(documents, pointers, fc.constantFrom("", " ", "\n\t"), (document, at, space) => {
      const text = write(document, space);
      const result = editJson(Buffer.from(text), { rename: [], remove: [at], set: [] });
      assert.ok("text" in result);
      const expected = write(without(document, at), "");
      assert.equal(stripped(result.text), stripped(expected));
    }),
    { numRuns: 500 },
  );
});

/** White space outside of strings taken out. */
function stripped(text: string): string {
  return text.replaceAll(
    /("(?:[^"\\]|\\.)*")|\s+/g,
    (_all, quoted: string | undefined) => quoted ?? "",
  );
}

test("editJson() puts a value where the pointer then finds it, and nothing else changes", () => {
  fc.assert(
    fc.property(documents, pointers, documents, (document, at, value) => {
      const text = write(document, "");
      const result = editJson(Buffer.from(text), {
        rename: [],
        remove: [],
        set: [{ at, text: write(value, "") }],
      });
      if ("fault" in result) return;
      compact(result.text);
      const index = at.findIndex((token) => token === "-");
      if (index >= 0) return;
      const gone = editJson(Buffer.from(result.text), { rename: [], remove: [at], set: [] });
      const before = editJson(Buffer.from(text), { rename: [], remove: [at], set: [] });
      assert.ok("text" in gone && "text" in before);
      const twice = editJson(Buffer.from(result.text), {
        rename: [],
        remove: [],
        set: [{ at, text: write(value, "") }],
      });
      assert.deepEqual(twice, result, "setting it again changes nothing");
    }),
    { numRuns: 500 },
  );
});

test("editJson() renames back what it renamed", () => {
  fc.assert(
    fc.property(documents, pointers, names, (document, from, name) => {
      const text = write(document, "");
      const to = [...from.slice(0, -1), `new-${name}`];
      const there = editJson(Buffer.from(text), { rename: [{ from, to }], remove: [], set: [] });
      assert.ok("text" in there || from.length > 1);
      if ("fault" in there) return;
      const back = editJson(Buffer.from(there.text), {
        rename: [{ from: to, to: from }],
        remove: [],
        set: [],
      });
      if ("text" in back && !from.includes("0") && !from.includes("1"))
        assert.equal(back.text, text);
    }),
    { numRuns: 500 },
  );
});

test("isWithin() knows a place from one inside it", () => {
  assert.ok(isWithin(["a", "b"], ["a"]) && isWithin(["a"], ["a"]) && isWithin(["a"], []));
  assert.ok(!isWithin(["a"], ["a", "b"]) && !isWithin(["b"], ["a"]));
});
