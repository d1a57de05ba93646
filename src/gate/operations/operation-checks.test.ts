import { test } from "node:test";
import assert from "node:assert/strict";
import type { OperationRules, ServiceDescription } from "./description.ts";
import { createSchemaCompiler } from "./json-schema.ts";
import { createOperationChecks, type Misfit, type OperationChecks } from "./operation-checks.ts";
import { readOpenApi } from "./read-openapi.ts";

function describe(operation: object, more: object = {}): ReturnType<typeof readOpenApi> {
  return readOpenApi(
    {
      openapi: "3.1.0",
      paths: { "/items/{id}": { post: { operationId: "one", ...operation } } },
      ...more,
    },
    "full",
  );
}

function rulesOf({ rules }: ServiceDescription): OperationRules {
  return rules?.["one"] ?? assert.fail("no rules");
}

function checksOf(operation: object, more: object = {}): OperationChecks {
  const { description, faults } = describe(operation, more);
  assert.deepEqual(faults, []);
  return createOperationChecks(rulesOf(description), createSchemaCompiler({ trusted: true }));
}

const PARAMETERS = {
  parameters: [
    { name: "id", in: "path", required: true, schema: { type: "integer", maximum: 100 } },
    { name: "page", in: "query", schema: { type: "integer", minimum: 1 } },
    { name: "all", in: "query", schema: { type: "boolean" } },
    { name: "price", in: "query", schema: { type: "number", multipleOf: 0.5 } },
    {
      name: "state",
      in: "query",
      schema: { type: "array", maxItems: 2, items: { enum: ["open", "paid"], type: "string" } },
    },
    {
      name: "ids",
      in: "query",
      explode: false,
      schema: { type: "array", items: { type: "integer" } },
    },
    { name: "day", in: "query", schema: { type: "string", format: "date" } },
    {
      name: "filter",
      in: "query",
      content: { "application/json": { schema: { type: "object", required: ["a"] } } },
    },
    { name: "X-Team", in: "header", required: true, schema: { type: "string", minLength: 3 } },
  ],
};

void test("createOperationChecks() takes parameters that fit, and those that nobody describes", () => {
  const checks = checksOf(PARAMETERS);
  const query =
    "page=2&all=false&price=1.5&state=open&state=paid&ids=1,2&day=2026-11-26&filter=%7B%22a%22:1%7D&x=1";
  assert.equal(checks.parameters("/items/7", query, ["x-team", "payments"]), undefined);
  assert.equal(checks.parameters("/items/7", undefined, ["x-team", "ops"]), undefined);
});

const misfits: readonly [path: string, query: string, expected: Misfit][] = [
  ["/items/x", "", { in: "path", name: "id", rule: "type" }],
  ["/items/101", "", { in: "path", name: "id", rule: "maximum" }],
  ["/items/1", "page=0", { in: "query", name: "page", rule: "minimum" }],
  ["/items/1", "page=1&page=2", { in: "query", name: "page", rule: "repeated" }],
  ["/items/1", "page=", { in: "query", name: "page", rule: "type" }],
  ["/items/1", "page=1.0", { in: "query", name: "page", rule: "type" }],
  ["/items/1", "all=1", { in: "query", name: "all", rule: "type" }],
  ["/items/1", "price=0x1", { in: "query", name: "price", rule: "type" }],
  ["/items/1", "price=0.3", { in: "query", name: "price", rule: "multipleOf" }],
  [
    "/items/1",
    "state=open&state=gone",
    { in: "query", name: "state", rule: "enum", pointer: "/1" },
  ],
  [
    "/items/1",
    "state=open&state=open&state=open",
    { in: "query", name: "state", rule: "maxItems" },
  ],
  ["/items/1", "ids=1,x", { in: "query", name: "ids", rule: "type" }],
  ["/items/1", "ids=1&ids=2", { in: "query", name: "ids", rule: "repeated" }],
  ["/items/1", "day=2026-13-01", { in: "query", name: "day", rule: "format" }],
  ["/items/1", "filter=%7B%7D", { in: "query", name: "filter", rule: "required" }],
  ["/items/1", 'filter={"a":1,"a":2}', { in: "query", name: "filter", rule: "json" }],
  ["/items/1", "page=%ff", { in: "query", rule: "encoding" }],
];
for (const [path, query, expected] of misfits) {
  void test(`createOperationChecks() refuses ${path}?${query} as ${expected.rule}`, () => {
    const found = checksOf(PARAMETERS).parameters(path, query, ["x-team", "payments"]);
    assert.deepEqual(found, expected);
  });
}

void test("createOperationChecks() refuses a required field that is absent, short or repeated", () => {
  const checks = checksOf(PARAMETERS);
  const ask = (fields: readonly string[]) => checks.parameters("/items/1", undefined, fields)?.rule;
  assert.equal(ask([]), "required");
  assert.equal(ask(["x-team", "a"]), "minLength");
  assert.equal(ask(["x-team", "payments", "x-team", "payments"]), "repeated");
});

const INVOICE = {
  type: "object",
  required: ["id", "lines", "total"],
  additionalProperties: false,
  properties: {
    id: { type: "integer", readOnly: true },
    total: { type: "number", minimum: 0, exclusiveMinimum: true },
    note: { type: "string", nullable: true },
    lines: { type: "array", items: { $ref: "#/components/schemas/Line" } },
  },
};
const LINE = {
  type: "object",
  required: ["price"],
  properties: { price: { type: "integer" }, part: { $ref: "#/components/schemas/Line" } },
};
const BODY = {
  requestBody: {
    required: true,
    content: {
      "application/json": { schema: { $ref: "#/components/schemas/Invoice" } },
      "text/*": {},
    },
  },
};
const COMPONENTS = { components: { schemas: { Invoice: INVOICE, Line: LINE } } };

function bodyMisfit(text: string): Misfit | undefined {
  const check = checksOf(BODY, COMPONENTS).body?.contentOf("application/json");
  assert.ok(typeof check === "function");
  return check(Buffer.from(text));
}

void test("createOperationChecks() takes a JSON body that fits, with OpenAPI 3.0's own words", () => {
  assert.equal(bodyMisfit('{"lines":[],"total":1,"note":null}'), undefined);
  assert.equal(bodyMisfit('{"lines":[{"price":1,"part":{"price":2}}],"total":0.5}'), undefined);
});

void test("createOperationChecks() names place and rule of a JSON body that does not fit", () => {
  for (const [text, pointer, rule] of [
    ['{"total":1}', "", "required"],
    ['{"lines":[],"total":0}', "/total", "exclusiveMinimum"],
    ['{"lines":[],"total":"1"}', "/total", "type"],
    ['{"lines":[{"price":1},{"price":"s3cret"}],"total":1}', "/lines/1/price", "type"],
    ['{"lines":[{"price":1,"part":{}}],"total":1}', "/lines/0/part", "required"],
    ['{"lines":[],"total":1,"s3cret":1}', "", "additionalProperties"],
    ['{"lines":[],"total":1,"total":2}', "", "json"],
    ['{"lines":[],"total":1', "", "json"],
    ["\ufeff{}", "", "json"],
    ['{"__proto__":{"lines":[],"total":1}}', "", "required"],
  ] as const) {
    assert.deepEqual(bodyMisfit(text), { in: "body", pointer, rule }, text);
  }
  const check = checksOf(BODY, COMPONENTS).body?.contentOf("application/json");
  assert.ok(typeof check === "function");
  assert.equal(check(Buffer.from([0x22, 0xff, 0x22]))?.rule, "json");
});

void test("createOperationChecks() knows which media types an operation takes", () => {
  const { body } = checksOf(BODY, COMPONENTS);
  assert.equal(body?.required, true);
  assert.equal(body?.contentOf("text/csv"), "any");
  assert.equal(body?.contentOf("application/xml"), undefined);
  assert.equal(checksOf({}).body?.contentOf("application/json"), undefined);
});

void test("readOpenApi() refuses schemas that cannot be used, at their place", () => {
  for (const [schema, at, message] of [
    [{ type: "strng" }, "schema", /cannot be used/],
    [{ minimum: "1" }, "schema", /cannot be used/],
    [{ pattern: "(" }, "schema", /cannot be used/],
    [{ $id: "urn:x", type: "string" }, "$id", /not read/],
    [{ items: { $ref: "other.yaml" }, type: "array" }, "$ref", /leads out/],
    ["text", "schema", /no schema/],
  ] as const) {
    const { faults } = describe({ parameters: [{ name: "q", in: "query", schema }] });
    const found = faults.find((fault) => message.test(fault.message));
    assert.equal(found?.path.at(-1), at, JSON.stringify(faults));
  }
});

void test("readOpenApi() makes no rules where no route asks for them", () => {
  const { description } = readOpenApi({
    openapi: "3.0.0",
    paths: { "/": { get: { operationId: "a", parameters: [] } } },
  });
  assert.equal(description.rules, undefined);
});
