import assert from "node:assert/strict";
import { test } from "node:test";
import { hiddenBody, clearValues, type RecordedBody } from "./recorded-body.ts";
import { recordedRequest } from "./recorded-request.ts";
import { PartialRecord, UnknownRead, type Unknown } from "./unknown.ts";

const BODY: RecordedBody = {
  amount: { value: 1500 },
  iban: { hashes: ["h"], type: "string" },
  tags: { hashes: ["#a", "#b"], type: "strings" },
};

function membersOf(unknown: Unknown | undefined): PartialRecord {
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

test("hiddenBody() knows what is in clear, and of the rest that it was there", () => {
  const record = membersOf(hiddenBody(BODY));
  assert.equal(record.get("amount"), 1500);
  assert.deepEqual(
    ["amount", "iban", "tags", "other"].map((name) => record.has(name)),
    [true, true, true, false],
  );
  assert.deepEqual(unknownAt(record, "iban"), { name: "context.body.iban", type: "string" });
  assert.deepEqual(unknownAt(record, "tags"), { name: "context.body.tags", type: "set" });
});

test("hiddenBody() compares the texts of a list with the key", () => {
  const record = membersOf(hiddenBody(BODY, (kind, name, value) => `${kind} ${name} #${value}`));
  const { hashed } = unknownAt(record, "tags");
  assert.deepEqual([...(hashed?.hashes ?? [])], ["#a", "#b"]);
  assert.equal(hashed?.hash("a"), "body tags #a");
  assert.equal(unknownAt(record, "iban").hashed, undefined);
});

test("hiddenBody() hides nothing where all is in clear", () => {
  assert.equal(hiddenBody({ amount: { value: 1 } }), undefined);
  assert.equal(hiddenBody({}), undefined);
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
  assert.deepEqual(asked?.request.body, { amount: 1500 });
  assert.deepEqual(asked?.request.rpc, rpc);
  const time = "2026-01-05T09:00:00.000Z";
  const about = recordedRequest({ ...record, asked: { time } });
  assert.equal(about?.request.timeMs, Date.parse(time), "the time that was asked about");
  assert.ok(asked?.hidden.context?.has("body"));
  const clear = recordedRequest({ ...record, body: {} });
  assert.deepEqual([clear?.request.body, clear?.hidden.context?.has("body")], [{}, false]);
  assert.equal(recordedRequest(record)?.request.body, undefined);
  assert.deepEqual(clearValues(BODY), { amount: 1500 });
});
