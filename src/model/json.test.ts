import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import * as fc from "fast-check";
import { corpora } from "../../test/corpora.ts";
import { isJsonObject, parseJson, parseJsonBytes, type JsonValue } from "./json.ts";

const folder = corpora("json/test_parsing");

/**
 * `y_` files that hold what we refuse on purpose: readers disagree about what they mean.
 */
const STRICTER: ReadonlyMap<string, string> = new Map([
  ["y_object_duplicated_key.json", "repeated member name"],
  ["y_object_duplicated_key_and_value.json", "repeated member name"],
]);

test("parseJsonBytes() judges the JSON test suite", { skip: folder === undefined }, async (t) => {
  for (const name of readdirSync(folder ?? "").toSorted()) {
    const parse = (): JsonValue => parseJsonBytes(readFileSync(join(folder ?? "", name)));
    await t.test(name, () => {
      if (name.startsWith("n_") || STRICTER.has(name)) assert.throws(parse, SyntaxError);
      else if (name.startsWith("y_")) parse();
      else {
        try {
          parse();
        } catch (error) {
          assert.ok(error instanceof SyntaxError, "an i_ file is read or refused, nothing else");
        }
      }
    });
  }
});

test("parseJson() reads what JSON.stringify writes", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      if (!text.isWellFormed() || hasLoneSurrogateEscape(text)) return;
      assert.deepEqual(plain(parseJson(text)), JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

/** What JSON is made of, and what comes close. */
const PIECES = [
  '{"a":',
  "[",
  "]",
  "}",
  ",",
  ":",
  '"',
  "1",
  "-",
  "0",
  ".",
  "e",
  "tru",
  "true",
  "null",
  " ",
  "\\",
  "\\u00",
  '"b"',
  "\n",
  "\u0000",
  "\ufeff",
  "/",
  "N",
  "é",
  "\u2028",
];

test("parseJson() refuses whatever JSON.parse refuses", () => {
  const pieces = fc.constantFrom(...PIECES);
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      const theirs = attempt(() => JSON.parse(text) as unknown);
      const ours = attempt(() => parseJson(text));
      if (theirs === undefined) assert.equal(ours, undefined, "we read what they refuse");
      else if (ours !== undefined) assert.deepEqual(plain(ours.value), theirs.value);
    }),
    { numRuns: 5000 },
  );
});

test("parseJson() refuses what two readers could understand differently", async (t) => {
  const cases: readonly [name: string, text: string][] = [
    ["repeated name", '{"a":1,"a":1}'],
    ["repeated name in other spelling", String.raw`{"a":1,"\u0061":2}`],
    ["repeated __proto__", '{"__proto__":1,"__proto__":2}'],
    ["lone surrogate escape", String.raw`"\ud800"`],
    ["reversed surrogates", String.raw`"\udc00\ud800"`],
    ["byte order mark", "\ufeff{}"],
    ["infinite number", "1e400"],
    ["endless integer", "1".repeat(100)],
    ["too deep", "[".repeat(33) + "]".repeat(33)],
    ["lone surrogate in the text", '"\ud800"'],
  ];
  for (const [name, text] of cases) {
    await t.test(name, () => assert.throws(() => parseJson(text), SyntaxError));
  }
});

test("parseJson() keeps integers that a double cannot hold", () => {
  assert.equal(parseJson("9007199254740991"), 9_007_199_254_740_991);
  assert.equal(parseJson("9007199254740993"), 9_007_199_254_740_993n);
  assert.equal(parseJson("-9223372036854775808"), -9_223_372_036_854_775_808n);
});

test("parseJson() makes objects that no member name can reach out of", () => {
  const value = parseJson('{"__proto__":{"admin":true},"constructor":1}');
  assert.ok(isJsonObject(value));
  assert.equal(Object.getPrototypeOf(value), null);
  assert.deepEqual(Object.keys(value), ["__proto__", "constructor"]);
  assert.equal(value["admin"], undefined);
  assert.equal(value["toString"], undefined);
});

test("parseJson() names no content in its errors", () => {
  const canary = "CANARY-7f3a";
  for (const text of [`{"a":${canary}}`, `{"${canary}":1,"${canary}":2}`, `"${canary}`, canary]) {
    assert.throws(
      () => parseJson(text),
      (error: Error) => error instanceof SyntaxError && !error.message.includes(canary),
    );
  }
});

test("parseJsonBytes() refuses bytes that are not UTF-8", () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0xaf, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
  ]) {
    assert.throws(() => parseJsonBytes(Uint8Array.from(bytes)), SyntaxError);
  }
});

function attempt<T>(run: () => T): { readonly value: T } | undefined {
  try {
    return { value: run() };
  } catch {
    return undefined;
  }
}

function hasLoneSurrogateEscape(text: string): boolean {
  return /\\ud[89a-f]/i.test(text);
}

/** The same value with ordinary prototypes, and bigints as JSON.parse would have rounded them. */
function plain(value: JsonValue): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(plain);
  if (!isJsonObject(value)) return value;
  const members = Object.entries(value).map(([name, member]) => [name, plain(member ?? null)]);
  return Object.fromEntries(members);
}

test("parseJson() counts the values that it takes", () => {
  const text = '{"a":[1,{"b":null}]}';
  parseJson(text, { maxValues: 5 });
  assert.throws(() => parseJson(text, { maxValues: 4 }), /too many values/);
});
