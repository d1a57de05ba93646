/**
 * The gate's view: lazy context, index and principal cache against the official engine over the same
 * request written out as entities, and the two rules in which the gate differs. For calls of the admin
 * API the official engine is given the policies without the permits that name no admin action in
 * their scope: that is all in which they may differ there. Of keys that are to be issued they never differ.
 */
import { test } from "node:test";
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { ANONYMOUS, principalId, type Principal } from "../../model/principal.ts";
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import type { PolicyDecision, PolicyIssue, PolicyRequest } from "../../model/policy.ts";
import { METHODS, type Vocabulary } from "../../model/vocabulary.ts";
import { ACTIONS, ADMIN_ACTIONS } from "../cedar-names.ts";
import { compilePolicy } from "../cedar/compile-policy.ts";
import { policyJsonOf } from "../../../test/cedar-json.ts";
import type { PlacedPolicy } from "../explain/claused-policies.ts";
import { clausedPolicy } from "../explain/clauses.ts";
import { explainPolicies } from "../explain/explanation.ts";
import { createPlaces, splitStatements } from "../load/policy-text.ts";
import { NO_FILE_ENTITIES } from "./file-entities.ts";
import { createGatePolicies, type InspectablePolicies } from "./gate-policies.ts";
import {
  officialIsAuthorized,
  officialPolicyJson,
  type OfficialAnswer,
} from "../official/official-engine.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [
    {
      name: "corp",
      kinds: ["user", "workload", "device"],
      attributes: { tenant: "string", external: "bool", level: "long", tags: "strings" },
      bareRoles: ["Admin"],
    },
  ],
  services: [
    { name: "billing", attributes: { public: false, owner: "payments" } },
    { name: "orders", attributes: { public: true } },
  ],
  routes: [
    { name: "billing", service: "billing", attributes: {}, params: ["id"] },
    { name: "invoices", service: "billing", attributes: { public: true, tier: 3 }, params: [] },
    {
      name: "orders",
      service: "orders",
      attributes: {},
      params: ["id"],
      inspect: { body: { amount: "long", tags: "strings" }, rpc: "mcp" },
    },
  ],
  admin: { attributes: { public: false } },
};

const ALICE: Principal = {
  kind: "user",
  authenticator: "corp",
  subject: "alice",
  roles: ["Admin", "corp/Reader"],
  groups: ["corp/staff"],
  attributes: { tenant: "t1", external: false, level: 9_007_199_254_740_993n, tags: ["a", "b"] },
};

const REQUEST: PolicyRequest = {
  principal: ALICE,
  action: "GET",
  route: "billing",
  path: "/billing/1",
  host: "api.example.com",
  method: "GET",
  params: { id: "1" },
  query: "a=1&a=2&b=%C3%A9+x",
  fields: ["x-team", "pay", "accept", "*/*", "x-team", "ops"],
  ip: "10.1.2.3",
  timeMs: 1_700_000_000_000,
  scopes: ["read", "write"],
  authn: {
    kind: "jwt",
    authenticator: "corp",
    ageSeconds: 12.7,
    acr: "2",
    amr: ["pwd", "otp"],
    bound: false,
  },
};

async function gate(...texts: string[]): Promise<InspectablePolicies> {
  const policies = texts.map((text, order) => {
    const { value, errors } = officialPolicyJson(text);
    assert.ok(value !== undefined, `${text} ${JSON.stringify(errors)}`);
    return compilePolicy(value, { id: value.annotations?.["id"] ?? `p${String(order)}`, order });
  });
  return createGatePolicies(
    { policies, files: NO_FILE_ENTITIES, vocabulary: VOCABULARY, hash: "sha256-x" },
    () => undefined,
  );
}

async function permits(condition: string, request = REQUEST): Promise<PolicyDecision> {
  return (await gate(`permit (principal, action, resource) when { ${condition} };`)).decide(
    request,
  );
}

void test("decide() shows policies every part of the request", async () => {
  for (const condition of [
    'principal == Sallyport::User::"corp/alice" && principal is Sallyport::User',
    'principal in Sallyport::Role::"Admin" && principal in Sallyport::Role::"corp/Reader"',
    'principal in Sallyport::Group::"corp/staff" && !(principal in Sallyport::Group::"staff")',
    'principal.tenant == "t1" && !principal.external && principal.tags.containsAll(["b", "a"])',
    'action == Sallyport::Action::"GET" && action in Sallyport::Action::"read"',
    'resource == Sallyport::Route::"billing" && resource in Sallyport::Service::"billing"',
    'resource.public == false && resource.owner == "payments" && !(resource has tier)',
    'Sallyport::Service::"orders".public && Sallyport::Route::"invoices".tier == 3',
    'context.path == "/billing/1" && context.host like "*.example.com" && context.method == "GET"',
    'context.params.id == "1" && !(context.params has other)',
    'context.query.getTag("a") == ["1", "2"] && context.query.getTag("b") == ["é x"]',
    'context.headers.getTag("x-team") == ["ops", "pay"] && !context.headers.hasTag("x-other")',
    'context.ip.isInRange(ip("10.0.0.0/8")) && context.ip == ip("10.1.2.3")',
    'context.time == datetime("2023-11-14T22:13:20Z")',
    'context.scopes.contains("read") && !context.scopes.contains("admin")',
    'context.authn.kind == "jwt" && context.authn.authenticator == "corp" && context.authn.age == 12',
    'context.authn.acr == "2" && context.authn.amr.contains("otp") && !context.authn.bound',
    "!(context has workload) && !(context has device) && !(context has actor) && context has authn.acr",
  ]) {
    assert.equal((await permits(condition)).reason, "permitted", condition);
  }
});

void test("decide() keeps 64-bit attributes exact", async () => {
  // The JSON of the official engine would round the literal, so one that is built is compared.
  const exact = "principal.level == 9007199254740991 + 2";
  assert.equal((await permits(exact)).reason, "permitted");
  assert.equal((await permits("principal.level == 9007199254740991 + 1")).reason, "no-permit");
});

void test("decide() knows the anonymous caller by its one name", async () => {
  const request = { ...REQUEST, principal: ANONYMOUS };
  const named =
    'principal == Sallyport::Anonymous::"anonymous" && principal is Sallyport::Anonymous';
  assert.equal((await permits(named, request)).reason, "permitted");
});

void test("decide() notes header and query reads once, with the values that policy saw", async () => {
  const decision = await permits(
    'context.headers.hasTag("x-team") && context.headers.getTag("x-team").contains("pay") && ' +
      '!context.headers.hasTag("x-none") && context.query.getTag("b").contains("é x")',
  );
  assert.deepEqual(decision, {
    reason: "permitted",
    determining: ["p0"],
    erroring: [],
    reads: [
      { kind: "header", name: "x-team", values: ["pay", "ops"] },
      { kind: "header", name: "x-none", values: [] },
      { kind: "query", name: "b", values: ["é x"] },
    ],
  });
});

void test("decide() makes no new decision when nothing was read and one policy decided", async () => {
  const policies = await gate("permit (principal, action, resource);");
  assert.equal(policies.decide(REQUEST), policies.decide({ ...REQUEST, path: "/billing/2" }));
});

void test("decide() lets forbid beat permit, and lists ids in the order of the files", async () => {
  const policies = await gate(
    '@id("z") permit (principal, action, resource);',
    '@id("b") forbid (principal in Sallyport::Role::"Admin", action, resource);',
    '@id("a") forbid (principal, action in Sallyport::Action::"read", resource);',
    '@id("c") forbid (principal == Sallyport::User::"corp/alice", action, resource);',
    '@id("d") forbid (principal, action in Sallyport::Action::"write", resource);',
  );
  assert.deepEqual(policies.decide(REQUEST), {
    reason: "forbidden",
    determining: ["b", "a", "c"],
    erroring: [],
    reads: [],
  });
});

void test("decide() denies with policy-error when a forbid errs and none applies", async () => {
  const policies = await gate(
    '@id("open") permit (principal, action, resource);',
    '@id("erring-permit") permit (principal, action, resource) when { resource.tier > 1 };',
    '@id("erring-forbid") forbid (principal, action, resource) when { resource.tier > 1 };',
    '@id("orders") forbid (principal, action, resource == Sallyport::Route::"orders");',
  );
  assert.deepEqual(policies.decide(REQUEST), {
    reason: "policy-error",
    determining: ["erring-forbid"],
    erroring: ["erring-permit", "erring-forbid"],
    reads: [],
  });
  assert.equal(policies.decide({ ...REQUEST, route: "orders" }).reason, "forbidden");
});

void test("decide() skips a permit that errs", async () => {
  const policies = await gate(
    '@id("open") permit (principal, action, resource);',
    '@id("erring") permit (principal, action, resource) when { resource.tier > 1 };',
  );
  assert.deepEqual(policies.decide(REQUEST), {
    reason: "permitted",
    determining: ["open"],
    erroring: ["erring"],
    reads: [],
  });
});

void test("decide() errs in a policy that reads a query which cannot be decoded", async () => {
  for (const query of ["a=%", "a=%zz", "a=%ff", "a=%C3", "%ED%A0%80=1"]) {
    const decision = await permits('context.query.hasTag("a")', { ...REQUEST, query });
    assert.deepEqual(
      decision,
      {
        reason: "no-permit",
        determining: [],
        erroring: ["p0"],
        reads: [{ kind: "query", name: "a", values: [], unreadable: true }],
      },
      query,
    );
  }
});

void test("decide() errs in a policy that reads an address which is none, and drops a zone", async () => {
  const linkLocal = 'context.ip.isInRange(ip("fe80::/10"))';
  assert.equal((await permits(linkLocal, { ...REQUEST, ip: "fe80::1%eth0" })).reason, "permitted");
  const decision = await permits(linkLocal, { ...REQUEST, ip: "unix" });
  assert.deepEqual(decision.erroring, ["p0"]);
});

void test("decide() throws for a route or action that the vocabulary does not have", async () => {
  const policies = await gate("permit (principal, action, resource);");
  assert.throws(() => policies.decide({ ...REQUEST, route: "nope" }), TypeError);
  assert.throws(() => policies.decide({ ...REQUEST, action: "TRACE" }), TypeError);
});

void test("decide() lets no permit open the admin API whose scope names no admin action", async () => {
  const admin = { ...REQUEST, action: "admin:listWorkloads" };
  const shut = await gate(
    "permit (principal, action, resource);",
    'permit (principal, action, resource) when { action == Sallyport::Action::"admin:listWorkloads" };',
    'permit (principal, action in Sallyport::Action::"read", resource);',
    'permit (principal, action in [Sallyport::Action::"GET"], resource);',
    'permit (principal, action, resource == Sallyport::Admin::"api");',
    'permit (principal, action == Sallyport::Action::"admin:drain", resource);',
    'permit (principal, action in Sallyport::Action::"admin:write", resource);',
  );
  assert.equal(shut.decide(admin).reason, "no-permit");
  assert.equal(shut.decide(REQUEST).reason, "permitted");
  for (const scope of [
    'action == Sallyport::Action::"admin:listWorkloads"',
    'action in Sallyport::Action::"admin:read"',
    'action in Sallyport::Action::"admin"',
    'action in [Sallyport::Action::"read", Sallyport::Action::"admin:listWorkloads"]',
  ]) {
    const open = await gate(
      `permit (principal, ${scope}, resource) when { resource == Sallyport::Admin::"api" };`,
    );
    assert.equal(open.decide(admin).reason, "permitted", scope);
  }
});

void test("decide() lets every forbid count for the admin API, and deny where it errs there", async () => {
  const admin = { ...REQUEST, action: "admin:listWorkloads" };
  const open = '@id("open") permit (principal, action in Sallyport::Action::"admin", resource);';
  const forbidding = await gate(open, '@id("no") forbid (principal, action, resource);');
  assert.deepEqual(forbidding.decide(admin).determining, ["no"]);
  const erring = await gate(
    open,
    "forbid (principal, action, resource) when { resource.tier > 1 };",
  );
  assert.equal(erring.decide(admin).reason, "policy-error");
  const onRoutes = await gate(open, "forbid (principal, action, resource is Sallyport::Route);");
  assert.deepEqual(onRoutes.decide(admin).determining, ["open"]);
  assert.equal(onRoutes.decide(REQUEST).reason, "forbidden");
});

const ISSUE: PolicyIssue = {
  service: "billing",
  lifetimeSeconds: 300,
  binding: "dpop",
  grant: "token-exchange",
  as: "subject",
  client: "billing-job",
  narrowed: true,
  other: "mesh/payments",
};
const ISSUING: PolicyRequest = { ...REQUEST, action: ISSUE_KEY_ACTION, route: "", issue: ISSUE };

void test("decide() shows policies what is asked for where a key is to be issued", async () => {
  for (const condition of [
    'action == Sallyport::Action::"issueKey" && !(action in Sallyport::Action::"read")',
    '!(action in [Sallyport::Action::"write", Sallyport::Action::"admin"])',
    'resource == Sallyport::Service::"billing" && resource.owner == "payments"',
    'context.lifetime == 300 && context.binding == "dpop" && context.grant == "token-exchange"',
    'context.as == "subject" && context.client == "billing-job" && context.narrowed',
    'context has other && context.other == "mesh/payments"',
    'context.scopes.contains("read") && context.ip == ip("10.1.2.3") && context.authn.age == 12',
    'context.time == datetime("2023-11-14T22:13:20Z") && !(context has workload)',
    "!(context has path) && !(context has headers) && !(context has parameters)",
  ]) {
    assert.equal((await permits(condition, ISSUING)).reason, "permitted", condition);
  }
  const alone = { ...ISSUING, issue: { ...ISSUE, other: undefined } };
  assert.equal((await permits("context has other", alone)).reason, "no-permit");
});

void test("decide() issues by a permit for all actions, and by none for methods", async () => {
  const all = await gate('permit (principal, action, resource in Sallyport::Service::"billing");');
  assert.equal(all.decide(ISSUING).reason, "permitted");
  const elsewhere = { ...ISSUING, issue: { ...ISSUE, service: "orders" } };
  assert.equal(all.decide(elsewhere).reason, "no-permit");
  const methods = await gate(
    'permit (principal, action in [Sallyport::Action::"read", Sallyport::Action::"write"], resource);',
    "permit (principal, action, resource is Sallyport::Route);",
    'permit (principal, action in Sallyport::Action::"admin", resource);',
  );
  assert.equal(methods.decide(ISSUING).reason, "no-permit");
});

void test("decide() issues nothing where a forbid reads what a key does not have", async () => {
  const policies = await gate(
    '@id("all") permit (principal, action, resource);',
    '@id("paths") forbid (principal, action, resource) when { context.path like "/admin/*" };',
  );
  assert.equal(policies.decide(REQUEST).reason, "permitted");
  const { reason, determining } = policies.decide(ISSUING);
  assert.deepEqual([reason, determining], ["policy-error", ["paths"]]);
});

void test("decide() throws for a key for nothing that is known, and for another action with one", async () => {
  const policies = await gate("permit (principal, action, resource);");
  const nowhere = { ...ISSUING, issue: { ...ISSUE, service: "nope" } };
  assert.throws(() => policies.decide(nowhere), TypeError);
  assert.throws(() => policies.decide({ ...ISSUING, action: "admin:drain" }), TypeError);
  assert.throws(() => policies.decide({ ...ISSUING, issue: undefined }), TypeError);
});

const CONDITIONS = [
  "context.lifetime <= 300 && !context.narrowed",
  'context has other && context.other == "mesh/payments"',
  'context.as == "subject" || context.binding != "none"',
  'context has grant && context.grant == "token-exchange" && context.client == "billing-job"',
  "true",
  "false",
  "resource.tier > 2",
  "resource.public",
  "principal.external",
  'principal.tenant == "t1"',
  'principal has tags && principal.tags.contains("a")',
  'context.query.hasTag("a") && context.query.getTag("a").contains("1")',
  'context.query.getTag("b").contains("")',
  'context.headers.getTag("x-team").contains("pay")',
  'context.params.id == "1"',
  'context.params has id && context.params.id like "*1"',
  'context.ip.isInRange(ip("10.0.0.0/8"))',
  'context.time > datetime("2020-01-01")',
  'context.scopes.containsAny(["read"])',
  "context.authn.age < 60 && !context.authn.bound",
  "context has body && context.body has amount && context.body.amount > 1000",
  'context.body.tags.contains("a")',
  'context has rpc && context.rpc has tool && context.rpc.tool == "read"',
  'context.rpc.kind == "notification"',
  'context.authn.acr == "2"',
  'action in [Sallyport::Action::"write", Sallyport::Action::"GET"]',
  'principal in [Sallyport::Role::"Admin", Sallyport::Group::"corp/staff"]',
  'context.path like "/billing/*"',
  'context == context && context.headers == Sallyport::Headers::"request"',
];

const principalScope = fc.constantFrom(
  "principal",
  'principal == Sallyport::User::"corp/alice"',
  'principal == Sallyport::Workload::"corp/alice"',
  'principal in Sallyport::User::"corp/bob"',
  'principal in Sallyport::Role::"Admin"',
  'principal in Sallyport::Role::"corp/Reader"',
  'principal in Sallyport::Group::"corp/staff"',
  "principal is Sallyport::User",
  "principal is Sallyport::Anonymous",
  'principal is Sallyport::Workload in Sallyport::Role::"Admin"',
  'principal is Sallyport::User in Sallyport::Group::"corp/staff"',
);
const actionScope = fc.constantFrom(
  "action",
  'action == Sallyport::Action::"GET"',
  'action == Sallyport::Action::"read"',
  'action in Sallyport::Action::"read"',
  'action in Sallyport::Action::"DELETE"',
  'action in [Sallyport::Action::"write", Sallyport::Action::"GET"]',
  'action in [Sallyport::Action::"GET", Sallyport::Action::"read"]',
  'action == Sallyport::Action::"issueKey"',
  'action in [Sallyport::Action::"read", Sallyport::Action::"issueKey"]',
  'action == Sallyport::Action::"admin:drain"',
  'action in Sallyport::Action::"admin:read"',
  'action in [Sallyport::Action::"read", Sallyport::Action::"admin"]',
);
const resourceScope = fc.constantFrom(
  "resource",
  'resource == Sallyport::Route::"billing"',
  'resource == Sallyport::Service::"billing"',
  'resource in Sallyport::Service::"billing"',
  'resource in Sallyport::Route::"orders"',
  "resource is Sallyport::Route",
  "resource is Sallyport::Service",
  'resource == Sallyport::Admin::"api"',
  "resource is Sallyport::Admin",
  'resource is Sallyport::Route in Sallyport::Service::"orders"',
  'resource is Sallyport::Service in Sallyport::Service::"orders"',
);
const policyText = fc
  .tuple(
    fc.constantFrom("permit", "forbid"),
    fc.tuple(principalScope, actionScope, resourceScope),
    fc.constantFrom(...CONDITIONS),
  )
  .map(([effect, scopes, condition]) => `${effect} (${scopes.join(", ")}) when { ${condition} };`);

const principal: fc.Arbitrary<Principal> = fc.oneof(
  fc.constant(ANONYMOUS),
  fc.record({
    kind: fc.constantFrom("user", "workload", "device"),
    authenticator: fc.constant("corp"),
    subject: fc.constantFrom("alice", "bob"),
    roles: fc.subarray(["Admin", "corp/Reader", "corp/Other"]),
    groups: fc.subarray(["corp/staff", "corp/else"]),
    attributes: fc.record(
      {
        tenant: fc.constantFrom("t1", "t2"),
        external: fc.boolean(),
        tags: fc.subarray(["a", "b"]),
      },
      { requiredKeys: [] },
    ),
  }),
);
const traffic: fc.Arbitrary<PolicyRequest> = fc.record({
  principal,
  action: fc.constantFrom(...METHODS, "admin:listWorkloads", "admin:drain"),
  route: fc.constantFrom("billing", "invoices", "orders"),
  path: fc.constantFrom("/billing/1", "/orders"),
  host: fc.constant("api.example.com"),
  method: fc.constant("GET"),
  params: fc.constantFrom<Record<string, string>>({}, { id: "1" }, { id: "21" }),
  query: fc.constantFrom(undefined, "", "a=1", "a=2&a=1", "b", "b=&a"),
  fields: fc.constantFrom([], ["x-team", "pay"], ["x-team", "a", "x-team", "pay"]),
  ip: fc.constantFrom("10.0.0.1", "192.0.2.1", "::1"),
  timeMs: fc.constantFrom(0, 1_700_000_000_000),
  scopes: fc.subarray(["read", "write"]),
  authn: fc.record({
    kind: fc.constant("jwt"),
    authenticator: fc.constant("corp"),
    ageSeconds: fc.constantFrom(0, 60),
    acr: fc.constantFrom(undefined, "1", "2"),
    amr: fc.subarray(["pwd"]),
    bound: fc.boolean(),
  }),
  body: fc.option(
    fc.record(
      { amount: fc.constantFrom(1, 1001, 5_000_000_000), tags: fc.subarray(["a", "b"]) },
      { requiredKeys: [] },
    ),
    { nil: undefined },
  ),
  rpc: fc.constantFrom<PolicyRequest["rpc"]>(
    undefined,
    { protocol: "mcp", kind: "request", method: "tools/call", tool: "read" },
    { protocol: "mcp", kind: "notification", method: "notifications/initialized" },
  ),
});
const issue: fc.Arbitrary<PolicyIssue> = fc.record({
  service: fc.constantFrom("billing", "orders"),
  lifetimeSeconds: fc.constantFrom(60, 300, 301),
  binding: fc.constantFrom("none", "dpop", "mtls"),
  grant: fc.constantFrom("client-credentials", "token-exchange", "jwt-bearer"),
  as: fc.constantFrom("subject", "actor"),
  client: fc.constantFrom("billing-job", "mesh/payments"),
  narrowed: fc.boolean(),
  other: fc.constantFrom(undefined, "mesh/payments"),
});
const issuing: fc.Arbitrary<PolicyRequest> = fc
  .tuple(traffic, issue)
  .map(([one, wanted]) => ({ ...one, action: ISSUE_KEY_ACTION, issue: wanted }));
const request = fc.oneof({ weight: 3, arbitrary: traffic }, { weight: 1, arbitrary: issuing });

void test("decide() agrees with the official engine over the request written out", async () => {
  const reasons = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(policyText, { minLength: 1, maxLength: 12 }),
      fc.array(request, { minLength: 1, maxLength: 3 }),
      async (texts, requests) => {
        const policies = await gate(...texts);
        const byId = Object.fromEntries(texts.map((text, index) => [`p${String(index)}`, text]));
        for (const one of requests) {
          const policySet = isAdmin(one) ? withoutPlainPermits(byId) : byId;
          const { value, errors } = officialIsAuthorized(writtenOut(one), { policies: policySet });
          assert.ok(value !== undefined, JSON.stringify(errors));
          const { reason, determining, erroring } = policies.decide(one);
          reasons.add(reason);
          assert.deepEqual({ reason, determining, erroring }, expected(value, texts));
          const explained = explainPolicies(
            { policies: claused(texts), gate: policies },
            { request: one },
          );
          assert.equal(explained.decision, reason === "permitted" ? "permit" : "deny");
          assert.equal(explained.reason, reason);
          assert.deepEqual(explained.determining, determining);
          assert.deepEqual(explained.erroring, erroring);
        }
      },
    ),
    {
      numRuns: Number(process.env["SALLYPORT_ORACLE_RUNS"] ?? "100"),
      // One of each outcome comes first, since chance alone misses one now and then.
      examples: OUTCOMES.map((text) => [[text], fc.sample(request, { seed: 1, numRuns: 1 })]),
    },
  );
  assert.deepEqual([...reasons].toSorted(), [
    "forbidden",
    "no-permit",
    "permitted",
    "policy-error",
  ]);
});

function claused(texts: readonly string[]): readonly PlacedPolicy[] {
  return texts.map((text, order) => {
    const [statement] = splitStatements(text);
    assert.ok(statement !== undefined);
    const json = policyJsonOf(text);
    const id = `p${order}`;
    const policy = clausedPolicy({ id, order, json, statement, placeOf: createPlaces(text) });
    return { ...policy, file: `${id}.cedar`, line: 1, column: 1 };
  });
}

const OUTCOMES = [
  "permit (principal, action, resource);",
  "permit (principal, action, resource) when { false };",
  "forbid (principal, action, resource);",
  "forbid (principal, action, resource) when { 9007199254740991 * 9007199254740991 > 0 };",
];

function isAdmin({ action }: PolicyRequest): boolean {
  return action.startsWith("admin:");
}

/** Written apart from `countsForAdmin`, by the text of the scope. */
function withoutPlainPermits(byId: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(byId).filter(([, text]) => {
    const [scope = ""] = text.split(") when");
    return text.startsWith("forbid") || scope.includes('Action::"admin');
  });
  return Object.fromEntries(kept);
}

/** The gate's rule over the official answer. */
function expected(answer: OfficialAnswer, texts: readonly string[]): Omit<PolicyDecision, "reads"> {
  const number = (id: string): number => Number(id.slice(1));
  const inOrder = (ids: readonly string[]): string[] =>
    ids.toSorted((left, right) => number(left) - number(right));
  const erroring = inOrder(answer.erroring);
  const determining = inOrder(answer.determining);
  const isForbid = (id: string): boolean => texts[number(id)]?.startsWith("forbid") === true;
  const failedForbids = erroring.filter(isForbid);
  if (determining.some(isForbid)) return { reason: "forbidden", determining, erroring };
  if (failedForbids.length > 0) {
    return { reason: "policy-error", determining: failedForbids, erroring };
  }
  const reason = answer.decision === "allow" ? "permitted" : "no-permit";
  return { reason, determining, erroring };
}

const TYPES = { user: "User", workload: "Workload", device: "Device", anonymous: "Anonymous" };

function uid(type: string, id: string): { type: string; id: string } {
  return { type: `Sallyport::${type}`, id };
}

function writtenOut(one: PolicyRequest): Parameters<typeof officialIsAuthorized>[0] {
  const caller = uid(TYPES[one.principal.kind], principalId(one.principal));
  const pairs = new URLSearchParams(one.query ?? "");
  const fields: [string, string][] = [];
  for (let index = 0; index < one.fields.length; index += 2) {
    fields.push([one.fields[index] ?? "", one.fields[index + 1] ?? ""]);
  }
  const plain = { attrs: {}, parents: [] };
  const everywhere = {
    ip: { __extn: { fn: "ip", arg: one.ip } },
    time: { __extn: { fn: "datetime", arg: new Date(one.timeMs).toISOString() } },
    scopes: one.scopes,
    authn: {
      kind: one.authn.kind,
      authenticator: one.authn.authenticator,
      age: one.authn.ageSeconds,
      amr: one.authn.amr,
      bound: one.authn.bound,
      ...(one.authn.acr === undefined ? {} : { acr: one.authn.acr }),
    },
  };
  return {
    principal: caller,
    action: uid("Action", one.action),
    resource: resourceOf(one),
    context:
      one.issue !== undefined
        ? { ...everywhere, ...asked(one.issue) }
        : {
            path: one.path,
            host: one.host,
            method: one.method,
            params: one.params,
            query: { __entity: uid("Query", "request") },
            headers: { __entity: uid("Headers", "request") },
            ...everywhere,
            ...(one.body === undefined ? {} : { body: one.body }),
            ...(one.rpc === undefined ? {} : { rpc: { ...one.rpc } }),
          },
    entities: [
      {
        uid: caller,
        attrs: one.principal.attributes,
        parents: [
          ...one.principal.roles.map((role) => uid("Role", role)),
          ...one.principal.groups.map((group) => uid("Group", group)),
        ],
      },
      ...ACTIONS.map(({ id, group }) => ({
        uid: uid("Action", id),
        attrs: {},
        parents: [uid("Action", group)],
      })),
      ...ADMIN_ACTIONS.map(({ id, group }) => ({
        uid: uid("Action", id),
        attrs: {},
        parents: [uid("Action", group)],
      })),
      ...["admin:read", "admin:write"].map((group) => ({
        uid: uid("Action", group),
        attrs: {},
        parents: [uid("Action", "admin")],
      })),
      { ...plain, uid: uid("Action", ISSUE_KEY_ACTION) },
      { uid: uid("Admin", "api"), attrs: { public: false }, parents: [] },
      ...VOCABULARY.services.map(({ name, attributes }) => ({
        uid: uid("Service", name),
        attrs: attributes,
        parents: [],
      })),
      ...VOCABULARY.routes.map(({ name, service, attributes }) => ({
        uid: uid("Route", name),
        attrs: {
          ...VOCABULARY.services.find((other) => other.name === service)?.attributes,
          ...attributes,
        },
        parents: service === undefined ? [] : [uid("Service", service)],
      })),
      { ...plain, uid: uid("Query", "request"), tags: tagsOf([...pairs]) },
      { ...plain, uid: uid("Headers", "request"), tags: tagsOf(fields) },
    ],
  };
}

function resourceOf(one: PolicyRequest): { type: string; id: string } {
  if (one.issue !== undefined) return uid("Service", one.issue.service);
  return isAdmin(one) ? uid("Admin", "api") : uid("Route", one.route);
}

/** Without what is not there: JSON has no undefined. */
function asked({ service: _resource, lifetimeSeconds, other, ...same }: PolicyIssue): object {
  return { ...same, lifetime: lifetimeSeconds, ...(other === undefined ? {} : { other }) };
}

function tagsOf(pairs: readonly [string, string][]): Record<string, string[]> {
  const tags: Record<string, string[]> = {};
  for (const [name, value] of pairs) (tags[name] ??= []).push(value);
  return tags;
}

const GOLD =
  '@id("gold") @step_up("acr=gold max_age=300") forbid (principal, action, resource) unless { context.authn has acr && context.authn.acr == "gold" };';
const RECENT =
  '@id("recent") @step_up("max_age=60") forbid (principal, action, resource) when { context.authn.age > 10 };';
const ALL = '@id("all") permit (principal, action, resource);';

void test("decide() says what a login has to be where nothing else forbids", async () => {
  const policies = await gate(ALL, GOLD, RECENT);
  assert.deepEqual(policies.decide(REQUEST), {
    reason: "step-up-required",
    determining: ["gold", "recent"],
    erroring: [],
    reads: [],
    stepUp: { acrValues: ["gold"], maxAgeSeconds: 60 },
  });
  const golden = { ...REQUEST, authn: { ...REQUEST.authn, acr: "gold" } };
  const { reason, stepUp } = policies.decide(golden);
  assert.deepEqual(
    [reason, stepUp?.acrValues, stepUp?.maxAgeSeconds],
    ["step-up-required", [], 60],
  );
  const enough = { ...golden, authn: { ...golden.authn, ageSeconds: 5 } };
  assert.equal(policies.decide(enough).reason, "permitted");
});

void test("decide() sends nobody to log in who stays forbidden all the same", async () => {
  const never = '@id("never") forbid (principal, action, resource);';
  const forbidden = (await gate(ALL, GOLD, never)).decide(REQUEST);
  assert.deepEqual([forbidden.reason, forbidden.stepUp], ["forbidden", undefined]);
  const erring = '@id("erring") forbid (principal, action, resource) when { resource.tier > 1 };';
  const unknown = (await gate(ALL, GOLD, erring)).decide(REQUEST);
  assert.deepEqual([unknown.reason, unknown.stepUp], ["forbidden", undefined]);
  // On a permit it would be refused at load; here it means nothing.
  const permit = await gate('@step_up("acr=gold") permit (principal, action, resource);');
  assert.equal(permit.decide(REQUEST).reason, "permitted");
});
