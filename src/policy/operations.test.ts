/** Operations in policies: their schema, what is refused, how they are decided, beside the official engine. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { ANONYMOUS } from "../model/principal.ts";
import type { Policies, PolicyRequest } from "../model/policy.ts";
import type { Vocabulary, VocabularyOperation } from "../model/vocabulary.ts";
import { systemClock } from "../platform/clock.ts";
import { compilePolicies, schemaText } from "./compile-policies.ts";

const INVOICE: VocabularyOperation = {
  id: "getInvoice",
  method: "GET",
  path: "/v1/invoices/{id}",
  groups: ["invoices"],
  parameters: [
    { name: "id", type: "long", required: true, segment: 2 },
    { name: "page", type: "long", required: false },
  ],
};
const VOCABULARY: Vocabulary = {
  authenticators: [{ name: "corp", kinds: ["user"], attributes: {}, bareRoles: [] }],
  services: [
    {
      name: "billing",
      attributes: {},
      operations: [
        INVOICE,
        {
          id: "payInvoice",
          method: "POST",
          path: "/v1/invoices/{id}/pay",
          groups: ["invoices", "money moves"],
          parameters: [{ name: "id", type: "long", required: true, segment: 2 }],
        },
        { id: "ping", method: "GET", path: "/ping", groups: [], parameters: [] },
      ],
    },
    {
      name: "stock",
      attributes: {},
      operations: [{ id: "list", method: "GET", path: "/", groups: [], parameters: [] }],
    },
    { name: "orders", attributes: {} },
  ],
  routes: [
    { name: "billing", service: "billing", attributes: {}, params: [] },
    { name: "stock", service: "stock", attributes: {}, params: [] },
    { name: "orders", service: "orders", attributes: {}, params: [] },
  ],
};

const REQUEST: PolicyRequest = {
  principal: ANONYMOUS,
  action: "billing:getInvoice",
  route: "billing",
  path: "/billing/v1/invoices/7",
  servicePath: "/v1/invoices/7",
  host: "api.example.com",
  method: "GET",
  params: {},
  query: "page=2",
  fields: [],
  ip: "127.0.0.1",
  timeMs: 0,
  scopes: [],
  authn: {
    kind: "none",
    authenticator: "anonymous",
    ageSeconds: 0,
    acr: undefined,
    amr: [],
    bound: false,
  },
};

async function compile(...texts: string[]) {
  const text = texts.map((one, index) => `@id("p${String(index)}")\n${one}`).join("\n");
  return compilePolicies(
    { files: [{ name: "a.cedar", text }], vocabulary: VOCABULARY },
    { clock: systemClock },
  );
}

async function policiesOf(...texts: string[]): Promise<Policies> {
  const result = await compile(...texts);
  assert.ok(result.policies !== undefined, JSON.stringify(result.problems));
  return result.policies;
}

async function problemsOf(text: string): Promise<string[]> {
  const { problems = [] } = await compile(text);
  return problems.map(({ message, remedy = "" }) => `${message} | ${remedy}`);
}

const scope = (action: string, resource = "resource") => `(principal, ${action}, ${resource})`;
const operation = (id: string) => `Sallyport::Action::"${id}"`;

void test("policies permit an operation by its id, its groups, its method and the method's group", async () => {
  for (const action of [
    'action == Sallyport::Action::"billing:getInvoice"',
    'action in Sallyport::Action::"billing:getInvoice"',
    'action in Sallyport::Action::"billing/invoices"',
    'action in Sallyport::Action::"GET"',
    'action in Sallyport::Action::"read"',
    'action in [Sallyport::Action::"POST", Sallyport::Action::"billing/invoices"]',
    "action",
  ]) {
    const policies = await policiesOf(`permit ${scope(action)};`);
    assert.equal(policies.decide(REQUEST).reason, "permitted", action);
  }
  for (const action of [
    'action == Sallyport::Action::"GET"',
    'action == Sallyport::Action::"billing:payInvoice"',
    'action in Sallyport::Action::"billing/money moves"',
    'action in Sallyport::Action::"write"',
    'action in Sallyport::Action::"stock:list"',
  ]) {
    const policies = await policiesOf(`permit ${scope(action)};`);
    assert.equal(policies.decide(REQUEST).reason, "no-permit", action);
  }
});

void test("conditions compare actions with groups and methods as scopes do", async () => {
  for (const [condition, reason] of [
    ['action in Sallyport::Action::"billing/invoices"', "permitted"],
    ['action in Sallyport::Action::"read"', "permitted"],
    ['action == Sallyport::Action::"GET"', "no-permit"],
    ['action in [Sallyport::Action::"billing/money moves"]', "no-permit"],
  ] as const) {
    const policies = await policiesOf(`permit ${scope("action")} when { ${condition} };`);
    assert.equal(policies.decide(REQUEST).reason, reason, condition);
  }
});

void test("context.parameters is typed, and read from the path that the service sees", async () => {
  const text = `permit ${scope('action == Sallyport::Action::"billing:getInvoice"')} when {
    context.parameters.id == 7 && context.parameters has page && context.parameters.page < 3 };`;
  const policies = await policiesOf(text);
  const decision = policies.decide(REQUEST);
  assert.equal(decision.reason, "permitted");
  assert.deepEqual(decision.reads, [{ kind: "query", name: "page", values: ["2"] }]);
  assert.equal(policies.decide({ ...REQUEST, query: "page=5" }).reason, "no-permit");
  assert.equal(policies.decide({ ...REQUEST, query: undefined }).reason, "no-permit");
});

void test("a parameter that cannot be read keeps a permit from applying and lets a forbid deny", async () => {
  const reading = `${scope('action == Sallyport::Action::"billing:getInvoice"')} when {
    context.parameters has page && context.parameters.page > 100 }`;
  const permits = await policiesOf(`permit ${reading};`);
  const forbids = await policiesOf(`permit ${scope("action")};`, `forbid ${reading};`);
  for (const query of ["page=x", "page=1&page=2", "page=1e9"]) {
    const broken = { ...REQUEST, query };
    assert.deepEqual(permits.decide(broken).erroring, ["p0"], query);
    assert.equal(permits.decide(broken).reason, "no-permit", query);
    assert.equal(forbids.decide(broken).reason, "policy-error", query);
  }
  assert.equal(forbids.decide({ ...REQUEST, query: "page=101" }).reason, "forbidden");
  assert.equal(forbids.decide({ ...REQUEST, query: "page=100" }).reason, "permitted");
});

void test("actions of services without a description stay methods, without parameters", async () => {
  const policies = await policiesOf(
    'permit (principal, action == Sallyport::Action::"GET", resource in Sallyport::Service::"orders");',
  );
  const orders = { ...REQUEST, action: "GET", route: "orders" };
  assert.equal(policies.decide(orders).reason, "permitted");
});

void test("a load refuses parameters that not every action in the scope has, or of another type", async () => {
  const missing = await problemsOf(
    `permit ${scope('action in Sallyport::Action::"billing/invoices"')} when { context.parameters.page == 1 };`,
  );
  assert.match(missing.join("\n"), /`parameters.page`.*not found/);
  const [typed = ""] = await problemsOf(
    `permit ${scope('action == Sallyport::Action::"billing:getInvoice"')} when { context.parameters.id == "7" };`,
  );
  assert.match(typed, /types/);
  const [plain = ""] = await problemsOf(
    `permit ${scope('action in Sallyport::Action::"read"')} when { context.parameters.id == 7 };`,
  );
  assert.match(plain, /`parameters`.*not found|`parameters.id`.*not found/s);
});

void test("a load refuses == with a method where the resource is of a service with operations", async () => {
  for (const resource of [
    'resource in Sallyport::Service::"billing"',
    'resource == Sallyport::Route::"billing"',
    'resource is Sallyport::Route in Sallyport::Service::"billing"',
  ]) {
    const text = `forbid ${scope('action == Sallyport::Action::"GET"', resource)};`;
    const [problem = ""] = await problemsOf(text);
    assert.match(problem, /'billing' has operations.*\| action in /, resource);
  }
});

void test("a load refuses an operation of one service on the routes of another", async () => {
  const text = `forbid ${scope(`action == ${operation("stock:list")}`, 'resource in Sallyport::Service::"billing"')};`;
  assert.match((await problemsOf(text))[0] ?? "", /operation of the service 'stock'/);
});

void test("a load names the operation that a misspelt one was meant to be", async () => {
  const problems = await problemsOf(
    `permit ${scope('action == Sallyport::Action::"billing:getInvoic"')};`,
  );
  assert.match(problems.join("\n"), /did you mean "billing:getInvoice"/);
  const unknown = await problemsOf(
    `permit ${scope('action in Sallyport::Action::"billing/nothing-like-it"')};`,
  );
  assert.match(unknown.join("\n"), /an operation that its description names/);
});

void test("schemaText() shows operations, their groups and their parameters", async () => {
  const result = await schemaText({ files: [], vocabulary: VOCABULARY });
  assert.ok("text" in result);
  for (const part of [
    /action "billing:getInvoice" in \[Action::"GET", Action::"billing\/invoices"\]/,
    /action "billing\/money moves";/,
    /parameters: \{\s*id: (?:__cedar::)?Long,\s*page\?: (?:__cedar::)?Long/,
  ]) {
    assert.ok(part.test(result.text), String(part));
  }
});

void test("a load asks policies for traffic nothing about the admin API, whatever stands beside them", async () => {
  const text = `@id("traffic") permit (principal, action, resource) when { resource.tier > 1 };
    @id("operators") permit (principal, action in Sallyport::Action::"admin", resource);`;
  const [billing, ...others] = VOCABULARY.routes;
  assert.ok(billing !== undefined);
  const routes = [billing, ...others].map((one) => ({ ...one, attributes: { tier: 1 } }));
  const vocabulary: Vocabulary = { ...VOCABULARY, routes, admin: { attributes: {} } };
  const source = { files: [{ name: "a.cedar", text }], vocabulary };
  const { problems } = await compilePolicies(source, { clock: systemClock });
  assert.deepEqual(problems, undefined);
});
