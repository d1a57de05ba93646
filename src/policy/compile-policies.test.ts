/** From files to decisions, through the thread of the official engine; and every way to be refused. */
import { test } from "node:test";
import assert from "node:assert/strict";
import { ManualClock } from "../platform/clock.ts";
import { formatProblem, type Problem } from "../model/errors.ts";
import { ANONYMOUS } from "../model/principal.ts";
import type { PolicyRequest } from "../model/policy.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { compilePolicies, schemaText } from "./compile-policies.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [
    {
      name: "corp",
      kinds: ["user", "workload"],
      attributes: { tenant: "string" },
      bareRoles: ["Admin"],
    },
  ],
  services: [{ name: "billing", attributes: { public: false } }],
  routes: [{ name: "invoices", service: "billing", attributes: {}, params: ["id"] }],
};
const REQUEST: PolicyRequest = {
  principal: ANONYMOUS,
  action: "GET",
  route: "invoices",
  path: "/invoices/1",
  host: "example.com",
  method: "GET",
  params: { id: "1" },
  query: undefined,
  fields: [],
  ip: "192.0.2.1",
  timeMs: 0,
  scopes: [],
  authn: {
    kind: "none",
    authenticator: "",
    ageSeconds: 0,
    acr: undefined,
    amr: [],
    bound: false,
  },
};
const OPEN = '@id("open") permit (principal, action, resource);';

function compile(
  texts: Readonly<Record<string, string>>,
  vocabulary = VOCABULARY,
): ReturnType<typeof compilePolicies> {
  const files = Object.entries(texts).map(([name, text]) => ({ name, text }));
  return compilePolicies({ files, vocabulary }, { clock: new ManualClock(0) });
}

async function problemsOf(texts: Readonly<Record<string, string>>): Promise<readonly Problem[]> {
  const { problems } = await compile(texts);
  assert.ok(problems !== undefined, "it should have been refused");
  return problems;
}

async function refusal(text: string): Promise<string> {
  return (await problemsOf({ "a.cedar": text })).map(formatProblem).join("\n");
}

void test("compilePolicies() gives decisions by ids in the order of the files", async () => {
  const { policies, warnings } = {
    warnings: undefined,
    ...(await compile({
      "b.cedar": `// é\n${OPEN}`,
      "a.cedar": '@id("anonymous") permit (principal is Sallyport::Anonymous, action, resource);',
    })),
  };
  assert.deepEqual(warnings, []);
  assert.deepEqual(policies?.decide(REQUEST), {
    reason: "permitted",
    determining: ["open", "anonymous"],
    erroring: [],
    reads: [],
  });
});

void test("compilePolicies() compares with integers beyond 2^53 exactly", async () => {
  const { policies } = await compile({
    "a.cedar": `@id("big") permit (principal, action, resource)
      when { 9007199254740993 == 9007199254740992 + 1 && 9223372036854775807 > 9223372036854775806 };
      @id("rounded") permit (principal, action, resource) when { context.authn.age == 0 && 9007199254740993 == 9007199254740992 + context.authn.age };`,
  });
  assert.deepEqual(policies?.decide(REQUEST).determining, ["big"]);
});

void test("compilePolicies() names the place of a syntax error in code units", async () => {
  const [problem, ...others] = await problemsOf({
    "ok.cedar": OPEN,
    "a.cedar": `/* */`.slice(5) + '// é\u{1f600}\n\n@id("é")  permit (principal action, resource);',
  });
  assert.deepEqual(others, []);
  assert.equal(problem?.file, "a.cedar");
  assert.deepEqual([problem?.line, problem?.column], [3, 29]);
});

void test("compilePolicies() names the place of a validation error, once for all actions", async () => {
  const problems = await problemsOf({
    "a.cedar": `${OPEN}\n@id("typo") permit (principal, action, resource)\nwhen { "é" != context.paht };`,
  });
  assert.deepEqual(
    problems.map(({ line, column, message }) => [line, column, message]),
    [[3, 15, "attribute `paht` in context not found"]],
  );
});

void test("compilePolicies() reports all problems of all files in their order", async () => {
  const problems = await problemsOf({
    "b.cedar": 'permit (principal, action, resource) when { context.nope == "" };',
    "a.cedar": `permit (principal, action resource);\n${OPEN}`,
    "c.cedar": `${OPEN}\n${OPEN}`,
  });
  assert.deepEqual(
    problems.map(({ file, line, column }) => `${String(file)}:${String(line)}:${String(column)}`),
    ["b.cedar:1:1", "b.cedar:1:45", "a.cedar:1:27", "c.cedar:2:1"],
  );
});

void test("compilePolicies() refuses a set without policies, and no files", async () => {
  assert.match(await refusal("// nothing\n"), /there is no policy/);
  assert.equal((await problemsOf({})).length, 1);
});

void test("compilePolicies() refuses a missing, empty or unprintable @id", async () => {
  const rest = "permit (principal, action, resource);";
  assert.match(await refusal(rest), /^a\.cedar:1:1 {2}the policy has no @id.*@id\("/);
  assert.match(await refusal(`@id ${rest}`), /the policy has no @id/);
  assert.match(await refusal(`@id("a\\nb") ${rest}`), /not printable/);
  assert.match(await refusal(`@id("${"a".repeat(129)}") ${rest}`), /too long/);
});

void test("compilePolicies() refuses a @step_up that it cannot read, or that is no forbid's", async () => {
  const rest = "(principal, action, resource);";
  for (const annotation of ['@step_up("gold")', '@step_up("")', "@step_up"]) {
    const text = `@id("a") ${annotation} forbid ${rest}`;
    assert.match(
      await refusal(text),
      /^a\.cedar:1:1 {2}the policy's @step_up cannot be read.*acr=/,
    );
  }
  assert.match(
    await refusal(`@id("a") @step_up("acr=gold") permit ${rest}`),
    /@step_up on a permit: only what forbids/,
  );
});

void test("compilePolicies() refuses an @id that is taken, and says where", async () => {
  const [problem] = await problemsOf({ "a.cedar": `\n${OPEN}`, "b.cedar": OPEN });
  assert.equal(problem?.file, "b.cedar");
  assert.match(problem?.message ?? "", /'open' is already in a\.cedar:2/);
});

void test("compilePolicies() refuses policies that can never apply", async () => {
  assert.match(
    await refusal(
      '@id("never") forbid (principal, action, resource) when { principal is Sallyport::Role };',
    ),
    /impossible/,
  );
});

void test("compilePolicies() refuses names of what the configuration does not have", async () => {
  for (const [scope, pattern] of [
    ['principal, action, resource == Sallyport::Route::"invoice"', /no Sallyport::Route.*invoices/],
    [
      'principal, action, resource in Sallyport::Service::"bill\\u{69}g"',
      /Service called "billig"/,
    ],
    ['principal in Sallyport::Role::"Reader", action, resource', /no Sallyport::Role.*corp/],
    ['principal in Sallyport::Group::"other/x", action, resource', /no Sallyport::Group/],
    ['principal == Sallyport::User::"alice", action, resource', /no Sallyport::User/],
    ['principal == Sallyport::Anonymous::"x", action, resource', /no Sallyport::Anonymous/],
    ['principal, action == Sallyport::Action::"TRACE", resource', /unrecognized action/],
    ['principal, action in [Sallyport::Action::"GET", Sallyport::Action::"X"], resource', /action/],
    ["principal is Sallyport::Robot, action, resource", /unrecognized entity type/],
  ] as const) {
    assert.match(await refusal(`@id("x") permit (${scope});`), pattern, scope);
  }
});

void test("compilePolicies() says which name was meant, where one is near", async () => {
  for (const [scope, remedy] of [
    ['principal, action, resource == Sallyport::Route::"invocies"', 'did you mean "invoices"?'],
    ['principal, action, resource in Sallyport::Service::"bililng"', 'did you mean "billing"?'],
    ['principal in Sallyport::Role::"Admni", action, resource', 'did you mean "Admin"?'],
    ['principal in Sallyport::Role::"crop/Clerk", action, resource', 'did you mean "corp/Clerk"?'],
    ['principal in Sallyport::Group::"crop/hr", action, resource', 'did you mean "corp/hr"?'],
    ['principal == Sallyport::User::"crop/ada", action, resource', 'did you mean "corp/ada"?'],
    ['principal, action, resource in Sallyport::Service::"orders"', "one of billing"],
  ] as const) {
    const [problem] = await problemsOf({ "a.cedar": `@id("x") permit (${scope});` });
    assert.equal(problem?.remedy, remedy, scope);
  }
});

void test("compilePolicies() says where an attribute that there is not would be declared", async () => {
  for (const [condition, remedy] of [
    [
      "principal.shoeSizeInInches == 1",
      /^declare it under principal\.attributes .* data file; or /,
    ],
    ['principal.tenat == "acme"', /^did you mean `tenant`\?$/],
    [
      "resource.shoeSizeInInches == 1",
      /^declare it under attributes of the route or its service; /,
    ],
  ] as const) {
    const scope = "principal is Sallyport::User, action, resource is Sallyport::Route";
    const [problem] = await problemsOf({
      "a.cedar": `@id("x") permit (${scope}) when { ${condition} };`,
    });
    assert.match(problem?.message ?? "", /^attribute `.*not found/);
    assert.match(problem?.remedy ?? "", remedy, condition);
  }
});

void test("compilePolicies() takes roles that are bare in an allow list or scoped", async () => {
  for (const role of ["Admin", "corp/Reader"]) {
    const text = `@id("x") permit (principal in Sallyport::Role::"${role}", action, resource);`;
    assert.ok((await compile({ "a.cedar": text })).policies !== undefined, role);
  }
});

void test("compilePolicies() refuses a header name that could never match", async () => {
  assert.match(
    await refusal(
      '@id("x") permit (principal, action, resource) when { context.headers.hasTag("X-Team") };',
    ),
    /^a\.cedar:1:77 {2}no header is called "X-Team".*"x-team"/,
  );
});

void test("compilePolicies() refuses what would break the official engine, and names it", async () => {
  const deep = (condition: string): string =>
    `${OPEN}\n@id("deep") permit (principal, action, resource) when { ${condition} };`;
  const nested = `${"(".repeat(200)}true${")".repeat(200)}`;
  const long = Array.from({ length: 1200 }, () => "true").join(" && ");
  for (const condition of [nested, long]) {
    assert.match(
      await refusal(deep(condition)),
      /^a\.cedar:2:1 {2}the policy is too long or too deep/,
    );
  }
  const dotted = `context${".a".repeat(20_000)} == 1`;
  assert.match(await refusal(deep(dotted)), /gave up on this file/);
});

void test("compilePolicies() validates policies whose conditions look at the action for each", async () => {
  assert.match(
    await refusal(
      '@id("x") permit (principal, action, resource) when { action == Sallyport::Action::"DELETE" && context.nope };',
    ),
    /`nope` in context not found/,
  );
});

void test("compilePolicies() passes on problems of the vocabulary", async () => {
  const services = [
    { name: "a", attributes: { public: true } },
    { name: "b", attributes: { public: "no" } },
  ];
  const { problems } = await compile({ "a.cedar": OPEN }, { ...VOCABULARY, services, routes: [] });
  assert.equal(problems?.length, 1);
});

void test("the hash changes with whatever a decision could be explained by", async () => {
  const second = OPEN.replace("open", "second");
  const hash = async (...args: Parameters<typeof compile>): Promise<string | undefined> =>
    (await compile(...args)).policies?.hash;
  const base = await hash({ "a.cedar": OPEN, "b.cedar": second });
  assert.match(base ?? "", /^sha256-[A-Za-z0-9_-]{43}$/);
  assert.equal(await hash({ "a.cedar": OPEN, "b.cedar": second }), base);
  // A record's policies are shown with file and line, so these count too.
  assert.notEqual(await hash({ "x/a.cedar": OPEN, "b.cedar": second }), base);
  assert.notEqual(await hash({ "a.cedar": `// a comment\n${OPEN}`, "b.cedar": second }), base);
  assert.notEqual(await hash({ "a.cedar": second, "b.cedar": OPEN }), base);
  const services = [{ name: "billing", attributes: { public: true } }];
  assert.notEqual(
    await hash({ "a.cedar": OPEN, "b.cedar": second }, { ...VOCABULARY, services }),
    base,
  );
});

void test("compilePolicies() lets the event loop run between slices of work", async () => {
  let turns = 0;
  let now = 0;
  const tick = (): void => {
    turns += 1;
    next = setImmediate(tick);
  };
  let next = setImmediate(tick);
  const text = Array.from(
    { length: 60 },
    (_, index) => `@id("p${String(index)}") permit (principal, action, resource);`,
  ).join("\n");
  // A clock on which each look costs a millisecond: 60 policies are some 15 slices, compiled and indexed.
  const clock = { monotonic: () => (now += 1) };
  const seen: number[] = [];
  const watch = { monotonic: () => (seen.push(turns), clock.monotonic()) };
  const { policies } = await compilePolicies(
    { files: [{ name: "a.cedar", text }], vocabulary: VOCABULARY },
    { clock: watch },
  );
  clearImmediate(next);
  assert.ok(policies !== undefined);
  assert.ok(new Set(seen).size > 5, `the loop ran between ${String(new Set(seen).size)} slices`);
});

void test("schemaText() gives the schema as people read it", async () => {
  const result = await schemaText({ files: [], vocabulary: VOCABULARY });
  assert.ok("text" in result);
  assert.match(result.text, /^namespace Sallyport \{/);
  assert.match(
    result.text,
    /entity Workload in \[Role, Group\] = \{\s+tenant: __cedar::String\s+\};/,
  );
});
