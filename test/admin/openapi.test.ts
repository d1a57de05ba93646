/**
 * The API against its own document: every operation is driven from it, so a new one cannot be
 * forgotten. SALLYPORT_ADMIN_RUNS sets how many calls of each are made.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import * as fc from "fast-check";
import { ADMIN_OPERATIONS, type AdminOperation } from "../../src/model/admin-operations.ts";
import { desks } from "./desks.ts";
import { bodySchema, DOCUMENT, parametersOf, type Place, PLACES, validatorOf } from "./document.ts";
import { bent, type Schema, valueOf } from "./schema-arbitrary.ts";
import { type AdminStage, adminStage, type Reply } from "./stage.ts";

const RUNS = Number(process.env["SALLYPORT_ADMIN_RUNS"] ?? "30");
const components = (DOCUMENT["components"] as unknown as { schemas: Record<string, Schema> })
  .schemas;

void test("the document is valid OpenAPI 3.1, and names every operation and no other", async () => {
  const result = await new Validator().validate(
    JSON.parse(JSON.stringify(DOCUMENT)) as Record<string, unknown>,
  );
  assert.deepEqual(result.errors ?? [], []);
  assert.equal(result.valid, true);
  assert.deepEqual(
    PLACES.map(({ operation }) => operation.operationId).toSorted(),
    Object.keys(ADMIN_OPERATIONS).toSorted(),
  );
  for (const { method, operation } of PLACES) {
    const access = ADMIN_OPERATIONS[operation.operationId as AdminOperation];
    assert.equal(access, method === "GET" ? "read" : "write", operation.operationId);
  }
});

/** Something that the path takes. */
function pathOf({ path, operation }: Place): string {
  const names = {
    name: "edge-1",
    id: "a".repeat(22),
    use: "tokens",
    hash: `sha256-${"a".repeat(43)}`,
  };
  return parametersOf(operation, "path").reduce(
    (text, { name }) => text.replace(`{${name}}`, names[name as keyof typeof names]),
    path,
  );
}

void test("every operation without a credential is 401, and on record", async (t) => {
  const stage = await adminStage(t, { desks: await desks(t) });
  for (const place of PLACES) {
    const { operationId } = place.operation;
    const reply = await stage.ask(pathOf(place), { method: place.method });
    assert.equal(reply.status, 401, operationId);
    conforms(place, reply);
    recorded(stage, operationId, "missing-credential");
  }
});

void test("every operation without permission is 403, and on record", async (t) => {
  const made = await desks(t);
  const stage = await adminStage(t, { desks: made });
  const { number } = await made.store.now();
  for (const place of PLACES) {
    const { operationId } = place.operation;
    const writes = ADMIN_OPERATIONS[operationId as AdminOperation] === "write";
    // `traffic` permits everything to everybody, and readers may not write.
    for (const roles of writes ? [[], ["reader"], ["corp/Operator"]] : [[], ["corp/Operator"]]) {
      const reply = await stage.ask(pathOf(place), { method: place.method, roles });
      assert.equal(reply.status, 403, operationId);
      assert.equal(reply.body.reason, "no-permit");
      conforms(place, reply);
      recorded(stage, operationId, "no-permit");
    }
  }
  assert.equal((await made.store.now()).number, number, "nothing was changed");
});

function recorded({ decisions }: AdminStage, operationId: string, reason: string): void {
  const record = decisions.at(-1);
  assert.equal(record?.action, `admin:${operationId}`);
  assert.equal(record?.route, "sallyport-admin");
  assert.equal(record?.decision, "deny");
  assert.equal(record?.reason, reason);
}

/** Whether the answer is one that the document says, in status, type, fields and body. */
function conforms({ operation }: Place, reply: Reply): void {
  const what = `${operation.operationId} ${reply.status} ${reply.text}`;
  const response = operation.responses[String(reply.status)];
  assert.ok(response !== undefined, `not in the document: ${what}`);
  const [type, content] = Object.entries(response.content ?? {})[0] ?? [];
  if (content === undefined || type === undefined) {
    assert.equal(reply.text, "", what);
  } else {
    assert.equal(reply.headers["content-type"], type, what);
    const validate = validatorOf(content.schema);
    assert.ok(validate(reply.body), `${what} ${JSON.stringify(validate.errors)}`);
  }
  for (const name of Object.keys(response.headers ?? {})) {
    assert.ok(reply.headers[name] !== undefined, `${name} is missing: ${what}`);
  }
  assert.equal(reply.headers["cache-control"], "no-store", what);
  assert.ok(reply.headers["sallyport-decision"] !== undefined, what);
}

interface Input {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** As the document says, and as somebody may get it wrong. */
function inputs({ operation }: Place): fc.Arbitrary<Input> {
  const record = (where: "path" | "query" | "header"): Schema => {
    const all = parametersOf(operation, where);
    return {
      type: "object",
      properties: Object.fromEntries(all.map(({ name, schema }) => [name, schema])),
      required: all.filter(({ required }) => required).map(({ name }) => name),
    };
  };
  const schema = bodySchema(operation);
  const either = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    arbitrary.chain((value) => fc.oneof(fc.constant(value), bent(value)));
  const asWritten = schema === undefined ? fc.constant(undefined) : valueOf(schema, components);
  const body = asWritten.chain((value) => fc.constantFrom(value, meant(value)));
  const known = { name: ["edge-1", "edge-2"], use: ["tokens"] } as const;
  // Names that are there come often, or nothing would ever be found.
  const params = valueOf(record("path"), components)
    .map((value) => value as Input["params"])
    // A dot segment is resolved before anybody sees it (RFC 3986 section 5.2.4): that is another path.
    .filter((value) => !Object.values(value).some((text) => text === "." || text === ".."));
  const some = params.chain((value) =>
    fc.oneof(
      fc.constant(value),
      fc.constant(
        Object.fromEntries(
          Object.keys(value).map((name) => [name, known[name as "name"]?.[0] ?? value[name]]),
        ),
      ),
    ),
  );
  return fc.record({
    params: some,
    query: fc.oneof(fc.constant({}), either(valueOf(record("query"), components))),
    headers: valueOf(record("header"), components).chain((value) =>
      fc.constantFrom(value, withoutMatch(value as Input["headers"])),
    ),
    body: fc.oneof(body, either(body)),
  }) as fc.Arbitrary<Input>;
}

/**
 * What somebody would send who means it. A target of chance is in no configuration, and its times seldom fit its
 * mode; a key of chance is none; attributes are those that are declared; and machines are enrolled once.
 */
function meant(value: unknown): unknown {
  if (!isRecord(value)) return value;
  if ("target" in value) return { target: value["target"], mode: "block", unchecked: true };
  if ("authenticator" in value) return { authenticator: "partners", owner: value["owner"] };
  if ("jwk" in value) return { insecureSecret: true };
  if ("kind" in value || "method" in value) return { name: "edge-3" };
  return "attributes" in value || "key" in value ? { id: value["id"] } : value;
}

/** A text of chance is no ETag. */
function withoutMatch(headers: Input["headers"]): Input["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "if-match"));
}

function targetOf({ path, operation }: Place, { params, query }: Input): string {
  const filled = parametersOf(operation, "path").reduce(
    (text, { name }) => text.replace(`{${name}}`, encodeURIComponent(String(params[name]))),
    path,
  );
  const search = new URLSearchParams(
    Object.entries(isRecord(query) ? query : {}).map(([name, value]) => [name, textOf(value)]),
  ).toString();
  return search === "" ? filled : `${filled}?${search}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Whether the document says that this input is no input. */
function isInvalid({ operation }: Place, input: Input): boolean {
  const schema = bodySchema(operation);
  const absent = input.body === undefined;
  if (schema !== undefined && absent) return operation.requestBody?.required === true;
  return schema !== undefined && !validatorOf(schema)(input.body);
}

/** Field values are bytes that a parser takes. */
function fieldsOf(headers: Input["headers"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers)
      .map(([name, value]) => [name, textOf(value)] as const)
      .filter(([, value]) => /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)),
  );
}

for (const place of PLACES) {
  const { operationId } = place.operation;
  void test(`${operationId} answers valid and invalid input as the document says`, async (t) => {
    const made = await desks(t);
    const stage = await adminStage(t, { desks: made });
    const by = "ann";
    await made.workloads.enrol("edge-1", { kind: "proxy", method: "mtls", by });
    await made.workloads.enrol("edge-2", { kind: "workload", method: "mtls", by });
    const statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(inputs(place), async (input) => {
        const body = input.body === undefined ? undefined : JSON.stringify(input.body);
        const reply = await stage.ask(targetOf(place, input), {
          method: place.method,
          roles: ["Operator"],
          headers: fieldsOf(input.headers),
          ...(body === undefined ? {} : { body }),
        });
        statuses.add(reply.status);
        assert.notEqual(reply.status, 500, `${reply.text} ${stage.log.lines.join("\n")}`);
        conforms(place, reply);
        if (isInvalid(place, input)) assert.equal(reply.status, 400, reply.text);
      }),
      { numRuns: RUNS },
    );
    // One that only ever refuses would prove nothing.
    assert.ok(
      [...statuses].some((status) => status < 300 || status === 404),
      [...statuses].join(),
    );
  });
}
