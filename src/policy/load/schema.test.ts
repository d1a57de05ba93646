import { test } from "node:test";
import assert from "node:assert/strict";
import type { Vocabulary, VocabularyAuthenticator } from "../../model/vocabulary.ts";
import { officialSchemaText } from "../official/official-engine.ts";
import { buildSchema, type RecordTypeJson, type SchemaJson } from "./schema.ts";

const EMPTY: Vocabulary = { authenticators: [], services: [], routes: [] };

function authenticator(part: Partial<VocabularyAuthenticator>): VocabularyAuthenticator {
  return { name: "corp", kinds: ["user"], attributes: {}, bareRoles: [], ...part };
}

function schemaOf(vocabulary: Partial<Vocabulary>): SchemaJson {
  const { schema, problems } = buildSchema({ ...EMPTY, ...vocabulary });
  assert.ok(schema !== undefined, JSON.stringify(problems));
  assert.ok(officialSchemaText({ ...schema }).value !== undefined, "the official engine takes it");
  return schema;
}

function attributesOf(schema: SchemaJson, type: string): Record<string, [string, boolean]> {
  const shape = schema["Sallyport"]?.entityTypes[type]?.shape;
  return Object.fromEntries(
    Object.entries(shape?.attributes ?? {}).map(([name, attribute]) => [
      name,
      [attribute.type, attribute.required],
    ]),
  );
}

void test("buildSchema() requires what every authenticator of a kind declares", () => {
  const schema = schemaOf({
    authenticators: [
      authenticator({
        name: "corp",
        kinds: ["user", "workload"],
        attributes: { tenant: "string", level: "long" },
      }),
      authenticator({ name: "partners", attributes: { tenant: "string", tags: "strings" } }),
    ],
  });
  assert.deepEqual(attributesOf(schema, "User"), {
    tenant: ["String", true],
    level: ["Long", false],
    tags: ["Set", false],
  });
  assert.deepEqual(attributesOf(schema, "Workload"), {
    tenant: ["String", true],
    level: ["Long", true],
  });
  assert.deepEqual(attributesOf(schema, "Device"), {});
});

void test("buildSchema() gives a route its service's attributes, its own winning", () => {
  const schema = schemaOf({
    services: [
      { name: "billing", attributes: { public: false, owner: "pay" } },
      { name: "orders", attributes: { public: true } },
    ],
    routes: [
      { name: "a", service: "billing", attributes: { tier: 1n }, params: [] },
      { name: "b", service: "orders", attributes: { tier: 2 }, params: [] },
    ],
  });
  assert.deepEqual(attributesOf(schema, "Service"), {
    public: ["Boolean", true],
    owner: ["String", false],
  });
  assert.deepEqual(attributesOf(schema, "Route"), {
    public: ["Boolean", true],
    owner: ["String", false],
    tier: ["Long", true],
  });
});

void test("buildSchema() refuses an attribute with two types, naming both owners", () => {
  const { problems } = buildSchema({
    ...EMPTY,
    authenticators: [
      authenticator({ name: "corp", attributes: { tenant: "string" } }),
      authenticator({ name: "partners", attributes: { tenant: "long" } }),
    ],
    services: [
      { name: "s", attributes: { public: true } },
      { name: "t", attributes: { public: "yes" } },
    ],
  });
  assert.deepEqual(
    problems?.map(({ message }) => message),
    [
      "attribute 'tenant' of a user is a string in authenticator 'corp' and a long in authenticator 'partners'",
      "attribute 'public' of a service is a bool in service 's' and a string in service 't'",
    ],
  );
});

void test("buildSchema() lets different kinds of principal type an attribute differently", () => {
  schemaOf({
    authenticators: [
      authenticator({ name: "a", kinds: ["user"], attributes: { tenant: "string" } }),
      authenticator({ name: "b", kinds: ["workload"], attributes: { tenant: "long" } }),
    ],
  });
});

void test("buildSchema() refuses numbers that are no 64-bit integers", () => {
  for (const value of [1.5, 2 ** 53, 2n ** 63n]) {
    const services = [{ name: "s", attributes: { weight: value } }];
    assert.equal(buildSchema({ ...EMPTY, services }).problems?.length, 1, String(value));
  }
});

void test("buildSchema() knows of bodies what routes declare, as something that may be absent", () => {
  const route = { service: "s", attributes: {}, params: [] };
  const context = (routes: Vocabulary["routes"]) => {
    const type = schemaOf({ routes })["Sallyport"]?.commonTypes["RequestContext"] as RecordTypeJson;
    return type.attributes as Record<string, RecordTypeJson & { required: boolean }>;
  };
  const plain = context([{ name: "a", ...route }]);
  assert.deepEqual([plain["body"], plain["rpc"]], [undefined, undefined]);
  const inspect = { body: { amount: "long" } } as const;
  const { body, rpc } = context([
    { name: "a", ...route, inspect },
    { name: "b", ...route, inspect: { body: { amount: "long", tags: "strings" } } },
  ]);
  assert.equal(rpc, undefined);
  assert.equal(body?.required, false);
  assert.deepEqual(body.attributes, {
    amount: { type: "Long", required: false },
    tags: { type: "Set", element: { type: "String" }, required: false },
  });
  const speaking = context([{ name: "a", ...route, inspect: { body: {}, rpc: "mcp" } }]);
  assert.deepEqual(Object.keys(speaking["rpc"]?.attributes ?? {}).toSorted(), [
    "kind",
    "method",
    "prompt",
    "protocol",
    "resource",
    "tool",
  ]);
});

void test("buildSchema() refuses a value of bodies with two types, naming both routes", () => {
  const route = { service: "s", attributes: {}, params: [] };
  const { problems } = buildSchema({
    ...EMPTY,
    routes: [
      { name: "a", ...route, inspect: { body: { amount: "long" } } },
      { name: "b", ...route, inspect: { body: { amount: "string" } } },
    ],
  });
  assert.deepEqual(
    problems?.map(({ message }) => message),
    ["attribute 'amount' of a body is a long in route 'a' and a string in route 'b'"],
  );
});
