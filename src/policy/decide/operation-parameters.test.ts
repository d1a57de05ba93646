import { test } from "node:test";
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { VocabularyParameter } from "../../model/vocabulary.ts";
import { BAD_PARAMETER } from "../cedar/evaluation-error.ts";
import { CedarSet } from "../cedar/values.ts";
import { parseFormQuery } from "./form-query.ts";
import { declareParameters, OperationParameters } from "./operation-parameters.ts";

const DECLARED: readonly VocabularyParameter[] = [
  { name: "id", type: "long", required: true, segment: 1 },
  { name: "parts", type: "strings", required: true, segment: 2, delimiter: "," },
  { name: "limit", type: "long", required: false },
  { name: "all", type: "bool", required: false },
  { name: "state", type: "strings", required: false },
  { name: "ids", type: "strings", required: false, delimiter: "," },
  { name: "tenant", type: "string", required: true },
];

function parametersOf(path: string, query: string): OperationParameters {
  const values = parseFormQuery(query);
  return new OperationParameters(
    declareParameters(DECLARED),
    path,
    (name) => values.get(name) ?? [],
  );
}

void test("OperationParameters gives each declared parameter its type", () => {
  const query = "limit=-5&all=true&state=a&state=b&ids=x,y&tenant=t+1&other=1";
  const parameters = parametersOf("/items/9007199254740993/a%2Cb,c", query);
  assert.equal(parameters.get("id"), 9_007_199_254_740_993n);
  assert.deepEqual(parameters.get("parts"), new CedarSet(["a,b", "c"]));
  assert.equal(parameters.get("limit"), -5);
  assert.equal(parameters.get("all"), true);
  assert.deepEqual(parameters.get("state"), new CedarSet(["a", "b"]));
  assert.deepEqual(parameters.get("ids"), new CedarSet(["x", "y"]));
  assert.equal(parameters.get("tenant"), "t 1");
  assert.equal(parameters.get("other"), undefined);
  assert.equal(parameters.has("other"), false);
  assert.equal(parameters.entries().size, 7);
});

void test("OperationParameters leaves out optional ones that are absent", () => {
  const parameters = parametersOf("/items/1/a", "tenant=t");
  for (const name of ["limit", "all", "state", "ids"]) {
    assert.equal(parameters.has(name), false, name);
    assert.equal(parameters.get(name), undefined, name);
  }
  assert.deepEqual([...parameters.entries().keys()], ["id", "parts", "tenant"]);
});

void test("OperationParameters errs where a parameter is repeated, of another type, or missing", () => {
  for (const [name, query] of [
    ["limit", "limit=1&limit=1"],
    ["limit", "limit=1&limit=2"],
    ["limit", "limit="],
    ["limit", "limit=1e3"],
    ["limit", "limit=01"],
    ["limit", "limit=%2B1"],
    ["limit", "limit=-0"],
    ["limit", "limit=1.0"],
    ["all", "all=1"],
    ["all", "all=TRUE"],
    ["ids", "ids=1&ids=2"],
    ["tenant", "tenant=a&tenant=b"],
    ["tenant", ""],
  ] as const) {
    assert.throws(() => parametersOf("/items/1/a", query).get(name), BAD_PARAMETER, query);
  }
  assert.throws(() => parametersOf("/items/x/a", "").get("id"), BAD_PARAMETER);
  assert.throws(() => parametersOf("/items/1/a", "limit=9223372036854775808").get("limit"));
});

void test("OperationParameters says `has` of what cannot be read, and errs for a required one that is missing", () => {
  assert.equal(parametersOf("/items/1/a", "limit=x").has("limit"), true);
  assert.equal(parametersOf("/items/1/a", "tenant=a&tenant=b").has("tenant"), true);
  assert.throws(() => parametersOf("/items/1/a", "").has("tenant"), BAD_PARAMETER);
});

void test("OperationParameters takes a long exactly where BigInt writes it so", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String), fc.string()),
      (text) => {
        const fits = /^-?\d+$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
        const parameters = new OperationParameters(
          declareParameters([{ name: "n", type: "long", required: false }]),
          "/",
          () => [text],
        );
        if (fits && String(BigInt(text)) === text) {
          assert.equal(BigInt(parameters.get("n") as number | bigint), BigInt(text));
        } else {
          assert.throws(() => parameters.get("n"));
        }
      },
    ),
  );
});
