import assert from "node:assert/strict";
import { test } from "node:test";
import type { Policies } from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { ManualClock } from "../../platform/clock.ts";
import { compilePolicies } from "../compile-policies.ts";
import { recordedRequest } from "../explain/recorded-request.ts";
import type { RecordedAnswer } from "../replay/replay.ts";
import { pathCondition, patternOf, quoted } from "./path-patterns.ts";
import { suggestPermits } from "./suggest-permits.ts";
import { suggestTests } from "./suggest-tests.ts";
import { Traffic } from "./traffic.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [
    { name: "corp", kinds: ["user", "workload"], attributes: {}, bareRoles: ["Reader", "Admin"] },
  ],
  services: [{ name: "billing", attributes: {} }],
  routes: ["billing", "orders"].map((name) => ({
    name,
    service: "billing",
    attributes: {},
    params: [],
  })),
};

let count = 0;

function record(changes: Partial<RecordedAnswer> & { readonly who: Principal }): RecordedAnswer {
  const { who, ...rest } = changes;
  count += 1;
  return {
    decisionId: `01K${count}`,
    determining: ["old"],
    erroring: [],
    reason: "permitted",
    authn: { kind: "jwt", authenticator: "corp", ageSeconds: 1, amr: [], bound: false },
    principal: who,
    method: "GET",
    host: "api.example.com",
    path: "/billing/records/1",
    params: {},
    peerAddress: "192.0.2.7",
    reads: [],
    route: "billing",
    scopes: ["read", "more"],
    time: "2026-11-24T04:05:06.123Z",
    truncated: {},
    ...rest,
  };
}

function principal(subject: string, ...roles: string[]): Principal {
  return {
    kind: "workload",
    authenticator: "corp",
    subject,
    roles,
    groups: [],
    attributes: {},
  };
}

const [one, two, admin, odd] = [
  principal("one", "Reader"),
  principal("two", "Reader", "corp/batch"),
  principal("admin", "Admin"),
  principal('o"dd \\ * \u202e', "Reader"),
];
const DENIED = { reason: "no-permit", determining: [] } as const;

const PERMITTED = [
  record({ who: one }),
  record({ who: one, path: "/billing/records/22", scopes: ["read"] }),
  record({ who: two, path: "/billing/summary" }),
  record({ who: admin, method: "POST", path: "/billing/records" }),
  record({ who: odd, route: "orders", path: "/orders/a*b" }),
  record({ who: odd, route: "orders", path: "/orders/7", method: "PUT" }),
  record({ who: odd, route: "orders", path: "/orders/0123456789abcdef" }),
  // Refused by a rate after policies had permitted it.
  record({ who: admin, reason: "rate-limited", path: "/billing/all" }),
];
const REFUSED = [
  record({ who: admin, method: "DELETE", ...DENIED }),
  record({ who: one, method: "POST", path: "/billing/records", ...DENIED }),
  record({ who: odd, route: "orders", path: "/orders/8", method: "PUT", ...DENIED }),
  record({ who: principal("three", "corp/batch"), path: "/billing/summary", ...DENIED }),
];
/** Nobody asked for these. */
const OTHERS = [
  record({ who: principal("stranger") }),
  record({ who: principal("one", "Admin") }),
  record({ who: { ...one, kind: "user" } }),
  record({ who: one, method: "PUT" }),
  record({ who: one, route: "orders" }),
  record({ who: one, path: "/billing/records/1/delete" }),
  record({ who: one, path: "/billing/records" }),
  record({ who: one, path: "/billing/other/1" }),
  record({ who: one, scopes: ["more"] }),
  record({ who: odd, route: "orders", path: "/orders/a/b" }),
  record({ who: odd, route: "orders", path: "/orders/9", method: "PUT" }),
];

async function suggested(): Promise<{ readonly policies: Policies; readonly text: string }> {
  const traffic = new Traffic();
  for (const each of [...PERMITTED, ...REFUSED]) traffic.add(each);
  const permits = suggestPermits(traffic.uses, traffic.denied);
  const text = permits.map((permit) => permit.text).join("\n");
  // The official engine parses it and validates it against the schema.
  const { policies, problems } = await compilePolicies(
    { files: [{ name: "suggested.cedar", text }], vocabulary: VOCABULARY },
    { clock: new ManualClock(0) },
  );
  assert.deepEqual(problems, undefined, text);
  return { policies, text };
}

function reasonOf(policies: Policies, asked: RecordedAnswer): string {
  const request = recordedRequest(asked);
  assert.ok(request !== undefined);
  return policies.decide(request).reason;
}

test("suggestPermits() permits all recorded permits, and nothing else that was tried", async () => {
  const { policies, text } = await suggested();
  for (const asked of PERMITTED) assert.equal(reasonOf(policies, asked), "permitted", text);
  for (const asked of [...REFUSED, ...OTHERS]) {
    const what = `${asked.principal?.subject} ${asked.method} ${asked.path}\n${text}`;
    assert.equal(reasonOf(policies, asked), "no-permit", what);
  }
  // What has an identifier in its path is permitted for others of its kind, and said to be.
  assert.equal(reasonOf(policies, record({ who: one, path: "/billing/records/3" })), "permitted");
  assert.match(text, /Generalised: .* \/billing\/records\/\*/);
});

test("suggestPermits() names a role where several share it, and nobody who has it was refused", async () => {
  const { text } = await suggested();
  assert.match(text, /principal is Sallyport::Workload in Sallyport::Role::"Reader"/);
  assert.match(text, /principal == Sallyport::Workload::"corp\/admin"/);
  const traffic = new Traffic();
  const three = principal("three", "Reader");
  for (const each of [...PERMITTED, record({ who: three, path: "/billing/x", ...DENIED })]) {
    traffic.add(each);
  }
  const permits = suggestPermits(traffic.uses, traffic.denied);
  assert.doesNotMatch(
    permits.map((permit) => permit.text).join(""),
    /route::"billing"[^@]*Reader/i,
  );
  assert.equal(new Set(permits.map(({ id }) => id)).size, permits.length);
});

test("suggestTests() writes what records hold, and leaves out with a comment what they do not", () => {
  const common = { who: one, route: "orders", method: "POST", path: "/orders/7" } as const;
  const rpc = { protocol: "mcp", kind: "request", method: "tools/call", tool: "search" } as const;
  const all = {
    query: "dry=1",
    body: { amount: { value: 9_007_199_254_740_993n } },
    rpc,
    device: { ...principal("laptop"), kind: "device", attributes: { managed: true } },
    actor: { authenticator: "corp", subject: "agent", behind: ["x"] },
  } as const;
  const cases = (example: RecordedAnswer, refused: RecordedAnswer[] = []): string => {
    const traffic = new Traffic();
    for (const each of [example, ...refused]) traffic.add(each);
    const widened = new Set(refused.slice(1).map(({ decisionId }) => decisionId));
    const { denied } = traffic;
    return suggestTests(suggestPermits(traffic.uses, denied), { denied, widened });
  };
  const whole = cases(record({ ...common, ...all }));
  for (const text of [
    '"query":"dry=1"',
    '"body":{"amount":9007199254740993}',
    '"rpc":{"kind":"request","method":"tools/call","tool":"search"}',
    '"device":{"id":"Device::\\"corp/laptop\\"","attributes":{"managed":true}}',
    '"actor":{"id":"corp/agent","behind":["x"]}',
  ]) {
    assert.ok(whole.includes(text), `${text} in ${whole}`);
  }
  const hashed = { iban: { hashes: ["h"], type: "string" } } as const;
  assert.match(
    cases(record({ ...common, body: hashed })),
    /^ {2}# .*POST \/orders\/7 .* is left out: its record has no value of "iban" of the body$/m,
  );
  const reads = [{ kind: "query", name: "dry", hashes: ["h"] }] as const;
  assert.match(
    cases(record({ ...common, query: "dry=*", reads })),
    /left out: its record has no value of the parameter "dry"$/m,
  );
  // Nobody looked at it then.
  assert.match(cases(record({ ...common, query: "page=*" })), /"path":"\/orders\/7","ip"/);
  const refused = ["/orders/8", "/orders/9"].map((path) =>
    record({ ...common, ...DENIED, path, who: two }),
  );
  const told = cases(record(common), refused);
  assert.match(told, /- name: "still refused: POST \/orders\/8 /);
  assert.match(told, /# refused then: POST \/orders\/9 .* is left out: for what its record/);
});

test("Traffic knows when a policy was last used, and leaves out what is no traffic", () => {
  const traffic = new Traffic();
  traffic.add(record({ who: one, time: "2026-11-25T00:00:00.000Z", determining: ["a", "b"] }));
  traffic.add(record({ who: one, time: "2026-11-24T00:00:00.000Z", determining: ["a"] }));
  traffic.add(record({ who: one, route: "sallyport-admin", action: "admin:drain" }));
  traffic.add({ ...record({ who: one, ...DENIED }), reason: "no-route" });
  assert.equal(traffic.lastUseOf("a"), "2026-11-25T00:00:00.000Z");
  assert.equal(traffic.lastUseOf("c"), undefined);
  assert.equal(traffic.first, "2026-11-24T00:00:00.000Z");
  assert.deepEqual([traffic.uses.length, traffic.uses[0]?.count, traffic.denied.length], [1, 2, 0]);
});

test("patternOf() generalises identifiers and nothing else", () => {
  for (const [path, pattern] of [
    ["/a/17/b", "/a/*/b"],
    ["/a/5b0e6b1c-8f5e-4c7e-9d1a-0123456789ab", "/a/*"],
    ["/a/01KAT9T5KVH7Q2M4X8Z0R3B6CD", "/a/*"],
    ["/a/0123456789abcdef", "/a/*"],
    ["/a/2026-11/v2", "/a/2026-11/v2"],
    ["/a/beef", "/a/beef"],
    ["/a*b", "/a\\*b"],
  ] as const) {
    assert.equal(patternOf(path), pattern);
  }
});

test("pathCondition() leaves the path open where there are too many, and says so by undefined", () => {
  const many = Array.from({ length: 51 }, (_, index) => `/p${index}`);
  assert.equal(pathCondition(many), undefined);
  assert.match(pathCondition(many.slice(1)) ?? "", /^\["\/p1", /);
  assert.equal(pathCondition(["/a"]), 'context.path == "/a"');
  assert.equal(quoted('a"\\'), '"a\\"\\\\"');
});

test("Traffic keeps nothing of records whose caller stands as a keyed hash", () => {
  const traffic = new Traffic();
  traffic.add({ ...record({ who: one }), redacted: ["principal.subject"] });
  assert.equal(traffic.uses.length, 0);
  traffic.add({ ...record({ who: one }), redacted: ["requestId"] });
  assert.equal(traffic.uses.length, 1);
});
