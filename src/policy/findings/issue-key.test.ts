/** What findings and answers say of keys, and what loading says of policies that count for them unasked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { ManualClock } from "../../platform/clock.ts";
import { answer } from "../answers/answer.ts";
import { knownCallers } from "../answers/known-callers.ts";
import { compileVerified, verifyPolicies } from "../compile-policies.ts";
import { clausedPolicies } from "../explain/claused-policies.ts";
import { loadPolicies } from "../load/load-policies.ts";
import { findFindings } from "./find-findings.ts";
import { FindingSubject, type WrittenFacts } from "./subject.ts";

const WORDS = { attributes: {}, bareRoles: ["Batch"] } as const;
const VOCABULARY: Vocabulary = {
  authenticators: [
    { ...WORDS, name: "mesh", kinds: ["workload"] },
    { ...WORDS, name: "keys", kinds: ["workload"], issued: true },
  ],
  services: [{ name: "billing", attributes: {} }],
  routes: [
    { name: "invoices", service: "billing", attributes: { tier: 1 }, params: [] },
    { name: "other", service: "billing", attributes: {}, params: [] },
  ],
};
const WITHOUT: Vocabulary = {
  ...VOCABULARY,
  authenticators: VOCABULARY.authenticators.filter(({ name }) => name === "mesh"),
};
const PLACE = { file: "sallyport.yaml", line: 1, column: 1 };
const WRITTEN: WrittenFacts = {
  routes: [
    {
      name: "invoices",
      methods: undefined,
      authenticate: ["keys"],
      anonymous: false,
      place: PLACE,
      accept: [],
    },
  ],
  services: [{ name: "billing", place: { ...PLACE, line: 7 }, accept: [] }],
  authenticators: [],
  admin: undefined,
  accept: [],
};

async function subjectOf(text: string, vocabulary = VOCABULARY) {
  const files = [{ name: "p.cedar", text }];
  const { problems, ...loaded } = await loadPolicies({ files, vocabulary });
  assert.deepEqual(problems, []);
  return { ...loaded, files, vocabulary, written: WRITTEN };
}

async function found(text: string, vocabulary = VOCABULARY): Promise<string[]> {
  return findFindings(await subjectOf(text, vocabulary)).map(
    ({ id, message }) => `${id}: ${message}`,
  );
}

const KEYS = `@id("keys") permit (principal in Sallyport::Role::"Batch", action == Sallyport::Action::"issueKey", resource == Sallyport::Service::"billing");`;
const ROUTE = `@id("route") permit (principal == Sallyport::Workload::"mesh/job", action, resource == Sallyport::Route::"invoices");`;

void test("a policy about keys applies where keys are issued, and never where they are not", async () => {
  assert.deepEqual(
    (await found(`${KEYS}\n${ROUTE}`)).filter((one) => one.startsWith("policy-")),
    [],
  );
  assert.deepEqual(
    (await found(`${KEYS}\n${ROUTE}`, WITHOUT)).filter((one) => one.includes("'keys'")),
    ["policy-never-applies: policy 'keys' never applies: no key is issued"],
  );
});

void test("a route that takes keys takes whoever any authenticator vouches for", async () => {
  assert.deepEqual(
    (await found(ROUTE)).filter((one) => one.includes("'route'")),
    [],
  );
});

void test("a permit is not shadowed by one that has no keys", async () => {
  const all = `@id("all") permit (principal, action, resource in Sallyport::Service::"billing") when { context.ip.isLoopback() };`;
  const use = `@id("use") permit (principal, action in [Sallyport::Action::"read", Sallyport::Action::"write"], resource) when { context.ip.isLoopback() };`;
  const shadowed = async (text: string, vocabulary?: Vocabulary): Promise<string[]> =>
    (await found(text, vocabulary)).filter((one) =>
      one.startsWith("policy-shadowed: policy 'all'"),
    );
  assert.deepEqual(await shadowed(`${all}\n${use}`), []);
  assert.equal((await shadowed(`${all}\n${use}`, WITHOUT)).length, 1);
  const onRoutes = all
    .replace("in Sallyport::Service", "in Sallyport::Route")
    .replace("billing", "invoices");
  assert.equal((await shadowed(`${onRoutes}\n${use}`)).length, 1);
});

void test("any-authenticated says of a service that everybody can have keys for it", async () => {
  const open = await found('@id("open") permit (principal, action, resource);');
  assert.ok(
    open.includes(
      'any-authenticated: whoever is known may have a key for service "billing": "open" asks for nobody in particular',
    ),
    open.join("\n"),
  );
  const methods = await found(
    '@id("open") permit (principal, action in [Sallyport::Action::"read", Sallyport::Action::"write"], resource);',
  );
  assert.ok(!methods.some((one) => one.includes("a key")), methods.join("\n"));
  const closed = await found(
    `@id("open") permit (principal, action, resource);
@id("no-keys") forbid (principal, action == Sallyport::Action::"issueKey", resource);`,
  );
  assert.ok(!closed.some((one) => one.includes("may have a key")), closed.join("\n"));
});

void test("loadPolicies() validates for keys what is written with them in mind, and nothing else", async () => {
  const problemsOf = async (text: string): Promise<string[]> =>
    (
      await loadPolicies({ files: [{ name: "p.cedar", text }], vocabulary: VOCABULARY })
    ).problems.map(({ message }) => message);
  for (const fine of [
    '@id("a") permit (principal, action, resource) when { context.path like "/x" };',
    '@id("a") permit (principal, action, resource in Sallyport::Service::"billing") when { context.path like "/x" };',
    '@id("a") permit (principal, action == Sallyport::Action::"issueKey", resource) when { context.lifetime < 60 };',
    '@id("a") permit (principal, action, resource == Sallyport::Service::"billing") when { context.lifetime < 60 };',
    '@id("a") permit (principal, action, resource is Sallyport::Service) when { context has other && context.other == "x" };',
    '@id("a") forbid (principal, action, resource) when { action == Sallyport::Action::"issueKey" && context.lifetime > 60 };',
  ]) {
    // Beside one that is validated for keys: neither is asked for what the other is.
    assert.deepEqual(await problemsOf(`${fine}\n${KEYS}`), [], fine);
  }
  for (const [wrong, message] of [
    [
      '@id("a") permit (principal, action == Sallyport::Action::"issueKey", resource) when { context.path like "/x" };',
      /path.*not found/,
    ],
    [
      '@id("a") permit (principal, action in [Sallyport::Action::"GET", Sallyport::Action::"issueKey"], resource) when { context.lifetime < 60 };',
      /lifetime.*not found/,
    ],
    [
      '@id("a") permit (principal, action == Sallyport::Action::"issueKey", resource == Sallyport::Route::"invoices");',
      /applicable action|impossible/,
    ],
    [
      '@id("a") permit (principal, action == Sallyport::Action::"issueKeys", resource);',
      /issueKeys/,
    ],
    [
      '@id("a") permit (principal, action == Sallyport::Action::"issueKey", resource) when { context.as == 1 };',
      /as|type/,
    ],
  ] as const) {
    const [first = ""] = await problemsOf(wrong);
    assert.match(first, message, wrong);
  }
});

void test("loadPolicies() warns of a forbid that fails where a key is asked for, if keys are issued", async () => {
  const warningsOf = async (text: string, vocabulary = VOCABULARY): Promise<string[]> =>
    (await loadPolicies({ files: [{ name: "p.cedar", text }], vocabulary })).warnings.map(
      ({ message }) => message,
    );
  const open = '@id("open") permit (principal, action, resource);\n';
  const paths = `${open}@id("p") forbid (principal, action, resource) when { context.path like "/x" };`;
  const [warning = ""] = await warningsOf(paths);
  assert.match(warning, /^where a key is asked for: .*path.*not found/);
  assert.deepEqual(await warningsOf(paths, WITHOUT), []);
  for (const quiet of [
    '@id("p") forbid (principal, action, resource is Sallyport::Route) when { context.path like "/x" };',
    '@id("p") forbid (principal, action in Sallyport::Action::"write", resource) when { context.path like "/x" };',
    '@id("p") forbid (principal, action, resource) when { context has path && context.path like "/x" };',
    '@id("p") forbid (principal, action, resource) when { context.authn.age > 60 };',
  ]) {
    assert.deepEqual(await warningsOf(open + quiet), [], quiet);
  }
});

void test("answer() says who can have a key, and on what it depends", async () => {
  const source = await subjectOf(
    `${KEYS}\n@id("short") forbid (principal, action == Sallyport::Action::"issueKey", resource) when { context.lifetime > 300 };
@id("paths") forbid (principal, action, resource is Sallyport::Route) when { context.path like "/x" };`,
  );
  const { files, vocabulary } = source;
  const { verified } = await verifyPolicies({ files, vocabulary });
  assert.ok(verified !== undefined);
  const { policies: gate } = await compileVerified(verified, vocabulary, {
    clock: new ManualClock(0),
  });
  assert.ok(gate !== undefined);
  const set = { policies: clausedPolicies(files, verified.policies), gate };
  const subject = new FindingSubject(source);
  const [target] = subject.issuing;
  assert.ok(target !== undefined);
  const answers = knownCallers(subject, target).map((caller) => {
    const { may, clauses } = answer(set, caller, { target, action: "issueKey" });
    return [caller.who, may, clauses.map(({ text }) => text)];
  });
  const depends = ["context.lifetime > 300"];
  assert.deepEqual(answers, [
    ["Workload of mesh", "no", []],
    ['Workload of mesh in Role::"Batch"', "depends", depends],
    ["Workload of keys", "no", []],
    ['Workload of keys in Role::"Batch"', "depends", depends],
  ]);
});
