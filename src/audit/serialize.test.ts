import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  canonicalJson,
  checkedRecord,
  completion,
  permit,
  strangerDenial,
} from "../../test/audit-kit.ts";
import { corpora } from "../../test/corpora.ts";
import { makeApiKey } from "../crypto/api-key-text.ts";
import type { PeerCertificate } from "../model/peer-tls.ts";
import type { CompletionRecord, DecisionRecord } from "../model/records.ts";
import { Lines } from "./lines.ts";
import { createQueryMask } from "./query-mask.ts";
import { RECORD_LIMITS, RecordTooLong, Serializer, type Summary } from "./serialize.ts";
import { createValueHash } from "./value-hash.ts";

const records = new Serializer({
  maskQuery: createQueryMask({ values: "masked", keep: [] }),
  hash: createValueHash(new Uint8Array(32)),
});
const serializer = {
  decision: (record: DecisionRecord, stranger: boolean) =>
    lineOf((lines) => records.decision(lines, record, stranger)),
  completion: (record: CompletionRecord) => lineOf((lines) => records.completion(lines, record)),
  summary: (summary: Summary) => lineOf((lines) => records.summary(lines, summary)),
};

function lineOf(write: (lines: Lines) => void): string {
  const lines = new Lines(16);
  write(lines);
  return Buffer.from(lines.copy()).toString("utf8");
}

const quote = (text: string): string => lineOf((lines) => lines.quoted(text));
const number = (value: number): string => lineOf((lines) => lines.number(value));

test("decision() holds what policies saw of a body, hashed unless it may stand there", () => {
  const long = "a".repeat(1025);
  const values = {
    amount: 1500,
    huge: 2n ** 62n,
    iban: "DE00",
    note: long,
    open: true,
    tags: ["a", "b"],
    words: ["c"],
  };
  const clear = new Set(["amount", "huge", "note", "open", "words"]);
  const rpc = { protocol: "mcp", kind: "request", method: "tools/call", tool: "t" } as const;
  const line = serializer.decision(permit({ body: { values, clear }, rpc }), false);
  assert.equal(line, canonicalJson(JSON.parse(line)));
  const entry = checkedRecord(line);
  assert.ok(entry.type === "decision");
  const hashOf = (name: string, text: string) =>
    createValueHash(new Uint8Array(32))("body", name, text);
  assert.deepEqual(entry.body, {
    amount: { value: 1500 },
    huge: { value: 2n ** 62n },
    iban: { hashes: [hashOf("iban", "DE00")], type: "string" },
    note: { hashes: [hashOf("note", long)], type: "string" },
    open: { value: true },
    tags: { hashes: [hashOf("tags", "a"), hashOf("tags", "b")], type: "strings" },
    words: { value: ["c"] },
  });
  assert.deepEqual(entry.rpc, rpc);
  assert.doesNotMatch(line, /DE00|"b"/);
});

test("decision() holds what was asked for of a key, and what was issued, and nothing that is absent", () => {
  const issue = {
    as: "subject",
    binding: "dpop",
    client: "billing-job",
    grant: "token-exchange",
    lifetimeSeconds: 300,
    narrowed: true,
    other: "mesh/payments",
    questions: 2,
  } as const;
  const key = {
    id: "k-2",
    audience: ["billing"],
    scopes: [],
    expiresAt: 1_800_000_300,
    binding: "dpop",
    clientId: "billing-job",
    details: [{ type: "sallyport", methods: ["GET"], routes: ["invoices"] }],
    ancestors: [
      { authenticator: "keys", id: "k-1" },
      { authenticator: "mesh", principal: { authenticator: "mesh", subject: "payments" } },
    ],
  } as const;
  const line = serializer.decision(permit({ action: "issueKey", issue, key }), false);
  assert.equal(line, canonicalJson(JSON.parse(line)));
  const entry = checkedRecord(line);
  assert.ok(entry.type === "decision");
  assert.deepEqual(entry.issue, issue);
  assert.deepEqual(entry.key, key);
  assert.doesNotMatch(line, /"scopes":\[\]/);
  const plain = serializer.decision(permit({ issue: { ...issue, other: undefined } }), false);
  assert.doesNotMatch(plain, /"other"|"key"/);
});

test("decision() tells a body without declared values from none, with an actor and without", () => {
  const body = { values: {}, clear: new Set<string>() };
  const read = { protocol: "mcp", kind: "request", resource: "r", prompt: "p" } as const;
  const actor = {
    authenticator: "a",
    subject: "s",
    issuer: undefined,
    clientId: undefined,
    behind: [],
  };
  for (const changes of [{ body }, { body, actor, rpc: read }]) {
    const line = serializer.decision(permit(changes), false);
    assert.equal(line, canonicalJson(JSON.parse(line)));
    assert.match(line, /"body":\{\},/);
  }
  assert.doesNotMatch(serializer.decision(permit({ actor }), false), /"body"/);
});

test("decision() writes canonical JSON that reads back as the record", () => {
  const line = serializer.decision(permit(), false);
  assert.equal(line, canonicalJson(JSON.parse(line)));
  const entry = checkedRecord(line);
  assert.equal(entry.type, "decision");
  assert.equal(entry.time, "2026-11-24T04:05:06.123Z");
  const { timeMs, query, reads, detail, ...same } = permit();
  for (const [key, value] of Object.entries(same)) {
    assert.deepEqual({ ...entry }[key as keyof typeof entry], value, key);
  }
  assert.ok(timeMs > 0 && query !== undefined && reads.length > 0 && detail === undefined);
});

test("decision() writes the action of an admin call first, known caller or not", () => {
  const action = "admin:listWorkloads";
  const known = permit({ action });
  const lines = [known, known, known, permit(), permit({ action: "admin:drain" })].map((record) =>
    serializer.decision({ ...record, authn: known.authn, credentials: known.credentials }, false),
  );
  lines.push(serializer.decision(strangerDenial({ action }), true));
  const actions = lines.map((line) => {
    assert.equal(line, canonicalJson(JSON.parse(line)));
    const entry = checkedRecord(line);
    return entry.type === "decision" ? entry.action : "";
  });
  assert.deepEqual(actions, [action, action, action, undefined, "admin:drain", action]);
});

test("decision() keeps API keys out of all that a caller may have pasted them into", () => {
  const key = makeApiKey("sp_", (bytes) => new Uint8Array(bytes).fill(7));
  for (const path of [`/files/${key}`, `/${"a".repeat(RECORD_LIMITS.target - 20)}/${key}`]) {
    const pasted = { method: key, requestId: `id-${key}` };
    const record = permit({ path, query: `${key}=1&a=${key}`, params: { id: key }, ...pasted });
    const line = serializer.decision(record, false);
    assert.ok(!line.includes(key.slice(3, 20)), line);
    const entry = checkedRecord(line);
    assert.ok(entry.type === "decision");
    assert.deepEqual(entry.params, { id: "sp_*" });
    assert.deepEqual([entry.method, entry.requestId], ["sp_*", "id-sp_*"]);
    assert.equal(entry.query, "sp_*=*&a=*");
    assert.equal(entry.path?.endsWith("/sp_*"), true);
  }
});

const CERTIFICATE: PeerCertificate = {
  subject: 'CN=pay\\, "ments"',
  issuer: "CN=root",
  serial: "51ab",
  notBefore: 1,
  notAfter: 2,
  thumbprint: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
  dnsNames: ["x.test"],
  uris: ["spiffe://td/one"],
  emails: [],
  spiffeId: "spiffe://td/one",
};

test("decision() writes what recurs as it wrote it the first time", () => {
  const record = permit({ peerCertificate: CERTIFICATE });
  const first = serializer.decision(record, false);
  for (const _ of [2, 3, 4]) assert.equal(serializer.decision(record, false), first);
  // The same credential, and another answer.
  const denied = { ...record, decision: "deny", reason: "no-permit" } as const;
  const entry = checkedRecord(serializer.decision(denied, false));
  assert.equal(entry.type === "decision" && entry.decision, "deny");
  assert.equal(serializer.decision(record, false), first);
});

test("decision() writes the caller's certificate without what only policies ask for", () => {
  const { subject, issuer, serial, thumbprint, spiffeId } = CERTIFICATE;
  for (const id of [spiffeId, undefined]) {
    const given = { ...CERTIFICATE, spiffeId: id };
    const line = serializer.decision(permit({ peerCertificate: given }), false);
    assert.equal(line, canonicalJson(JSON.parse(line)));
    const entry = checkedRecord(line);
    assert.ok(entry.type === "decision");
    const same = { subject, issuer, serial, thumbprint };
    assert.deepEqual(entry.peerCertificate, id === undefined ? same : { ...same, spiffeId: id });
  }
});

test("decision() and completion() are canonical whatever the strings and numbers are", () => {
  const text = fc.string({ unit: "binary", maxLength: 40 });
  const texts = fc.array(text, { maxLength: 4 });
  // Names of params and attributes are configured, and `__proto__` cannot be.
  const name = text.filter((candidate) => candidate !== "__proto__");
  const attribute = fc.oneof(text, fc.boolean(), fc.maxSafeInteger(), texts);
  fc.assert(
    fc.property(
      fc.record({
        text,
        texts,
        params: fc.dictionary(name, text, { maxKeys: 4 }),
        attributes: fc.dictionary(name, attribute, { maxKeys: 5 }),
        age: fc.integer({ min: 0, max: 2 ** 31 }),
      }),
      (given) => {
        const line = serializer.decision(decisionOf(given), false);
        assert.equal(line, canonicalJson(JSON.parse(line)));
        const entry = checkedRecord(line);
        assert.equal(entry.type, "decision");
        assert.equal(entry.path, given.text);
        assert.deepEqual({ ...entry.params }, { ...given.params });
        assert.deepEqual({ ...entry.principal?.attributes }, { ...given.attributes });
        assert.deepEqual(entry.scopes, given.texts);
      },
    ),
  );
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e15, noNaN: true }),
      fc.option(fc.nat(16), { nil: undefined }),
      (durationMs, grpcStatus) => {
        const line = serializer.completion(completion({ durationMs, grpcStatus }));
        assert.equal(line, canonicalJson(JSON.parse(line)));
        const read = checkedRecord(line);
        assert.equal(read.type === "completion" ? read.grpcStatus : null, grpcStatus);
      },
    ),
  );
});

function decisionOf(given: {
  text: string;
  texts: string[];
  params: Record<string, string>;
  attributes: Record<string, string | boolean | number | string[]>;
  age: number;
}): DecisionRecord {
  return permit({
    path: given.text,
    host: given.text,
    requestId: given.text,
    detail: given.text,
    params: given.params,
    scopes: given.texts,
    determining: given.texts,
    principal: {
      kind: "user",
      authenticator: given.text,
      subject: given.text,
      roles: given.texts,
      groups: given.texts,
      attributes: given.attributes,
    },
    authn: {
      kind: given.text,
      authenticator: given.text,
      ageSeconds: given.age,
      acr: given.text,
      amr: given.texts,
      bound: true,
    },
    reads: given.texts.map((name) => ({ kind: "query", name, values: given.texts })),
  });
}

test("decision() writes who else policies saw, each time as the first time", () => {
  const principal = permit().principal;
  assert.ok(principal !== undefined);
  const actor = {
    authenticator: "corp",
    subject: "agent",
    issuer: "https://agents.example",
    clientId: "app",
    behind: ["planner"],
  };
  const seen = {
    workload: { ...principal, subject: "mesh" },
    device: { ...principal, kind: "device" as const, subject: "laptop" },
    actor,
  };
  const base = permit();
  const plain = { ...actor, issuer: undefined, clientId: undefined, behind: [] };
  const changes: Partial<DecisionRecord>[] = [
    seen,
    { workload: seen.workload },
    { device: seen.device },
    { actor: plain },
    { actor: plain, authn: undefined, action: "admin:drain" },
    { asked: { by: "corp/pep", decisionId: "01" } },
    { asked: { by: "corp/pep", decisionId: "03", timeMs: 1_700_000_000_123 } },
    { asked: { by: "corp/pep", decisionId: "02" }, actor: plain, authn: undefined },
    {},
  ];
  // The third time each comes from what was kept.
  for (const change of [...changes, ...changes, ...changes]) {
    const line = serializer.decision({ ...base, ...change }, false);
    assert.equal(line, canonicalJson(JSON.parse(line)));
    const entry = checkedRecord(line);
    assert.ok(entry.type === "decision");
    const { workload, device } = change;
    assert.deepEqual(entry.workload, workload);
    assert.deepEqual(entry.device, device);
    assert.deepEqual(entry.actor, present(change.actor));
    const { timeMs, ...asked } = change.asked ?? {};
    const time = timeMs === undefined ? {} : { time: new Date(timeMs).toISOString() };
    assert.deepEqual(entry.asked, change.asked && { ...asked, ...time });
  }
});

/** Without members that are undefined. */
function present<T extends object>(value: T | undefined): T | undefined {
  if (value === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined),
  ) as T;
}

test("decision() keeps a 64-bit integer exactly and apart from a text of the same digits", () => {
  const principal = (value: string | bigint): DecisionRecord => {
    const base = permit().principal;
    assert.ok(base !== undefined);
    return permit({ principal: { ...base, attributes: { big: value } } });
  };
  for (const value of ["9007199254740993", 9007199254740993n, -(2n ** 63n)]) {
    const entry = checkedRecord(serializer.decision(principal(value), false));
    assert.equal(entry.type === "decision" && entry.principal?.attributes["big"], value);
  }
});

test("decision() leaves the values of queries and of what policy read out", () => {
  const line = serializer.decision(
    permit({
      query: "id=canary-1&canary-2&x=canary-3",
      reads: [{ kind: "header", name: "x-key", values: ["canary-4"] }],
    }),
    false,
  );
  assert.doesNotMatch(line, /canary/);
  assert.match(line, /"query":"id=\*&\*&x=\*"/);
  const entry = checkedRecord(line);
  const hash = createValueHash(new Uint8Array(32))("header", "x-key", "canary-4");
  assert.deepEqual(entry.type === "decision" && entry.reads, [
    { hashes: [hash], kind: "header", name: "x-key" },
  ]);
});

test("decision() cuts what is too long, and says how long the whole was", () => {
  const path = `/${"é".repeat(RECORD_LIMITS.target)}`;
  const line = serializer.decision(permit({ path, params: { rest: path } }), false);
  assert.equal(line, canonicalJson(JSON.parse(line)));
  const entry = checkedRecord(line);
  assert.ok(entry.type === "decision");
  assert.equal(entry.path?.length, RECORD_LIMITS.target);
  assert.deepEqual(Object.keys(entry.truncated), ["params.rest", "path"]);
  assert.equal(entry.truncated["path"]?.bytes, Buffer.byteLength(path));
  const stranger = checkedRecord(serializer.decision(strangerDenial({ path }), true));
  assert.equal(stranger.type === "decision" && stranger.path?.length, RECORD_LIMITS.strangerTarget);
});

test("decision() never cuts a surrogate pair in two", () => {
  const detail = `${"a".repeat(RECORD_LIMITS.field - 1)}\u{1f600}`;
  const entry = checkedRecord(serializer.decision(permit({ detail }), false));
  assert.equal(entry.type === "decision" && entry.detail, "a".repeat(RECORD_LIMITS.field - 1));
});

test("decision() throws RecordTooLong when a record passes the limit of a line", () => {
  const roles = Array.from({ length: 30_000 }, (_, index) => `role-${index}`);
  const base = permit().principal;
  assert.ok(base !== undefined);
  const record = permit({ principal: { ...base, roles } });
  assert.throws(() => serializer.decision(record, false), RecordTooLong);
});

test("completion() throws TypeError when a number is not finite", () => {
  assert.throws(() => serializer.completion(completion({ durationMs: Number.NaN })), TypeError);
});

test("thousandths() writes what number() writes of the rounded value", () => {
  const thousandths = (value: number): string => lineOf((lines) => lines.thousandths(value));
  for (const [value, text] of [
    [0, "0"],
    [-0, "0"],
    [0.0004, "0"],
    [0.0005, "0.001"],
    [1.05, "1.05"],
    [1.5, "1.5"],
    [20, "20"],
    [-1.25, "-1.25"],
    [999_999.9996, "1000000"],
    [1e15, "1000000000000000"],
  ] as const) {
    assert.equal(thousandths(value), text);
  }
  fc.assert(
    fc.property(fc.double({ min: -10, max: 2e6, noNaN: true }), (value) => {
      assert.equal(thousandths(value), number(Math.round(value * 1000) / 1000));
    }),
  );
  assert.throws(() => thousandths(Number.NaN), TypeError);
});

test("quote() and number() write what RFC 8785 prescribes", (context) => {
  // Appendix B of RFC 8785.
  const numbers: [string, string][] = [
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["4340000000000001", "9007199254740994"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["41b3de4355555557", "333333333.33333343"],
  ];
  for (const [hex, text] of numbers) {
    assert.equal(number(Buffer.from(hex, "hex").readDoubleBE()), text);
  }
  assert.equal(
    quote('€$\u000f\nA\'B"\\\\"/\u007f\u2028'),
    '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f\u2028"',
  );
  const folder = corpora("audit/jcs");
  if (folder === undefined)
    return context.diagnostic("audit/jcs is absent: its cases are left out");
  for (const name of readdirSync(`${folder}/input`)) {
    const value: unknown = JSON.parse(readFileSync(`${folder}/input/${name}`, "utf8"));
    assert.equal(written(value), readFileSync(`${folder}/output/${name}`, "utf8").trimEnd(), name);
  }
});

/** The corpus' documents by way of our own strings and numbers. */
function written(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "number") return number(value);
  if (Array.isArray(value)) return `[${value.map(written).join(",")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${quote(key)}:${written(member)}`).join(",")}}`;
}
