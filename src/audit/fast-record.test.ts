import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { completion, permit, strangerDenial } from "../../test/audit-kit.ts";
import type { DecisionRecord } from "../model/records.ts";
import { REASONS, type Reason } from "../model/reason.ts";
import { createRecordReader, DECISION, isCompletionLine } from "./fast-record.ts";
import { Lines } from "./lines.ts";
import { createQueryMask } from "./query-mask.ts";
import { decisionSchema, isRecordFault, parseRecord } from "./record-schema.ts";
import { Serializer } from "./serialize.ts";
import { createValueHash } from "./value-hash.ts";

const serializer = new Serializer({
  maskQuery: createQueryMask({ values: "masked", keep: [] }),
  hash: createValueHash(new Uint8Array(32)),
});

function lineOf(record: DecisionRecord): string {
  const lines = new Lines(1024);
  serializer.decision(lines, record, record.principal === undefined);
  return Buffer.from(lines.copy()).toString("utf8");
}

const text = fc.string({ unit: "binary", maxLength: 30 });
const texts = fc.array(text, { maxLength: 3 });
const attribute = fc.oneof(
  text,
  fc.boolean(),
  fc.maxSafeInteger(),
  texts,
  fc.bigInt(-(2n ** 63n), 2n ** 63n),
);
const principal = fc.record({
  kind: fc.constantFrom("user", "workload", "device", "anonymous"),
  authenticator: text,
  subject: text,
  roles: texts,
  groups: texts,
  attributes: fc.dictionary(text, attribute, { maxKeys: 4 }),
});
const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
const records: fc.Arbitrary<DecisionRecord> = fc
  .record({
    action: maybe(text),
    trace: maybe(fc.constantFrom("0af7651916cd43dd8448eb211c80319c", "f".repeat(32))),
    usage: maybe(fc.record({ cost: fc.constantFrom(0, 0.5, 1, 12), plan: maybe(text) })),
    principal: maybe(principal),
    workload: maybe(principal),
    device: maybe(principal),
    actor: maybe(
      fc.record({
        authenticator: text,
        subject: text,
        issuer: maybe(text),
        clientId: maybe(text),
        behind: texts,
      }),
    ),
    shadow: maybe(
      fc.record({
        bundle: text,
        determining: texts,
        reason: fc.constantFrom("permitted", "forbidden", "internal-error"),
      }),
    ),
    rpc: maybe(
      fc.record(
        {
          protocol: fc.constantFrom("json-rpc", "mcp"),
          kind: fc.constantFrom("request", "notification", "response"),
          method: text,
          tool: text,
          prompt: text,
          resource: text,
        },
        { requiredKeys: ["protocol", "kind"] },
      ),
    ),
    body: maybe(
      fc.record({
        values: fc.dictionary(
          text,
          attribute.filter((one) => typeof one !== "number" || Number.isFinite(one)),
          { maxKeys: 3 },
        ),
        clear: fc.constantFrom(new Set<string>(), { has: () => true }),
      }),
    ),
    issue: maybe(
      fc.record({
        as: fc.constantFrom("subject", "actor"),
        binding: fc.constantFrom("none", "dpop", "mtls"),
        client: text,
        grant: fc.constantFrom("client-credentials", "token-exchange", "jwt-bearer"),
        lifetimeSeconds: fc.nat(),
        narrowed: fc.boolean(),
        other: maybe(text),
        questions: fc.nat(),
      }),
    ),
    key: maybe(
      fc.record({
        id: text,
        audience: texts,
        scopes: texts,
        expiresAt: fc.nat(),
        binding: fc.constantFrom("none", "dpop", "mtls"),
        clientId: text,
        details: maybe(
          fc.array(
            fc.record(
              {
                type: fc.constant("sallyport"),
                routes: fc.array(text, { minLength: 1, maxLength: 2 }),
                methods: fc.array(text, { minLength: 1, maxLength: 2 }),
              },
              { requiredKeys: ["type"] },
            ),
            { minLength: 1, maxLength: 2 },
          ),
        ),
        ancestors: fc.array(
          fc.record(
            {
              authenticator: text,
              id: text,
              principal: fc.record({ authenticator: text, subject: text }),
            },
            { requiredKeys: ["authenticator"] },
          ),
          { maxLength: 2 },
        ),
      }),
    ),
    scopes: texts,
    determining: texts,
    erroring: texts,
    path: maybe(fc.oneof(text, fc.constant("/x".repeat(5000)))),
    query: maybe(text),
    servicePath: maybe(text),
    host: maybe(text),
    detail: maybe(text),
    reads: fc.array(
      fc.record(
        {
          kind: fc.constantFrom("header", "query"),
          name: text,
          values: texts,
          unreadable: fc.constant(true),
        },
        { requiredKeys: ["kind", "name", "values"] },
      ),
      { maxLength: 3 },
    ),
    params: fc.dictionary(text, text, { maxKeys: 3 }),
    reason: fc.constantFrom(...(Object.keys(REASONS) as Reason[])),
    decision: fc.constantFrom("permit", "deny"),
    timeMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    httpVersion: fc.constantFrom("1.0", "1.1", "2", undefined),
  })
  .map((changes) =>
    (changes.principal === undefined ? strangerDenial : permit)(changes as Partial<DecisionRecord>),
  );

function finite(record: DecisionRecord): boolean {
  const values = [record.principal, record.workload, record.device].flatMap((one) =>
    Object.values(one?.attributes ?? {}),
  );
  return values.every((value) => typeof value !== "number" || Number.isFinite(value));
}

test("createRecordReader() reads what was written as the schema does", () => {
  const read = createRecordReader();
  fc.assert(
    fc.property(records.filter(finite), (record) => {
      const line = lineOf(record);
      const entry = parseRecord(line);
      assert.deepEqual(read(line), entry);
      assert.ok(!isRecordFault(entry), "a fault");
    }),
  );
});

test("createRecordReader() knows every member that the schema has", () => {
  assert.deepEqual([...DECISION].toSorted(), Object.keys(decisionSchema.shape).toSorted());
});

const junk = fc.constantFrom(
  "1",
  '"x"',
  "null",
  "[]",
  "{}",
  '{"a":1}',
  "[1]",
  "-1",
  "1e999",
  "true",
);

test("createRecordReader() says what the schema says of a line that was changed", () => {
  const read = createRecordReader();
  let refused = 0;
  fc.assert(
    fc.property(records.filter(finite), fc.nat(), junk, text, (record, place, value, name) => {
      const line = lineOf(record);
      const members = [...line.matchAll(/"(?:[^"\\]|\\.)*":/g)];
      const at = members[place % members.length];
      assert.ok(at !== undefined);
      const after = at.index + at[0].length;
      const changes = [
        // Another member before, a member of another name, a value of another type, a cut line.
        `${line.slice(0, at.index)}${JSON.stringify(name)}:${value},${line.slice(at.index)}`,
        `${line.slice(0, at.index)}${JSON.stringify(name)}:${line.slice(after)}`,
        line.slice(0, after) +
          line.slice(after).replace(/^(?:"(?:[^"\\]|\\.)*"|[\w.-]+|\[\])/, value),
        line.slice(0, after),
      ];
      for (const changed of changes) {
        const entry = parseRecord(changed);
        assert.deepEqual(read(changed), entry, changed);
        if (isRecordFault(entry)) refused += 1;
      }
    }),
  );
  assert.ok(refused > 100);
});

test("createRecordReader() leaves to the schema what has more than one way to be read", () => {
  const read = createRecordReader();
  const line = lineOf(permit());
  const changes = [
    line.replace('"time":"2026-11-24T04', '"time":"2026-11-24T24'),
    line.replace('"time":"2026-11-24', '"time":"2026-02-30'),
    line.replace(".123Z", ".12xZ"),
    line.replace(".123Z", "+01:00"),
    line.replace('"tenant":"acme"', '"__proto__":"acme"'),
    line.replace('"tenant":"acme"', '"tenant":{"long":"12"}'),
    line.replace('"tenant":"acme"', '"tenant":{"long":"1x"}'),
    line.replace('"type":"decision"', '"type":"decided"'),
    line.replace('"v":1', '"v":2'),
    "[]",
    "null",
    "",
  ];
  for (const changed of changes) {
    assert.notEqual(changed, line);
    assert.deepEqual(read(changed), parseRecord(changed), changed);
  }
});

test("isCompletionLine() takes completions and no decision", () => {
  const lines = new Lines(1024);
  serializer.completion(lines, completion());
  assert.ok(isCompletionLine(Buffer.from(lines.copy()).toString("utf8")));
  assert.ok(!isCompletionLine(lineOf(permit())));
  assert.ok(!isCompletionLine(lineOf(strangerDenial())));
});
