import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseJson } from "../model/json.ts";
import { createJsonFields, type JsonField, JSON_FIELD_LIMITS } from "./json-fields.ts";
import { parsePointer } from "./json-pointer.ts";

function fieldsOf(places: Readonly<Record<string, JsonField["type"]>>): JsonField[] {
  return Object.entries(places).map(([pointer, type]) => ({
    name: pointer.slice(1).replaceAll("/", "_"),
    at: parsePointer(pointer) ?? [],
    type,
  }));
}

function read(text: string, places: Readonly<Record<string, JsonField["type"]>>) {
  return createJsonFields(fieldsOf(places))(parseJson(text), text);
}

test("createJsonFields() reads what is there, and leaves out what is not", () => {
  const places = {
    "/amount": "long",
    "/ok": "bool",
    "/to/name": "string",
    "/tags": "strings",
    "/list/1/id": "long",
    "/a~1b": "string",
    "/absent": "string",
    "/to/absent/deep": "long",
  } as const;
  const text =
    '{"amount":-7,"ok":false,"to":{"name":"\\u0041da"},"tags":["x","y"],"list":[0,{"id":3}],"a/b":"c"}';
  assert.deepEqual(
    { ...read(text, places) },
    {
      values: Object.assign(Object.create(null), {
        amount: -7,
        ok: false,
        to_name: "Ada",
        tags: ["x", "y"],
        list_1_id: 3,
        "a~1b": "c",
      }),
    },
  );
});

test("createJsonFields() reads 64-bit integers exactly", () => {
  const values: readonly [string, number | bigint][] = [
    ["0", 0],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["9007199254740993", 9007199254740993n],
    ["9223372036854775807", 2n ** 63n - 1n],
    ["-9223372036854775808", -(2n ** 63n)],
  ];
  for (const [text, value] of values) {
    const found = read(`{"n":${text}}`, { "/n": "long" });
    assert.deepEqual("values" in found && found.values["n"], value, text);
  }
});

const UNFIT: readonly [title: string, text: string, type: JsonField["type"]][] = [
  ["an exponent", '{"n":1e3}', "long"],
  ["a fraction of nothing", '{"n":1.0}', "long"],
  ["a fraction that a double loses", '{"n":1000.00000000000000000001}', "long"],
  ["an integer beyond 64 bits", '{"n":9223372036854775808}', "long"],
  ["a number as a text", '{"n":"1"}', "long"],
  ["null", '{"n":null}', "long"],
  ["null for a text", '{"n":null}', "string"],
  ["a text with NUL", '{"n":"a\\u0000b"}', "string"],
  ["a list for a text", '{"n":["a"]}', "string"],
  ["a text for true", '{"n":"true"}', "bool"],
  ["a number for true", '{"n":1}', "bool"],
  ["a text for a list", '{"n":"a"}', "strings"],
  ["a list of numbers", '{"n":[1]}', "strings"],
  ["a list of texts with NUL", '{"n":["a","\\u0000"]}', "strings"],
  ["a long list", JSON.stringify({ n: Array(JSON_FIELD_LIMITS.items + 1).fill("") }), "strings"],
];
for (const [title, text, type] of UNFIT) {
  test(`createJsonFields() refuses ${title}, and names the place alone`, () => {
    const { fault } = read(text, { "/n": type });
    assert.match(fault ?? "", /^\/n is no /);
  });
}

const ASTRAY: readonly [title: string, text: string, fault: RegExp][] = [
  ["a list in the place of an object", '{"a":[{"n":1}]}', /^\/a is a list/],
  ["a text in the place of an object", '{"a":"{}"}', /^\/a is no object/],
  ["null in the place of an object", '{"a":null}', /^\/a is no object/],
  ["a document that is a list", '[{"a":{"n":1}}]', /^the document is a list/],
  ["a document that is a text", '"a"', /^the document is no object/],
  ["a name in another case", '{"A":{"n":1}}', /^the document has a member/],
  ["a name in another case beside the real one", '{"a":{"n":1},"A":{"n":2}}', /^the document/],
  ["a name in another spelling further in", '{"a":{"_n":2}}', /^\/a has a member/],
  ["a name with NUL", '{"a":{"n\\u0000":2}}', /^\/a has a member/],
];
for (const [title, text, expected] of ASTRAY) {
  test(`createJsonFields() refuses ${title}`, () => {
    assert.match(read(text, { "/a/n": "long" }).fault ?? "", expected);
  });
}

test("createJsonFields() takes a name by its characters, however it is written", () => {
  assert.deepEqual({ ...read('{"\\u0061":{"\\u006e":1}}', { "/a/n": "long" }) }.fault, undefined);
  const proto = read('{"__proto__":{"n":5}}', { "/n": "long", "/__proto__/n": "long" });
  assert.ok("values" in proto);
  assert.deepEqual(Object.entries(proto.values ?? {}), [["__proto___n", 5]]);
});

test("createJsonFields() reads what JSON.parse reads, or refuses", () => {
  const names = fc.constantFrom("a", "b", "A", "n");
  const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null));
  const document = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      leaf,
      fc.dictionary(names, tie("value")),
      fc.array(tie("value")),
    ),
  })).value;
  fc.assert(
    fc.property(document, fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      if (!text.isWellFormed() || /\\ud[89a-f]/i.test(text)) return;
      const found = read(text, { "/a/n": "long", "/b": "string" });
      if (found.fault !== undefined) return;
      const plain = JSON.parse(text) as { a?: { n?: unknown }; b?: unknown };
      assert.equal(found.values["a_n"], plain.a?.n);
      assert.equal(found.values["b"], plain.b);
    }),
  );
});
