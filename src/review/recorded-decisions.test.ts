/**
 * What was decided, recorded, and read back gets the same answer again: for generated policies and requests,
 * through the very bytes of the audit log. Where the record does not hold enough, the answer says so.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { permit } from "../../test/audit-kit.ts";
import { policyJsonOf } from "../../test/cedar-json.ts";
import { Lines } from "../audit/lines.ts";
import { createQueryMask } from "../audit/query-mask.ts";
import { isRecordFault, parseRecord, type RecordedDecision } from "../audit/record-schema.ts";
import { Serializer } from "../audit/serialize.ts";
import { createValueHash } from "../audit/value-hash.ts";
import { ISSUE_KEY_ACTION } from "../model/issued-keys.ts";
import type { PolicyDecision, PolicyIssue, PolicyRequest } from "../model/policy.ts";
import { ANONYMOUS, type Principal } from "../model/principal.ts";
import type { DecisionRecord } from "../model/records.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { compilePolicy } from "../policy/cedar/compile-policy.ts";
import { NO_FILE_ENTITIES } from "../policy/decide/file-entities.ts";
import { createGatePolicies } from "../policy/decide/gate-policies.ts";
import { clausedPolicy } from "../policy/explain/clauses.ts";
import { type ExplainableSet, explainPolicies } from "../policy/explain/explanation.ts";
import { recordedRequest } from "../policy/explain/recorded-request.ts";
import { createPlaces, splitStatements } from "../policy/load/policy-text.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [],
  services: [{ name: "billing", attributes: {} }],
  routes: [{ name: "billing", service: "billing", attributes: { public: true }, params: ["id"] }],
};

const CONDITIONS = [
  'context.headers.hasTag("x-team")',
  'context.headers.hasTag("x-team") && context.headers.getTag("x-team").contains("ops")',
  'context.headers.getTag("x-team").containsAny(["ops", "pay"])',
  'context.headers.getTag("x-team") == ["ops"]',
  'context.headers.getTag("x-team").containsAll(["ops", "pay"])',
  'context.headers.hasTag("x-team") && context.headers.getTag("x-team").isEmpty()',
  'context.headers.hasTag("x-team") && ["ops", "x"].containsAll(context.headers.getTag("x-team"))',
  'context.headers.hasTag("forwarded")',
  'context.query.hasTag("a") && context.query.getTag("a").contains("1")',
  'context.query.hasTag("a") || context.query.hasTag("b")',
  'context.query.getTag("é") == ["x y"]',
  'context.headers.getTag("x-team") == context.query.getTag("a")',
  'context.path like "/billing/*" && context.params.id == "1"',
  'context.host == "api.example.com" && context.method == "GET"',
  'context.ip.isInRange(ip("10.0.0.0/8"))',
  'context.time >= datetime("2026-11-24T04:05:06.123Z")',
  "context.authn.age < 60 || context.authn.bound",
  'context.authn has acr && context.authn.acr == "2" && context.authn.amr.contains("otp")',
  'context.scopes.contains("read")',
  "principal has level && principal.level * 4 > 9007199254740993",
  'principal in Sallyport::Role::"Admin"',
  'context has workload && context.workload.id == "x"',
  'context has actor && context.actor.behind.contains("a")',
  "resource.public",
  "context.lifetime <= 60 && !context.narrowed",
  'context has other && context.other == "mesh/payments"',
  'context has grant && context.grant == "token-exchange" && context.as == "subject"',
  'context.binding == "none" || context.client == "job"',
  "9223372036854775807 + 1 > 0",
];

const condition = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...CONDITIONS) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...CONDITIONS),
        fc.constantFrom("&&", "||"),
        fc.constantFrom(...CONDITIONS),
      )
      .map(([left, operator, right]) => `(${left}) ${operator} !(${right})`),
  },
);

const policyText = fc
  .tuple(
    fc.constantFrom("permit", "forbid", "permit"),
    fc.constantFrom("principal", "principal is Sallyport::User"),
    fc.constantFrom("when", "unless"),
    condition,
  )
  .map(
    ([effect, principal, kind, body]) =>
      `${effect} (${principal}, action, resource) ${kind} { ${body} };`,
  );

const alice: Principal = {
  kind: "user",
  authenticator: "corp",
  subject: "alice",
  roles: ["Admin"],
  groups: ["corp/staff"],
  attributes: { level: 9_007_199_254_740_993n },
};
const bob: Principal = { ...alice, subject: "bob", roles: [], attributes: { level: 3 } };

const traffic: fc.Arbitrary<PolicyRequest> = fc.record({
  principal: fc.constantFrom(alice, bob, ANONYMOUS),
  action: fc.constant("GET"),
  route: fc.constant("billing"),
  path: fc.constantFrom("/billing/1", "/billing/2", `/billing/${"x".repeat(9000)}`),
  host: fc.constantFrom("api.example.com", "other.example"),
  method: fc.constant("GET"),
  params: fc.constantFrom({ id: "1" }, { id: "2" }),
  query: fc.constantFrom(undefined, "", "a=1", "a=1&a=2", "b", "%C3%A9=x+y", "a=%zz", "c=3&c=*"),
  fields: fc.constantFrom(
    [],
    ["x-team", "ops"],
    ["x-team", "ops", "x-team", "pay"],
    ["x-team", ""],
    ["forwarded", "for=x"],
  ),
  ip: fc.constantFrom("10.1.2.3", "2001:db8::1", "not an address"),
  timeMs: fc.constantFrom(Date.UTC(2026, 10, 24, 4, 5, 6, 123), 1_700_000_000_000),
  scopes: fc.constantFrom([], ["read"]),
  authn: fc.record({
    kind: fc.constant("jwt"),
    authenticator: fc.constant("corp"),
    ageSeconds: fc.constantFrom(0, 59.999, 60, 1e9),
    acr: fc.constantFrom(undefined, "2"),
    amr: fc.constantFrom([], ["otp"]),
    bound: fc.boolean(),
  }),
  workload: fc.constantFrom(undefined, { ...alice, kind: "workload" } as const),
  actor: fc.constantFrom(undefined, {
    authenticator: "corp",
    subject: "s",
    issuer: undefined,
    clientId: undefined,
    behind: ["a"],
  }),
});

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

const hash = createValueHash(new Uint8Array(32));

for (const values of ["masked", "kept"] as const) {
  const serializer = new Serializer({ maskQuery: createQueryMask({ values, keep: [] }), hash });

  void test(`a record with ${values} queries gets the answer that was recorded, or none that is certain`, async () => {
    const seen = { same: 0, uncertain: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(policyText, { minLength: 1, maxLength: 4 }),
        fc.array(request, { minLength: 1, maxLength: 4 }),
        async (texts, requests) => {
          const set = await explainable(texts);
          for (const one of requests) {
            const decided = set.gate.decide(one);
            const record = recorded(serializer, one, decided);
            const asked = recordedRequest(record, { hash });
            assert.ok(asked !== undefined);
            const question = { request: asked, hidden: asked.hidden };
            const again = explainPolicies(set, question);
            const open =
              again.mayErr.length > 0 ||
              again.policies.some(({ applies }) => applies === "depends");
            if (again.reason === undefined || open) {
              seen.uncertain += 1;
              const wrong = decided.reason === "permitted" ? "deny" : "permit";
              assert.notEqual(again.decision, wrong);
              continue;
            }
            seen.same += 1;
            assert.equal(again.reason, decided.reason);
            assert.deepEqual(again.determining, decided.determining);
            assert.deepEqual(again.erroring, decided.erroring);
            assert.equal(JSON.stringify(explainPolicies(set, question)), JSON.stringify(again));
          }
        },
      ),
      { numRuns: 150 },
    );
    // What records hold is nearly always enough to decide by the policies that decided before.
    assert.ok(seen.same > 8 * seen.uncertain, JSON.stringify(seen));
  });
}

async function explainable(texts: readonly string[]): Promise<ExplainableSet> {
  const parsed = texts.map((text) => ({ text, json: policyJsonOf(text) }));
  const policies = parsed.map(({ text, json }, order) => {
    const [statement] = splitStatements(text);
    assert.ok(statement !== undefined);
    const id = `p${order}`;
    const claused = clausedPolicy({ id, order, json, statement, placeOf: createPlaces(text) });
    return { ...claused, file: "p.cedar", line: 1, column: 1 };
  });
  const compiled = parsed.map(({ json }, order) => compilePolicy(json, { id: `p${order}`, order }));
  const options = {
    policies: compiled,
    files: NO_FILE_ENTITIES,
    vocabulary: VOCABULARY,
    hash: "sha256-x",
  };
  return { policies, gate: await createGatePolicies(options, () => undefined) };
}

function recorded(
  serializer: Serializer,
  one: PolicyRequest,
  decided: PolicyDecision,
): RecordedDecision {
  const lines = new Lines();
  const record = permit({
    ...one,
    host: `${one.host}:8443`,
    clientAddress: undefined,
    peerAddress: one.ip,
    decision: decided.reason === "permitted" ? "permit" : "deny",
    reason: decided.reason,
    determining: decided.determining,
    erroring: decided.erroring,
    reads: decided.reads,
    body: undefined,
    ...recordedKey(one),
  });
  serializer.decision(lines, { ...record, action: one.issue && one.action }, false);
  const entry = parseRecord(Buffer.from(lines.copy()).toString("utf8"));
  assert.ok(!isRecordFault(entry) && entry.type === "decision");
  return entry;
}

function recordedKey({ issue: asked, route }: PolicyRequest): RecordedPlace {
  if (asked === undefined) return { issue: undefined, route, service: "billing" };
  const { service, ...same } = asked;
  return { issue: { ...same, questions: 1 }, service, route: undefined };
}

type RecordedPlace = Record<"route" | "service", string | undefined> & {
  readonly issue: DecisionRecord["issue"] | undefined;
};
