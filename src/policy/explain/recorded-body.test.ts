import assert from "node:assert/strict";
import { test } from "node:test";
import type { RpcCall } from "../../model/rpc.ts";
import { type BodyQuestion, knownBody, knownRpc, type RecordedBody } from "./recorded-body.ts";
import { recordedRequest } from "./recorded-request.ts";
import { PartialRecord, UnknownRead, type Unknown } from "./unknown.ts";

const BODY: RecordedBody = {
  amount: { value: 1500 },
  iban: { hashes: ["h"], type: "string" },
  tags: { hashes: ["#a", "#b"], type: "strings" },
};

function members(question: BodyQuestion = {}, body: RecordedBody | undefined = BODY) {
  const { unknown } = knownBody(body, question);
  assert.ok(unknown?.value instanceof PartialRecord);
  return unknown.value;
}

function unknownAt(record: PartialRecord, name: string): Unknown {
  try {
    record.get(name);
  } catch (error) {
    assert.ok(error instanceof UnknownRead);
    return error.unknown;
  }
  return assert.fail(`${name} is known`);
}

test("knownBody() knows what is in clear, and of the rest that it was there", () => {
  const record = members();
  assert.equal(record.get("amount"), 1500);
  assert.deepEqual(
    ["amount", "iban", "tags", "other"].map((name) => record.has(name)),
    [true, true, true, false],
  );
  assert.deepEqual(unknownAt(record, "iban"), { name: "context.body.iban", type: "string" });
  assert.deepEqual(unknownAt(record, "tags"), { name: "context.body.tags", type: "set" });
});

test("knownBody() compares what is hashed with the key", () => {
  const hash = (kind: string, name: string, value: string) => `${kind} ${name} #${value}`;
  const record = members({ hash });
  const tags = unknownAt(record, "tags").hashed;
  assert.deepEqual([...(tags?.hashes ?? [])], ["#a", "#b"]);
  assert.equal(tags?.hash("a"), "body tags #a");
  const iban = unknownAt(record, "iban").hashed;
  assert.deepEqual([[...(iban?.hashes ?? [])], iban?.hash("X")], [["h"], "body iban #X"]);
  const told = (hashed: string) =>
    knownBody({ urgent: { hashes: [hashed], type: "bool" } }, { hash }).values;
  assert.deepEqual(told("body urgent #false"), { urgent: false });
  assert.deepEqual(told("of another key"), {});
});

test("knownBody() hides nothing where all is in clear", () => {
  const clear = knownBody({ amount: { value: 1 } });
  assert.deepEqual(clear, { values: { amount: 1 }, unknown: undefined });
  assert.deepEqual(knownBody({}), { values: {}, unknown: undefined });
  assert.deepEqual(knownBody(undefined), { values: undefined, unknown: undefined });
});

test("knownBody() of other policies knows what the record has of what they look for", () => {
  const asked = { body: { amount: "string", iban: "string", note: "string" } } as const;
  const record = members({ views: { asked } });
  assert.deepEqual(unknownAt(record, "amount"), {
    name: "context.body.amount",
    type: "string",
    maybeAbsent: true,
  });
  assert.equal(unknownAt(record, "iban").maybeAbsent, undefined);
  assert.equal(unknownAt(record, "note").maybeAbsent, true);
  assert.equal(record.has("tags"), false);
  const none = { values: undefined, unknown: undefined };
  assert.deepEqual(knownBody(BODY, { views: { asked: undefined } }), none);
});

test("knownBody() takes for absent what policies of then looked for and did not find", () => {
  const asked = { body: { note: "string", size: "long" } } as const;
  const before = { inspect: { body: { note: "string" } } } as const;
  const record = members({ views: { asked, before } });
  assert.equal(record.has("note"), false);
  assert.equal(unknownAt(record, "size").maybeAbsent, true);
  const none = { values: undefined, unknown: undefined };
  assert.deepEqual(knownBody(undefined, { views: { asked, before } }), none);
  for (const nothing of [undefined, { inspect: undefined }]) {
    const { unknown } = knownBody(undefined, { views: { asked, before: nothing } });
    assert.equal(unknown?.maybeAbsent, true);
  }
});

test("knownRpc() knows a call that was read as policies want it", () => {
  const call: RpcCall = { protocol: "mcp", kind: "request", method: "tools/call", tool: "t" };
  const mcp = { inspect: { body: {}, rpc: "mcp" } } as const;
  assert.deepEqual(knownRpc(call), { call, unknown: undefined });
  assert.deepEqual(knownRpc(call, { asked: mcp.inspect }), { call, unknown: undefined });
  const nothing = { call: undefined, unknown: undefined };
  assert.deepEqual(knownRpc(call, { asked: { body: {} } }), nothing);
  assert.deepEqual(knownRpc(undefined, { asked: mcp.inspect, before: mcp }), nothing);
  assert.equal(knownRpc(undefined, { asked: mcp.inspect }).unknown?.name, "context.rpc");
  const other = knownRpc(call, { asked: { body: {}, rpc: "json-rpc" } });
  assert.equal(other.unknown?.name, "context.rpc");
});

test("recordedRequest() asks again with the body and the call that the record holds", () => {
  const rpc = { protocol: "mcp", kind: "request", method: "tools/call", tool: "t" } as const;
  const record = {
    principal: {
      kind: "workload",
      authenticator: "corp",
      subject: "a",
      roles: [],
      groups: [],
      attributes: {},
    },
    authn: { kind: "jwt", authenticator: "corp", ageSeconds: 0, amr: [], bound: false },
    route: "r",
    method: "POST",
    path: "/",
    params: {},
    peerAddress: "192.0.2.7",
    scopes: [],
    time: "2026-11-24T04:05:06.123Z",
    reads: [],
    erroring: [],
    truncated: {},
    rpc,
  } as const;
  const asked = recordedRequest({ ...record, body: BODY });
  assert.deepEqual(asked?.rpc, rpc);
  assert.ok(asked?.hidden.context.has("body"));
  assert.throws(() => asked.body, UnknownRead);
  const time = "2026-01-05T09:00:00.000Z";
  const about = recordedRequest({ ...record, asked: { time } });
  assert.equal(about?.timeMs, Date.parse(time), "the time that was asked about");
  const clear = recordedRequest({ ...record, body: { amount: { value: 1500 } } });
  assert.deepEqual([clear?.body, clear?.hidden.context.has("body")], [{ amount: 1500 }, false]);
  assert.equal(recordedRequest(record)?.body, undefined);
});
