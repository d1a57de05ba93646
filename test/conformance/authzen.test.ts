/**
 * OpenID AuthZEN Authorization API 1.0, case by case: section 6 (evaluation), 7 (evaluations and their
 * semantics), 9 (metadata), 10 (HTTP binding), over the real gate and the real policies.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createAuthzen } from "../../src/adapters/authzen.ts";
import { testWorld } from "../../src/config/policy-tests.ts";
import type { Policies } from "../../src/model/policy.ts";
import type { DecisionRecord, Taken } from "../../src/model/records.ts";
import type { Vocabulary } from "../../src/model/vocabulary.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { createDecisionIds } from "../../src/platform/decision-id.ts";
import { compilePolicies } from "../../src/policy/compile-policies.ts";
import { adminStage, type AdminStage, type AskOptions, type Reply } from "../admin/stage.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [
    {
      name: "corp",
      kinds: ["user", "workload"],
      attributes: { level: "long" },
      bareRoles: ["Reader"],
    },
    { name: "mesh", kinds: ["workload"], attributes: {}, bareRoles: [] },
  ],
  services: [{ name: "billing", attributes: {} }],
  routes: [
    { name: "invoice", service: "billing", attributes: {}, params: ["id"] },
    { name: "open", service: "billing", attributes: {}, params: [] },
  ],
};

const POLICIES = `
@id("readers") permit (principal in Sallyport::Role::"Reader", action == Sallyport::Action::"GET", resource == Sallyport::Route::"invoice");
@id("anybody") permit (principal, action, resource == Sallyport::Route::"open");
@id("inside") forbid (principal, action == Sallyport::Action::"POST", resource == Sallyport::Route::"open") unless { context.ip.isInRange(ip("10.0.0.0/8")) };
@id("fresh") forbid (principal, action == Sallyport::Action::"PUT", resource == Sallyport::Route::"open") when { context.authn.age > 60 };
@id("one") forbid (principal, action, resource == Sallyport::Route::"invoice") when { context.params has id && context.params.id == "13" };
`;

const ROUTES = [
  {
    name: "invoice",
    host: "api.example.com",
    path: "/invoices/{id}",
    methods: ["GET", "POST"],
    authenticate: ["corp"],
    pathParameters: false,
  },
  {
    name: "open",
    host: undefined,
    path: "/open",
    methods: undefined,
    authenticate: ["corp", "anonymous"],
    pathParameters: false,
  },
];

let compiled: Promise<Policies> | undefined;

async function compile(): Promise<Policies> {
  const files = [{ name: "p.cedar", text: POLICIES }];
  const result = await compilePolicies({ files, vocabulary: VOCABULARY }, { clock: systemClock });
  assert.deepEqual(result.problems, undefined);
  assert.ok(result.policies !== undefined);
  return result.policies;
}

interface Stage extends AdminStage {
  /** Of what was asked about. */
  readonly records: DecisionRecord[];
  readonly post: (path: string, body: unknown, options?: AskOptions) => Promise<Reply>;
}

async function stage(t: TestContext, taken: Taken = "recorded"): Promise<Stage> {
  const policies = await (compiled ??= compile());
  const records: DecisionRecord[] = [];
  const world = testWorld(
    { routes: ROUTES, authenticators: { corp: "jwt", mesh: "mtls" }, admin: undefined },
    VOCABULARY,
  );
  const evaluations = createAuthzen({
    world: () => world,
    policies: () => policies,
    serviceOf: () => "billing",
    clock: systemClock,
    nextDecisionId: createDecisionIds(systemClock),
    audit: {
      writable: () => true,
      decision(record) {
        records.push(record);
        return taken;
      },
      completion: () => {},
      durable: () => undefined,
    },
  });
  const made = await adminStage(t, { desks: { evaluations } });
  return {
    ...made,
    records,
    post: (path, body, options = {}) =>
      made.ask(`/access/v1/${path}`, {
        method: "POST",
        roles: ["Operator"],
        ...options,
        headers: { "content-type": "application/json", ...options.headers },
        body: JSON.stringify(body),
      }),
  };
}

const ALICE = {
  type: "User",
  id: "corp/alice",
  properties: { roles: ["Reader"], attributes: { level: 3 } },
};
const ANYBODY = { type: "Anonymous", id: "anonymous" };
const INVOICE = { type: "Route", id: "invoice", properties: { params: { id: "7" } } };
const OPEN = { type: "Route", id: "open" };
const GET = { name: "GET" };
const POST = { name: "POST" };

void test("evaluation answers with the decision, and the id by which the log has it (section 6)", async (t) => {
  const { post, records, decisions } = await stage(t);
  const reply = await post("evaluation", { subject: ALICE, action: GET, resource: INVOICE });
  assert.equal(reply.status, 200);
  assert.equal(reply.headers["content-type"], "application/json");
  const [record] = records;
  assert.deepEqual(reply.body, {
    decision: true,
    context: { id: record?.decisionId, reason: "permitted" },
  });
  assert.equal(record?.principal?.subject, "alice");
  assert.deepEqual(record?.determining, ["readers"]);
  assert.deepEqual(
    [record?.route, record?.path, { ...record?.params }],
    ["invoice", "/invoices/7", { id: "7" }],
  );
  // Who asked, and the decision that let it ask, which is on record as well.
  assert.deepEqual(record?.asked, { by: "corp/ann", decisionId: decisions[0]?.decisionId });
  assert.equal(decisions[0]?.action, "admin:evaluate");
});

void test("evaluation records the time that it is asked about, where that is not now", async (t) => {
  const { post, records } = await stage(t);
  const question = { subject: ALICE, action: GET, resource: INVOICE };
  await post("evaluation", question);
  await post("evaluation", { ...question, context: { time: "2026-01-05T10:00:00+01:00" } });
  assert.deepEqual(
    records.map(({ asked }) => asked?.timeMs),
    [undefined, Date.parse("2026-01-05T09:00:00Z")],
  );
});

void test("evaluation denies what policies, the router or the route's authenticators would refuse", async (t) => {
  const { post, records } = await stage(t);
  for (const [question, reason] of [
    [{ subject: ALICE, action: POST, resource: INVOICE }, "no-permit"],
    [
      {
        subject: ALICE,
        action: GET,
        resource: { ...INVOICE, properties: { params: { id: "13" } } },
      },
      "forbidden",
    ],
    [{ subject: ALICE, action: { name: "PUT" }, resource: INVOICE }, "method-not-allowed"],
    [{ subject: ANYBODY, action: GET, resource: INVOICE }, "missing-credential"],
    [
      { subject: { type: "Workload", id: "mesh/a" }, action: GET, resource: INVOICE },
      "missing-credential",
    ],
  ] as const) {
    const { body } = await post("evaluation", question);
    assert.equal(body.decision, false);
    assert.equal(body.context.reason, reason);
    assert.equal(records.at(-1)?.reason, reason);
    assert.equal(records.at(-1)?.decision, "deny");
  }
});

void test("evaluation makes nothing up: no address fails policies that read it, an unknown age is old", async (t) => {
  const { post } = await stage(t);
  const ask = async (question: object): Promise<string> =>
    String(
      (await post("evaluation", { subject: ALICE, resource: OPEN, ...question })).body.context
        .reason,
    );
  assert.equal(await ask({ action: POST }), "policy-error");
  assert.equal(await ask({ action: POST, context: { ip: "192.0.2.1" } }), "forbidden");
  assert.equal(await ask({ action: POST, context: { ip: "10.1.2.3" } }), "permitted");
  assert.equal(await ask({ action: { name: "PUT" } }), "forbidden");
  assert.equal(await ask({ action: { name: "PUT" }, context: { authn: { age: 5 } } }), "permitted");
});

void test("evaluation is 400 with the place where a question is none of ours, and nothing is recorded", async (t) => {
  const { post, records } = await stage(t);
  const base = { subject: ALICE, action: GET, resource: INVOICE };
  for (const [question, at] of [
    [{ action: GET, resource: INVOICE }, "/subject"],
    [{ subject: ALICE, resource: INVOICE }, "/action"],
    [{ subject: ALICE, action: GET }, "/resource"],
    [{ ...base, extra: 1 }, "/"],
    [{ ...base, subject: { ...ALICE, type: "Person" } }, "/subject"],
    [{ ...base, subject: { ...ALICE, id: "alice" } }, "/subject"],
    [{ ...base, subject: { type: "User", id: "corp/alice" } }, "/subject"],
    [
      {
        ...base,
        subject: { ...ALICE, properties: { roles: ["Admin"], attributes: { level: 1 } } },
      },
      "/subject/properties/roles/0",
    ],
    [
      { ...base, subject: { ...ALICE, properties: { attributes: { level: "x" } } } },
      "/subject/properties/attributes/level",
    ],
    [{ ...base, subject: { ...ALICE, properties: { role: [] } } }, "/subject/properties/role"],
    [{ ...base, action: { name: "read" } }, "/action/name"],
    [{ ...base, action: { name: "GET", properties: { soft: true } } }, "/action/properties/soft"],
    [{ ...base, resource: { type: "Document", id: "7" } }, "/resource/type"],
    [{ ...base, resource: { type: "Route", id: "invocie" } }, "/resource/id"],
    [{ ...base, resource: { type: "Route", id: "invoice" } }, "/resource/id"],
    [{ ...base, context: { ipp: "10.0.0.1" } }, "/context/ipp"],
    [{ ...base, context: { ip: "10.0.0" } }, "/context/ip"],
    [{ ...base, context: { time: "noon" } }, "/context/time"],
    [
      { ...base, context: { headers: { "sallyport-decision": "x" } } },
      "/context/headers/sallyport-decision",
    ],
  ] as const) {
    const reply = await post("evaluation", question);
    assert.equal(reply.status, 400, JSON.stringify(question));
    assert.equal(reply.headers["content-type"], "application/problem+json");
    assert.equal(reply.body.faults[0].at, at, JSON.stringify([question, reply.body]));
  }
  assert.deepEqual(records, []);
});

void test("evaluations answers each in its order, with what they share (section 7.1)", async (t) => {
  const { post, records } = await stage(t);
  const { status, body } = await post("evaluations", {
    subject: ALICE,
    action: GET,
    evaluations: [
      { resource: INVOICE },
      { resource: { ...INVOICE, properties: { params: { id: "13" } } } },
      { resource: OPEN, subject: ANYBODY },
      {},
      { resource: { type: "Route", id: "nothing" } },
    ],
  });
  assert.equal(status, 200);
  assert.deepEqual(
    body.evaluations.map((one: { decision: boolean }) => one.decision),
    [true, false, true, false, false],
  );
  // Section 7.2: what could not be asked is a decision of false that says why.
  assert.deepEqual(body.evaluations[3].context.error.status, 400);
  assert.match(body.evaluations[3].context.error.message, /^\/resource: /);
  assert.match(body.evaluations[4].context.error.message, /there is no route "nothing"/);
  assert.equal(records.length, 3);
});

void test("evaluations without items is one question (section 7.1)", async (t) => {
  const { post } = await stage(t);
  for (const evaluations of [undefined, []]) {
    const { body } = await post("evaluations", {
      subject: ALICE,
      action: GET,
      resource: OPEN,
      evaluations,
    });
    assert.equal(body.decision, true);
    assert.equal(body.evaluations, undefined);
  }
  assert.equal((await post("evaluations", { subject: ALICE, action: GET })).status, 400);
});

void test("evaluations ends as evaluations_semantic says (section 7.1.2)", async (t) => {
  const { post } = await stage(t);
  const denied = { resource: INVOICE, action: POST };
  const permitted = { resource: INVOICE, action: GET };
  for (const [semantic, items, expected] of [
    [undefined, [denied, permitted, denied], [false, true, false]],
    ["execute_all", [denied, permitted, denied], [false, true, false]],
    ["deny_on_first_deny", [permitted, denied, permitted], [true, false]],
    ["permit_on_first_permit", [denied, permitted, denied], [false, true]],
  ] as const) {
    const options = semantic === undefined ? {} : { options: { evaluations_semantic: semantic } };
    const { body } = await post("evaluations", { subject: ALICE, evaluations: items, ...options });
    assert.deepEqual(
      body.evaluations.map((one: { decision: boolean }) => one.decision),
      expected,
    );
  }
  const unknown = { options: { evaluations_semantic: "first" }, evaluations: [permitted] };
  assert.equal((await post("evaluations", { subject: ALICE, ...unknown })).status, 400);
  const many = Array.from({ length: 101 }, () => ({}));
  assert.equal((await post("evaluations", { subject: ALICE, evaluations: many })).status, 400);
});

void test("X-Request-ID comes back, and stands in the record (section 10.1.3)", async (t) => {
  const { post, records } = await stage(t);
  const headers = { "x-request-id": "bfe9eb29-ab87-4ca3-be83-a1d5d8305716" };
  const question = { subject: ALICE, action: GET, resource: OPEN };
  const reply = await post("evaluation", question, { headers });
  assert.equal(reply.headers["x-request-id"], headers["x-request-id"]);
  assert.equal(records[0]?.requestId, headers["x-request-id"]);
  // Also of what is refused.
  const refused = await post("evaluation", {}, { headers });
  assert.deepEqual(
    [refused.status, refused.headers["x-request-id"]],
    [400, headers["x-request-id"]],
  );
  const denied = await post("evaluation", question, { headers, roles: [] });
  assert.deepEqual([denied.status, denied.headers["x-request-id"]], [403, headers["x-request-id"]]);
  assert.equal((await post("evaluation", question)).headers["x-request-id"], undefined);
});

void test("only who is known and permitted may ask (section 10.1.2)", async (t) => {
  const { ask, post, records } = await stage(t);
  const body = JSON.stringify({ subject: ALICE, action: GET, resource: OPEN });
  const headers = { "content-type": "application/json" };
  const unknown = await ask("/access/v1/evaluation", { method: "POST", headers, body });
  assert.equal(unknown.status, 401);
  assert.ok(unknown.headers["www-authenticate"] !== undefined);
  assert.equal((await post("evaluation", JSON.parse(body), { roles: ["none"] })).status, 403);
  assert.equal((await post("evaluation", JSON.parse(body), { roles: ["reader"] })).status, 403);
  assert.equal((await post("evaluation", JSON.parse(body))).status, 200);
  assert.equal((await ask("/access/v1/evaluation", { roles: ["Operator"] })).status, 405);
  const text = { headers: { "content-type": "text/plain" } };
  assert.equal((await post("evaluation", JSON.parse(body), text)).status, 415);
  assert.equal(records.length, 1);
});

void test("a decision that cannot be recorded is false", async (t) => {
  const { post } = await stage(t, "refused");
  const { body } = await post("evaluation", { subject: ALICE, action: GET, resource: OPEN });
  assert.equal(body.decision, false);
  assert.equal(body.context.reason, "audit-unavailable");
});

void test("the metadata names the endpoints, to whoever asks (section 9)", async (t) => {
  const { ask, port } = await stage(t);
  const host = `127.0.0.1:${port}`;
  const origin = `http://${host}`;
  const reply = await ask("/.well-known/authzen-configuration", { headers: { host } });
  assert.equal(reply.status, 200);
  assert.deepEqual(reply.body, {
    policy_decision_point: origin,
    access_evaluation_endpoint: `${origin}/access/v1/evaluation`,
    access_evaluations_endpoint: `${origin}/access/v1/evaluations`,
  });
  const elsewhere = await adminStage(t);
  assert.equal((await elsewhere.ask("/.well-known/authzen-configuration")).status, 404);
  const question = await elsewhere.ask("/access/v1/evaluation", {
    method: "POST",
    roles: ["Operator"],
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject: ALICE, action: GET, resource: OPEN }),
  });
  assert.deepEqual([question.status, question.body.reason], [404, "not-here"]);
});
