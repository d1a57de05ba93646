import assert from "node:assert/strict";
import test from "node:test";
import { createSchemaCompiler } from "./json-schema.ts";
import { beyond, workBounds } from "./schema-work.ts";

const EXPRESSION = {
  $ref: "#/$defs/Expr",
  $defs: {
    Expr: { oneOf: [{ $ref: "#/$defs/And" }, { $ref: "#/$defs/Or" }, { type: "string" }] },
    And: operator("and"),
    Or: operator("or"),
  },
};

function operator(name: string): object {
  const arg = { $ref: "#/$defs/Expr" };
  return { type: "object", required: ["op", "arg"], properties: { arg, op: { const: name } } };
}

function nested(levels: number): unknown {
  return levels === 0 ? "x" : { op: "and", arg: nested(levels - 1) };
}

const compile = createSchemaCompiler({ trusted: false });

test("workBounds() bounds the depth where alternatives lead back to themselves", () => {
  assert.deepEqual(workBounds(EXPRESSION, 64), { depth: 9, items: Infinity });
  const straight = { oneOf: [{ $ref: "#/$defs/A" }, { type: "string" }], $defs: { A: {} } };
  assert.equal(workBounds(straight, 64).depth, 64);
  const list = { type: "array", items: { $ref: "#" } };
  assert.equal(workBounds(list, 64).depth, 64);
  assert.equal(workBounds({ anyOf: [list, {}], $ref: "#/$defs/gone" }, 64).depth, 15);
  const many = { anyOf: Array.from({ length: 40 }, () => ({ $ref: "#" })) };
  assert.equal(workBounds(many, 64).depth, 4);
  assert.equal(workBounds({ items: { uniqueItems: true } }, 64).items, 1000);
  assert.equal(workBounds(true, 64).depth, 64);
});

test("beyond() says what there is too much of", () => {
  const bounds = { depth: 3, items: 2 };
  assert.equal(beyond([[[1, 2]]], bounds), undefined);
  assert.equal(beyond([[[[]]]], bounds), "too-deep");
  assert.equal(beyond({ a: [1, 2, 3] }, bounds), "too-many-items");
  const values = Array.from({ length: 100_000 }, () => 1);
  assert.equal(beyond(values, { depth: 3, items: Infinity }), "too-many-values");
});

test("a value of a recursive schema that would cost seconds is refused by its depth", () => {
  const check = compile(JSON.stringify(EXPRESSION));
  assert.equal(check(nested(9)), undefined);
  assert.deepEqual(check(nested(10)), { pointer: "", keyword: "too-deep" });
  assert.deepEqual(check(nested(40)), { pointer: "", keyword: "too-deep" });
});

test("items that have to differ are few, and a long URL is not looked at", () => {
  const unique = compile('{"type":"array","uniqueItems":true,"items":{"type":"object"}}');
  const items = (count: number): object[] => Array.from({ length: count }, (_, a) => ({ a }));
  assert.equal(unique(items(1000)), undefined);
  assert.equal(unique(items(1001))?.keyword, "too-many-items");
  const url = compile('{"format":"url"}');
  assert.equal(url(`http://${":".repeat(60_000)}@`), undefined);
});
