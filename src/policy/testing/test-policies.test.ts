/** Cases against policies: each kind of expectation, what was asked, and what no case speaks of. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { ManualClock } from "../../platform/clock.ts";
import { verifyPolicies } from "../compile-policies.ts";
import { readTests } from "./read-tests.ts";
import { passed } from "./run-tests.ts";
import { testPolicies, type TestReport } from "./test-policies.ts";
import type { TestWorld } from "./test-world.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [
    {
      name: "corp",
      kinds: ["user", "workload", "device"],
      attributes: { level: "long", tags: "strings" },
      bareRoles: ["Reader"],
      device: { managed: "bool" },
    },
  ],
  services: [{ name: "billing", attributes: {} }],
  routes: [
    { name: "invoice", service: "billing", attributes: {}, params: ["id"] },
    { name: "other", service: "billing", attributes: {}, params: [] },
  ],
  admin: { attributes: {} },
};

const WORLD: Omit<TestWorld, "policyIds"> = {
  vocabulary: VOCABULARY,
  routing: {
    names: ["invoice", "other"],
    pattern: (name) =>
      name === "invoice" ? { host: "api.example.com", path: "/invoices/{id}" } : undefined,
    find({ method, path }) {
      const id = /^\/invoices\/([^/]+)$/.exec(path)?.[1];
      if (id === undefined) return { fault: "no-route" };
      if (method === "PUT") return { fault: "method-not-allowed" };
      const authenticate = ["corp", "anonymous"];
      return { route: "invoice", params: { id: decodeURIComponent(id) }, authenticate };
    },
  },
  authenticatorType: (name) => (name === "corp" ? "jwt" : undefined),
  admin: ["corp"],
};

const ALICE = `{ id: User::"corp/alice", roles: [Reader], attributes: { level: 3, tags: [a] } }`;

async function run(policies: string, cases: string): Promise<TestReport> {
  const source = { files: [{ name: "p.cedar", text: policies }], vocabulary: VOCABULARY };
  const { verified, problems } = await verifyPolicies(source);
  assert.deepEqual(problems, undefined);
  assert.ok(verified !== undefined);
  const text = `principals: { alice: ${ALICE} }\nrequests: { invoice: { url: https://api.example.com/invoices/7 } }\ncases:\n${cases}`;
  const files = [{ name: "t.yaml", text }];
  return await testPolicies({ files, verified, world: WORLD }, { clock: new ManualClock(0) });
}

const READERS = `@id("readers") permit (principal in Sallyport::Role::"Reader", action in Sallyport::Action::"read", resource);`;
const ALSO = `@id("also") permit (principal, action == Sallyport::Action::"GET", resource == Sallyport::Route::"invoice");`;
const ERRS = `@id("errs") forbid (principal is Sallyport::User, action, resource is Sallyport::Route) when { principal.level * 9223372036854775807 > 0 };`;
const STEP_UP = `@id("fresh") @step_up("max_age=60") forbid (principal, action, resource is Sallyport::Route) when { context.authn.age > 60 };`;

void test("testPolicies() holds each kind of expectation against what comes out", async () => {
  const { results, problems } = await run(
    `${READERS}\n${ALSO}\n${STEP_UP}`,
    `  - { name: permit, principal: alice, request: invoice, expect: permit }
  - { name: deny, principal: alice, request: invoice, expect: deny }
  - { name: all, principal: alice, request: invoice, expect: { decision: permit, determining: [also, readers] } }
  - { name: not all, principal: alice, request: invoice, expect: { decision: permit, determining: [readers] } }
  - { name: among, principal: alice, request: invoice, expect: { decision: permit, determiningIncludes: [also] } }
  - { name: not among, principal: alice, request: invoice, expect: { decision: permit, determiningIncludes: [fresh] } }
  - { name: no permit, principal: alice, request: { like: invoice, method: POST }, expect: { decision: deny, reason: no-permit, determining: [] } }
  - { name: other reason, principal: alice, request: { like: invoice, method: POST }, expect: { decision: deny, reason: forbidden } }
  - { name: step up, principal: alice, request: { like: invoice, authn: { age: 61 } }, expect: { decision: deny, reason: step-up-required, determining: [fresh] } }
  - { name: no route, principal: alice, request: { path: /x }, expect: { decision: deny, reason: no-route } }
  - { name: no method, principal: alice, request: { like: invoice, method: PUT }, expect: { decision: deny, reason: method-not-allowed } }
`,
  );
  assert.deepEqual(problems, []);
  const failing = results.filter((one) => !passed(one));
  assert.deepEqual(
    failing.map(({ name, differences }) => [name, ...differences]),
    [
      ["deny", "expected deny, got permit (permitted)"],
      ["not all", "expected readers to decide, got readers, also"],
      ["not among", "expected fresh among those that decide, got readers, also"],
      ["other reason", "expected the reason forbidden, got no-permit"],
    ],
  );
  assert.equal(results.length, 11);
});

void test("testPolicies() says that a forbid could not be evaluated, as the gate denies by it", async () => {
  const { results, problems } = await run(
    `${READERS}\n${ERRS}`,
    `  - { name: errs, principal: alice, request: invoice, expect: { decision: deny, reason: policy-error, determining: [errs] } }\n`,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(results.map(passed), [true]);
  assert.deepEqual(results[0]?.actual.erroring, ["errs"]);
});

void test("testPolicies() asks what the case says, and fixed values for the rest", async () => {
  const { results, problems } = await run(
    READERS,
    `  - name: all of it
    principal: alice
    request:
      url: https://API.example.com:8443/invoices/a%20b?x=1
      method: POST
      headers: { X-Team: [pay, ops], accept: "*/*" }
      ip: ::ffff:10.1.2.3
      time: 2026-01-05T10:00:00+01:00
      scopes: [read]
      authn: { kind: introspection, acr: gold, amr: [otp], age: 5, bound: true }
      workload: { id: Workload::"corp/w", attributes: { level: 1, tags: [] } }
      device: { id: Device::"corp/d", attributes: { managed: true } }
      actor: { id: corp/agent, clientId: c, behind: [x] }
    expect: deny
  - { name: named, principal: Anonymous, request: { route: invoice, params: { id: a/b }, query: { q: [é, "2"] } }, expect: deny }
  - { name: little, principal: alice, request: { path: /invoices/7 }, expect: permit }
`,
  );
  // An encoded slash never reaches a service, so it is no value for a placeholder either.
  assert.deepEqual(
    problems.map(({ message }) => message),
    ["the path cannot be used: an encoded slash"],
  );
  const [whole, little] = results;
  assert.deepEqual(whole?.request, {
    principal: {
      kind: "user",
      authenticator: "corp",
      subject: "alice",
      roles: ["Reader"],
      groups: [],
      attributes: { level: 3, tags: ["a"] },
    },
    action: "POST",
    method: "POST",
    route: "invoice",
    host: "api.example.com",
    path: "/invoices/a%20b",
    query: "x=1",
    params: { id: "a b" },
    fields: ["x-team", "pay", "x-team", "ops", "accept", "*/*"],
    ip: "10.1.2.3",
    timeMs: Date.parse("2026-01-05T09:00:00Z"),
    scopes: ["read"],
    authn: {
      kind: "introspection",
      authenticator: "corp",
      acr: "gold",
      amr: ["otp"],
      ageSeconds: 5,
      bound: true,
    },
    workload: {
      kind: "workload",
      authenticator: "corp",
      subject: "w",
      roles: [],
      groups: [],
      attributes: { level: 1, tags: [] },
    },
    device: {
      kind: "device",
      authenticator: "corp",
      subject: "d",
      roles: [],
      groups: [],
      attributes: { managed: true },
    },
    actor: {
      authenticator: "corp",
      subject: "agent",
      issuer: undefined,
      clientId: "c",
      behind: ["x"],
    },
  });
  const { host, ip, timeMs, query, authn } = little?.request ?? {};
  assert.deepEqual([host, ip, query, authn?.kind], ["localhost", "192.0.2.1", undefined, "jwt"]);
  assert.equal(timeMs, Date.parse("2026-01-01T12:00:00Z"));
});

void test("testPolicies() asks about the admin API, which no route leads to", async () => {
  const { results, problems } = await run(
    `@id("operators") permit (principal in Sallyport::Role::"Reader", action == Sallyport::Action::"admin:getStatus", resource);`,
    `  - { name: may, principal: alice, request: { action: "admin:getStatus" }, expect: { decision: permit, determining: [operators] } }
  - { name: may not, principal: alice, request: { action: "admin:reloadConfig" }, expect: deny }
  - { name: misspelt, principal: alice, request: { action: "admin:getStatsu" }, expect: deny }
  - { name: anonymous, principal: Anonymous, request: { action: "admin:getStatus" }, expect: deny }
`,
  );
  assert.deepEqual(results.map(passed), [true, true]);
  assert.deepEqual(
    problems.map(({ line, message, remedy }) => [line, message, remedy]),
    [
      [6, 'there is no action "admin:getStatsu"', 'did you mean "admin:getStatus"?'],
      [
        7,
        "the admin API does not take Anonymous: policies would not be asked",
        "a principal of corp",
      ],
    ],
  );
});

void test("testPolicies() asks about keys, by service and what is asked for", async () => {
  const { results, problems } = await run(
    `@id("keys") permit (principal in Sallyport::Role::"Reader", action == Sallyport::Action::"issueKey", resource == Sallyport::Service::"billing")
when { context.lifetime <= 300 && context.binding != "none" && ["read"].containsAll(context.scopes) };
@id("no-actors") forbid (principal, action == Sallyport::Action::"issueKey", resource) when { context.as == "actor" && context has other };`,
    `  - { name: bound, principal: alice, request: { action: issueKey, service: billing, scopes: [read], key: { binding: dpop } }, expect: { decision: permit, determining: [keys] } }
  - { name: unbound, principal: alice, request: { action: issueKey, service: billing }, expect: { decision: deny, reason: no-permit } }
  - { name: too long, principal: alice, request: { action: issueKey, service: billing, key: { binding: mtls, lifetime: 301 } }, expect: deny }
  - { name: actor, principal: alice, request: { action: issueKey, service: billing, key: { binding: dpop, as: actor, grant: token-exchange, narrowed: true, other: corp/bob } }, expect: { decision: deny, determining: [no-actors] } }
`,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(results.map(passed), [true, true, true, true]);
  assert.deepEqual(results[3]?.request?.issue, {
    service: "billing",
    lifetimeSeconds: 300,
    binding: "dpop",
    grant: "token-exchange",
    as: "actor",
    client: "corp/alice",
    narrowed: true,
    other: "corp/bob",
  });
});

void test("testPolicies() refuses a case about a key that nobody could ask for", async () => {
  const cases: [request: string, message: string, remedy: string][] = [
    ["{ action: issueKey }", "a key is asked for without a service", "service: billing"],
    [
      "{ action: issueKey, service: biling }",
      'there is no service "biling"',
      'did you mean "billing"?',
    ],
    ["{ action: issueKey, service: billing, path: /x }", "a key is asked for without path", "none"],
    [
      "{ action: issueKey, service: billing, headers: { a: b } }",
      "a key is asked for without headers",
      "none",
    ],
    [
      "{ action: issueKey, service: billing, key: { other: nobody/x } }",
      '"nobody/x" names nobody',
      "<authenticator>/<subject>",
    ],
    [
      "{ like: invoice, service: billing }",
      '"service" is of a key that is asked for',
      "action: issueKey, or none",
    ],
    [
      "{ like: invoice, key: { lifetime: 1 } }",
      '"key" is of a key that is asked for',
      "action: issueKey, or none",
    ],
    [
      "{ action: issueKeys, service: billing }",
      '"service" is of a key that is asked for',
      "action: issueKey, or none",
    ],
    ["{ action: issueKeys }", 'there is no action "issueKeys"', 'did you mean "issueKey"?'],
  ];
  const lines = cases.map(
    ([request], index) =>
      `  - { name: c${String(index)}, principal: alice, request: ${request}, expect: deny }\n`,
  );
  const anonymous =
    "  - { name: nobody, principal: Anonymous, request: { action: issueKey, service: billing }, expect: deny }\n";
  const { problems } = await run(READERS, [...lines, anonymous].join(""));
  assert.deepEqual(
    problems.map(({ message, remedy }) => [message, remedy]),
    [
      ...cases.map(([, message, remedy]) => [message, remedy]),
      ["nobody issues a key to Anonymous", "another principal"],
    ],
  );
});

void test("testPolicies() takes what defaults say of requests for what is not meant of keys", async () => {
  const source = { files: [{ name: "p.cedar", text: READERS }], vocabulary: VOCABULARY };
  const { verified } = await verifyPolicies(source);
  assert.ok(verified !== undefined);
  const text = `defaults: { request: { host: api.example.com, headers: { a: b } } }
cases:
  - { name: key, principal: ${ALICE}, request: { action: issueKey, service: billing }, expect: deny }
`;
  const tested = { files: [{ name: "t.yaml", text }], verified, world: WORLD };
  const { problems, results } = await testPolicies(tested, { clock: new ManualClock(0) });
  assert.deepEqual([problems, results.map(passed)], [[], [true]]);
  assert.deepEqual(results[0]?.request?.fields, []);
});

void test("testPolicies() tells policies that decided nothing from those that never applied", async () => {
  const { coverage } = await run(
    `${READERS}\n${ALSO}\n${STEP_UP}\n@id("never") permit (principal, action == Sallyport::Action::"DELETE", resource);`,
    `  - { name: step up, principal: alice, request: { like: invoice, authn: { age: 61 } }, expect: deny }\n`,
  );
  assert.deepEqual(
    { ...coverage, neverTrue: coverage.neverTrue.map(({ id, line }) => [id, line]) },
    {
      policies: 4,
      routes: 2,
      neverTrue: [["never", 4]],
      undecided: [
        { id: "readers", file: "p.cedar", line: 1, column: 1 },
        { id: "also", file: "p.cedar", line: 2, column: 1 },
      ],
      routesWithout: ["other"],
    },
  );
});

void test("testPolicies() unfolds tables: each row a case, each combination a case", async () => {
  const { results, problems } = await run(
    READERS,
    `  - name: rows
    principal: <who>
    request: <what>
    expect: <then>
    each:
      - { who: alice, what: invoice, then: permit }
      - { who: Anonymous, what: { path: /invoices/8 }, then: { decision: deny, reason: no-permit } }
  - name: <method> of <id>
    principal: alice
    request: { method: <method>, path: /invoices/<id> }
    expect: deny
    each: { method: [POST, DELETE], id: [1, 2] }
`,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    results.map(({ name, line, differences }) => [name, line, differences.length]),
    [
      ["rows (who: alice, what: invoice, then: permit)", 9, 0],
      [
        'rows (who: Anonymous, what: {"path":"/invoices/8"}, then: {"decision":"deny","reason":"no-permit"})',
        10,
        0,
      ],
      ["POST of 1", 11, 0],
      ["POST of 2", 11, 0],
      ["DELETE of 1", 11, 0],
      ["DELETE of 2", 11, 0],
    ],
  );
});

void test("readTests() refuses more cases than are to run, and tables that have more", () => {
  const world = { ...WORLD, policyIds: new Set<string>() };
  const read = (cases: string, most?: number): readonly string[] => {
    const text = `principals: { alice: ${ALICE} }\ncases:\n${cases}`;
    return readTests([{ name: "t.yaml", text }], world, most).problems.map(
      ({ line, message }) => `${line}: ${message}`,
    );
  };
  const table = (name: string, columns: string): string =>
    `  - { name: ${name} <a>, principal: alice, request: { path: /invoices/<b> }, expect: permit, each: { ${columns} } }\n`;
  const many = Array.from({ length: 400 }, (_, index) => index).join(", ");
  assert.deepEqual(read(table("all", `a: [${many}], b: [${many}]`)), [
    "3: the columns have more than 100000 combinations",
  ]);
  const three = table("one", "a: [1, 2, 3], b: [x]") + table("two", "a: [1, 2, 3], b: [x]");
  assert.deepEqual(read(three, 5), ["4: there are more than 5 cases"]);
  assert.deepEqual(read(three, 6), []);
});
