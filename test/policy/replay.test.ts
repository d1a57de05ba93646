/**
 * Replay over records as they come out of the audit log: nothing flips where nothing has changed, and what
 * it says of other policies is what they decide about the whole request. The gate's evaluator, which
 * decides here, is held against the official engine in gate-policies.test.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createRecordReader } from "../../src/audit/fast-record.ts";
import { Lines } from "../../src/audit/lines.ts";
import { createQueryMask } from "../../src/audit/query-mask.ts";
import { isRecordFault, type RecordedDecision } from "../../src/audit/record-schema.ts";
import { Serializer } from "../../src/audit/serialize.ts";
import { createValueHash } from "../../src/audit/value-hash.ts";
import { ISSUE_KEY_ACTION } from "../../src/model/issued-keys.ts";
import type { Policies, PolicyIssue, PolicyRequest } from "../../src/model/policy.ts";
import { ANONYMOUS, type Principal } from "../../src/model/principal.ts";
import type { DecisionRecord } from "../../src/model/records.ts";
import type { Vocabulary } from "../../src/model/vocabulary.ts";
import { compilePolicy } from "../../src/policy/cedar/compile-policy.ts";
import { NO_FILE_ENTITIES } from "../../src/policy/decide/file-entities.ts";
import {
  createGatePolicies,
  type InspectablePolicies,
} from "../../src/policy/decide/gate-policies.ts";
import { clausedPolicy } from "../../src/policy/explain/clauses.ts";
import { createPlaces, splitStatements } from "../../src/policy/load/policy-text.ts";
import { Replay } from "../../src/policy/replay/replay.ts";
import { createSettle } from "../../src/policy/replay/settle.ts";
import { permit } from "../audit-kit.ts";
import { policyJsonOf } from "../cedar-json.ts";

const runs = Number(process.env["SALLYPORT_ORACLE_RUNS"] ?? "150");

const VOCABULARY: Vocabulary = {
  authenticators: [
    {
      name: "corp",
      kinds: ["user", "workload"],
      attributes: { tenant: "string", level: "long" },
      bareRoles: ["Admin"],
    },
  ],
  services: [{ name: "billing", attributes: {} }],
  routes: [
    { name: "billing", service: "billing", attributes: {}, params: ["id"] },
    { name: "orders", service: "billing", attributes: {}, params: [] },
    {
      name: "tools",
      service: "billing",
      attributes: {},
      params: [],
      inspect: { body: { amount: "long" } },
    },
  ],
};

const CONDITIONS = [
  "true",
  'context.path like "/billing/*"',
  'context.host == "api.example.com"',
  'context has params.id && context.params.id == "1"',
  'context.headers.hasTag("x-team")',
  'context.headers.hasTag("x-team") && context.headers.getTag("x-team").contains("pay")',
  'context.query.hasTag("a")',
  'context.query.hasTag("a") && context.query.getTag("a").contains("1")',
  'context.ip.isInRange(ip("10.0.0.0/8"))',
  'context.time < datetime("2026-11-24T04:05:06Z")',
  'context.scopes.contains("read")',
  'context.authn.age < 100 && context.authn.kind == "jwt"',
  'context.authn has acr && context.authn.acr == "2"',
  'context has actor && context.actor.subject == "agent"',
  'context has workload && context.workload.tenant == "t1"',
  "principal has level && principal.level > 9007199254740991",
  'principal has tenant && principal.tenant == "t1"',
  "principal.level > 5",
  "context.lifetime <= 60 && !context.narrowed",
  'context has grant && context.grant == "token-exchange" && context.as == "subject"',
  "context has body && context.body has amount && context.body.amount > 100",
];
const policyText = fc
  .tuple(
    fc.constantFrom("permit", "permit", "forbid"),
    fc.constantFrom(
      "principal",
      "principal is Sallyport::User",
      'principal in Sallyport::Role::"Admin"',
      "principal is Sallyport::Anonymous",
    ),
    fc.constantFrom("action", 'action in Sallyport::Action::"read"'),
    fc.constantFrom("resource", 'resource == Sallyport::Route::"billing"'),
    fc.constantFrom(...CONDITIONS),
  )
  .map(([effect, ...rest]) => {
    const condition = rest.pop() ?? "";
    return `${effect} (${rest.join(", ")}) when { ${condition} };`;
  });
const policyTexts = fc.array(policyText, { minLength: 1, maxLength: 6 });

const attributes: fc.Arbitrary<Principal["attributes"]> = fc.record(
  {
    tenant: fc.constantFrom("t1", "t2"),
    level: fc.constantFrom<number | bigint>(3, 7, 9_007_199_254_740_993n),
  },
  { requiredKeys: [] },
);
const principal: fc.Arbitrary<Principal> = fc.oneof(
  fc.constant(ANONYMOUS),
  fc.record({
    kind: fc.constantFrom("user", "workload"),
    authenticator: fc.constant("corp"),
    subject: fc.constantFrom("alice", "bob"),
    roles: fc.subarray(["Admin", "corp/Reader"]),
    groups: fc.constant([]),
    attributes,
  }),
);
const traffic: fc.Arbitrary<PolicyRequest> = fc
  .record({
    principal,
    action: fc.constantFrom("GET", "POST"),
    route: fc.constantFrom("billing", "orders", "tools"),
    path: fc.constantFrom("/billing/1", "/orders"),
    host: fc.constantFrom("api.example.com", "other.example"),
    params: fc.constantFrom<Record<string, string>>({}, { id: "1" }, { id: "2" }),
    query: fc.constantFrom(undefined, "", "a=1", "a=2&b=1", "b", "b=%", "a=*", "%61=1"),
    fields: fc.constantFrom([], ["x-team", "pay"], ["x-team", "ops"]),
    ip: fc.constantFrom("10.0.0.1", "192.0.2.1"),
    timeMs: fc.constantFrom(0, Date.UTC(2026, 10, 24, 4, 5, 6, 7)),
    scopes: fc.subarray(["read", "write"]),
    authn: fc.record({
      kind: fc.constantFrom("jwt", "api-key"),
      authenticator: fc.constant("corp"),
      ageSeconds: fc.constantFrom(0, 12.5, 600),
      acr: fc.constantFrom(undefined, "2"),
      amr: fc.subarray(["pwd"]),
      bound: fc.boolean(),
    }),
    workload: fc.option(
      attributes.map((own): Principal => ({
        kind: "workload",
        authenticator: "mesh",
        subject: "w",
        roles: [],
        groups: [],
        attributes: own,
      })),
      { nil: undefined },
    ),
    actor: fc.constantFrom(undefined, {
      authenticator: "corp",
      subject: "agent",
      issuer: undefined,
      clientId: "app",
      behind: [],
    }),
    body: fc.constantFrom(undefined, { amount: 50 }, { amount: 500 }),
  })
  .map((one) => ({
    ...one,
    method: one.action,
    body: one.route === "tools" ? one.body : undefined,
  }));

const issue: fc.Arbitrary<PolicyIssue> = fc.record({
  service: fc.constant("billing"),
  lifetimeSeconds: fc.constantFrom(60, 300),
  binding: fc.constantFrom("none", "dpop"),
  grant: fc.constantFrom("client-credentials", "token-exchange"),
  as: fc.constantFrom("subject", "actor"),
  client: fc.constantFrom("job", "other"),
  narrowed: fc.boolean(),
  other: fc.constantFrom(undefined, "mesh/payments"),
});
const issuing = fc.tuple(traffic, issue).map(([one, asked]): PolicyRequest => ({
  ...one,
  action: ISSUE_KEY_ACTION,
  route: "",
  issue: asked,
}));
const request = fc.oneof({ weight: 4, arbitrary: traffic }, { weight: 1, arbitrary: issuing });

async function gate(texts: readonly string[]): Promise<InspectablePolicies> {
  const policies = texts.map((text, order) =>
    compilePolicy(policyJsonOf(text), { id: `p${order}`, order }),
  );
  return createGatePolicies(
    { policies, files: NO_FILE_ENTITIES, vocabulary: VOCABULARY, hash: "sha256-x" },
    () => undefined,
  );
}

/** With what settles answers, and without: what is certain without it, it is not asked about. */
function replayOf(
  policies: InspectablePolicies,
  texts: readonly string[],
  settled: boolean,
): Replay {
  const clauses = texts.map((text, order) => {
    const [statement] = splitStatements(text);
    assert.ok(statement !== undefined);
    const parts = { json: policyJsonOf(text), statement, placeOf: createPlaces(text) };
    return clausedPolicy({ id: `p${order}`, order, ...parts });
  });
  const settle = createSettle({ policies: clauses, gate: policies });
  return new Replay(policies, VOCABULARY, settled ? { settle } : {});
}

const read = createRecordReader();

/** As the gate records it and the log gives it back. */
function recorded(asked: PolicyRequest, policies: Policies, kept: boolean): RecordedDecision {
  const { reason, determining, erroring, reads } = policies.decide(asked);
  const { action, ip, fields: _f, host, body, issue: key, route, ...same } = asked;
  const record: DecisionRecord = permit({
    ...same,
    ...(key === undefined
      ? { route }
      : { route: undefined, action, issue: { ...withoutService(key), questions: 1 } }),
    // Half of the bodies are in the record as they are, the others as hashes.
    body: body && { values: body, clear: new Set(kept ? ["amount"] : []) },
    host: `${host}:8443`,
    peerAddress: ip,
    service: "billing",
    decision: reason === "permitted" ? "permit" : "deny",
    reason,
    determining,
    erroring,
    reads,
  });
  const lines = new Lines(1024);
  const serializer = new Serializer({
    maskQuery: createQueryMask({ values: kept ? "kept" : "masked", keep: [] }),
    hash: createValueHash(new Uint8Array(32)),
  });
  serializer.decision(lines, record, false);
  const entry = read(Buffer.from(lines.copy()).toString("utf8"));
  assert.ok(!isRecordFault(entry) && entry.type === "decision");
  return entry;
}

function withoutService({ service: _service, ...same }: PolicyIssue): Omit<PolicyIssue, "service"> {
  return same;
}

test("add() flips nothing by the policies that decided", async () => {
  let certain = 0;
  await fc.assert(
    fc.asyncProperty(policyTexts, fc.array(request), fc.boolean(), async (texts, asked, kept) => {
      const policies = await gate(texts);
      const replay = replayOf(policies, texts, true);
      for (const one of asked) replay.add(recorded(one, policies, kept));
      const report = replay.report();
      assert.deepEqual([...report.wouldDeny.groups, ...report.wouldPermit.groups], []);
      assert.equal(report.same + report.uncertain.count, asked.length);
      assert.deepEqual(report.leftOut, {});
      certain += report.same;
    }),
    { numRuns: runs },
  );
  assert.ok(certain > runs);
});

test("add() says of other policies what they decide, or that it cannot be known", async () => {
  const seen = { same: 0, wouldDeny: 0, wouldPermit: 0, uncertain: 0 };
  let settledOnly = 0;
  await fc.assert(
    fc.asyncProperty(
      policyTexts,
      policyTexts,
      request,
      fc.boolean(),
      async (texts, others, one, kept) => {
        const [before, after] = [await gate(texts), await gate(others)];
        const replay = replayOf(after, others, true);
        const record = recorded(one, before, kept);
        replay.add(record);
        const { same, wouldDeny, wouldPermit, uncertain } = replay.report();
        const alone = replayOf(after, others, false);
        alone.add(record);
        if (alone.report().uncertain.count > uncertain.count) settledOnly += 1;
        const { reason } = after.decide(one);
        if (uncertain.count === 1) {
          seen.uncertain += 1;
          assert.ok((uncertain.groups[0]?.dependsOn.length ?? 0) > 0);
          return;
        }
        const was = before.decide(one).reason === "permitted";
        const is = reason === "permitted";
        const expected = was === is ? "same" : is ? "wouldPermit" : "wouldDeny";
        assert.deepEqual(
          { same, wouldDeny: wouldDeny.count, wouldPermit: wouldPermit.count },
          { same: 0, wouldDeny: 0, wouldPermit: 0, [expected]: 1 },
        );
        seen[expected] += 1;
        if (expected !== "same") {
          const [group] = [...wouldDeny.groups, ...wouldPermit.groups];
          assert.ok(group?.reason === undefined || group.reason === reason);
          assert.equal(group?.example, record.decisionId);
        }
      },
    ),
    { numRuns: runs * 4 },
  );
  assert.ok(settledOnly > runs / 20, "nothing was settled");
  for (const [what, count] of Object.entries(seen)) assert.ok(count > runs / 20, what);
});
