import { test } from "node:test";
import assert from "node:assert/strict";
import type { VocabularyOperation } from "../../model/vocabulary.ts";
import { readOpenApi } from "./read-openapi.ts";

const OK = { description: "fine" };

function documentOf(paths: unknown, more: object = {}): unknown {
  return { openapi: "3.1.0", info: { title: "t", version: "1" }, paths, ...more };
}

function operationsOf(document: unknown): readonly VocabularyOperation[] {
  const { description, faults } = readOpenApi(document);
  assert.deepEqual(faults, []);
  return description.operations;
}

function faultsOf(document: unknown): string[] {
  return readOpenApi(document).faults.map(
    ({ path, message, remedy = "" }) => `${path.join(".")}: ${message} | ${remedy}`,
  );
}

const one = (part: object = {}) => ({ operationId: "one", responses: { 200: OK }, ...part });

void test("readOpenApi() reads ids, methods, paths, tags, groups and typed parameters", () => {
  const document = documentOf(
    {
      "/invoices/{id}": {
        parameters: [{ $ref: "#/components/parameters/Id" }],
        get: one({
          operationId: "getInvoice",
          tags: ["invoices"],
          "x-sallyport-group": ["reports", "invoices"],
          parameters: [
            { name: "page", in: "query", schema: { type: "integer" } },
            { name: "all", in: "query", required: true, schema: { type: ["boolean", "null"] } },
            { name: "state", in: "query", schema: { type: "array", items: { type: "string" } } },
            {
              name: "ids",
              in: "query",
              explode: false,
              schema: { type: "array", items: { $ref: "#/components/schemas/Word" } },
            },
            { name: "price", in: "query", schema: { type: "number" } },
            { name: "filter", in: "query", style: "deepObject", schema: { type: "object" } },
            { name: "X-Team", in: "header", schema: { type: "string" } },
          ],
        }),
        delete: one({ operationId: "deleteInvoice", "x-sallyport-group": "dangerous" }),
        trace: one({ operationId: "never" }),
      },
    },
    {
      servers: [
        { url: "https://api.example.com/{version}/", variables: { version: { default: "v1" } } },
      ],
      components: {
        parameters: { Id: { name: "id", in: "path", required: true, schema: { type: "integer" } } },
        schemas: { Word: { type: "string" } },
      },
    },
  );
  assert.deepEqual(operationsOf(document), [
    {
      id: "getInvoice",
      method: "GET",
      path: "/v1/invoices/{id}",
      groups: ["invoices", "reports"],
      parameters: [
        { name: "id", type: "long", required: true, segment: 2, delimiter: undefined },
        { name: "page", type: "long", required: false },
        { name: "all", type: "bool", required: true },
        { name: "state", type: "strings", required: false },
        { name: "ids", type: "strings", required: false, delimiter: "," },
        { name: "price", type: "string", required: false },
      ].map(({ delimiter, ...rest }) => (delimiter === undefined ? rest : { ...rest, delimiter })),
    },
    {
      id: "deleteInvoice",
      method: "DELETE",
      path: "/v1/invoices/{id}",
      groups: ["dangerous"],
      parameters: [{ name: "id", type: "long", required: true, segment: 2 }],
    },
  ]);
});

void test("readOpenApi() lets an operation's own parameters and servers win", () => {
  const [operation] = operationsOf(
    documentOf({
      "/a": {
        servers: [{ url: "/wide" }],
        parameters: [{ name: "n", in: "query", schema: { type: "integer" } }],
        get: one({
          servers: [{ url: "/own" }],
          parameters: [{ name: "n", in: "query", schema: { type: "string" } }],
        }),
      },
    }),
  );
  assert.equal(operation?.path, "/own/a");
  assert.equal(operation?.parameters[0]?.type, "string");
});

void test("readOpenApi() takes a segment that no parameter describes for a text", () => {
  const [operation] = operationsOf(documentOf({ "/a/{x-y}": { get: one() } }));
  assert.deepEqual(operation?.parameters, [
    { name: "x-y", type: "string", required: true, segment: 1 },
  ]);
});

const refused: readonly [title: string, paths: unknown, expected: RegExp, more?: object][] = [
  [
    "an operation without an id, and proposes one",
    { "/invoices/{id}/lines": { get: { responses: {} } } },
    /^paths\.\/invoices\/\{id\}\/lines\.get: GET \/invoices\/\{id\}\/lines has no operationId.*\| operationId: getInvoicesByIdLines$/,
  ],
  [
    "an id with a quotation mark",
    { "/a": { get: one({ operationId: 'a"b' }) } },
    /operationId: .*cannot be a name/,
  ],
  [
    "one id twice",
    { "/a": { get: one() }, "/b": { get: one() } },
    /^paths\.\/b\.get\.operationId: GET \/a has the operationId "one" too/,
  ],
  [
    "two paths of one shape",
    { "/a/{x}": { get: one() }, "/a/{y}": { get: one({ operationId: "two" }) } },
    /^paths\.\/a\/\{y\}\.get: GET \/a\/\{x\} takes the same requests/,
  ],
  [
    "a parameter within a segment",
    { "/f/{n}.json": { get: one() } },
    /cannot be told from others \| a parameter that is a whole segment/,
  ],
  ["a segment that is a star", { "/f/*": { get: one() } }, /no segment that is '\*'/],
  ["a path that is not canonical", { "/a%2fb": { get: one() } }, /without an encoded slash/],
  ["a path with an escape too many", { "/%61": { get: one() } }, /canonical form, here "a"/],
  ["a path without its slash", { a: { get: one() } }, /begins with '\/'/],
  ["an empty segment", { "/a//b": { get: one() } }, /empty segment/],
  [
    "a parameter that the path does not have",
    { "/a": { get: one({ parameters: [{ name: "id", in: "path", required: true }] }) } },
    /parameters\.0: the path \/a has no \{id\}/,
  ],
  [
    "one name in path and query",
    {
      "/a/{id}": {
        get: one({
          parameters: [
            { name: "id", in: "query" },
            { name: "id", in: "path" },
          ],
        }),
      },
    },
    /policies know one of a name/,
  ],
  [
    "one parameter twice",
    {
      "/a": {
        get: one({
          parameters: [
            { name: "n", in: "query" },
            { name: "n", in: "query" },
          ],
        }),
      },
    },
    /"n" stands twice/,
  ],
  [
    "a parameter without a place",
    { "/a": { get: one({ parameters: [{ name: "n" }] }) } },
    /no place of a parameter/,
  ],
  [
    "a parameter without a name",
    { "/a": { get: one({ parameters: [{ in: "query" }] }) } },
    /no name of a parameter/,
  ],
  [
    "a style that is not read",
    { "/a/{n}": { get: one({ parameters: [{ name: "n", in: "path", style: "matrix" }] }) } },
    /style: .*\| one of simple/,
  ],
  [
    "a reference to another file",
    { "/a": { get: one({ parameters: [{ $ref: "other.yaml#/x" }] }) } },
    /leads out of the document/,
  ],
  [
    "a reference that leads nowhere",
    { "/a": { $ref: "#/components/pathItems/A" } },
    /leads nowhere/,
  ],
  [
    "references in a circle",
    { "/a": { $ref: "#/paths/~1b" }, "/b": { $ref: "#/paths/~1a" } },
    /circle/,
  ],
  ["a tag that cannot be a group", { "/a": { get: one({ tags: ['"'] }) } }, /name of a group/],
  [
    "servers with different paths",
    { "/a": { get: one() } },
    /different paths/,
    { servers: [{ url: "/v1" }, { url: "/v2" }] },
  ],
  ["a server that is no URL", { "/a": { get: one() } }, /no URL/, { servers: [{ url: "v1" }] }],
  [
    "a server with an open variable",
    { "/a": { get: one() } },
    /no URL/,
    { servers: [{ url: "/{v}" }] },
  ],
  ["no operation at all", {}, /describes no operation/],
  [
    "another version",
    { "/a": { get: one() } },
    /not an OpenAPI 3\.0 or 3\.1 document/,
    { openapi: "2.0" },
  ],
  ["what is no operation", { "/a": { get: "one" } }, /stands no operation/],
];
for (const [title, paths, expected, more] of refused) {
  void test(`readOpenApi() refuses ${title}`, () => {
    const faults = faultsOf(documentOf(paths, more));
    assert.match(faults.join("\n"), new RegExp(expected.source, "m"));
  });
}
