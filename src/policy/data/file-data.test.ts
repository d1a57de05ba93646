/** Data files from their text to decisions: memberships and attributes that no credential carries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../platform/clock.ts";
import type { Policies, PolicyRequest } from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { compilePolicies, schemaText, verifyPolicies } from "../compile-policies.ts";
import type { PolicyFile } from "../policy-source.ts";

const vocabulary: Vocabulary = {
  authenticators: [
    { name: "corp", kinds: ["user"], attributes: { tenant: "string" }, bareRoles: ["Admin"] },
    { name: "mesh", kinds: ["workload"], attributes: {}, bareRoles: [], device: {} },
  ],
  services: [{ name: "billing", attributes: {} }],
  routes: [{ name: "billing", service: "billing", attributes: {}, params: [] }],
};

const ALICE: Principal = {
  kind: "user",
  authenticator: "corp",
  subject: "alice",
  roles: [],
  groups: ["corp/payments"],
  attributes: { tenant: "t1" },
};

const REQUEST: PolicyRequest = {
  principal: ALICE,
  action: "GET",
  route: "billing",
  path: "/billing",
  host: "api.example.com",
  method: "GET",
  params: {},
  query: undefined,
  fields: [],
  ip: "10.0.0.1",
  timeMs: 0,
  scopes: [],
  authn: {
    kind: "jwt",
    authenticator: "corp",
    ageSeconds: 0,
    acr: undefined,
    amr: [],
    bound: false,
  },
};

const DATA = `
roles:
  Admin: [Group::"corp/payments"]
  on-call: [User::"corp/alice", Workload::"mesh/batch"]
groups:
  corp/payments: { in: [Group::"finance"] }
  fleet: []
  finance: { members: [User::"corp/erin"], in: [Role::"corp/Reader"] }
entities:
  User::"corp/alice": { attributes: { clearance: 9223372036854775807, teams: [a, b] } }
  Device::"mesh/laptop": { attributes: { managed: true }, in: [Group::"fleet"] }
`;

async function policiesOf(condition: string, ...data: PolicyFile[]): Promise<Policies> {
  const text = `@id("p") permit (principal, action, resource) when { ${condition} };`;
  const files = [{ name: "p.cedar", text }, ...data];
  const result = await compilePolicies({ files, vocabulary }, { clock: new ManualClock(0) });
  assert.deepEqual(result.problems, undefined);
  assert.ok(result.policies !== undefined);
  return result.policies;
}

test("decide() knows of a principal what files say, beside what its credential says", async () => {
  const laptop: Principal = { ...ALICE, kind: "device", authenticator: "mesh", subject: "laptop" };
  const request = { ...REQUEST, device: { ...laptop, groups: [], attributes: {} } };
  const conditions = [
    'principal in Sallyport::Role::"on-call" && principal in Sallyport::Group::"corp/payments"',
    // By its group, which only the credential names.
    'principal in Sallyport::Role::"Admin" && principal in Sallyport::Group::"finance"',
    'principal in Sallyport::Role::"corp/Reader"',
    "principal is Sallyport::User && principal has clearance && principal.clearance > 9007199254740991",
    'principal is Sallyport::User && principal has teams && principal.teams.contains("b") && principal.tenant == "t1"',
    'Sallyport::Group::"corp/payments" in Sallyport::Role::"corp/Reader"',
    'Sallyport::User::"corp/erin" in Sallyport::Group::"finance" && !(Sallyport::User::"corp/erin" has clearance)',
    'Sallyport::Workload::"mesh/batch" in Sallyport::Role::"on-call"',
    'context has device && context.device in Sallyport::Group::"fleet" && context.device has managed && context.device.managed',
  ];
  const policies = await policiesOf(conditions.map((one) => `(${one})`).join(" && "), {
    name: "data.yaml",
    text: DATA,
  });
  assert.equal(policies.decide(request).reason, "permitted");
  const bob = { ...ALICE, subject: "bob", groups: [] };
  const member = await policiesOf('principal in Sallyport::Group::"finance"', {
    name: "data.yaml",
    text: DATA,
  });
  assert.equal(member.decide(REQUEST).reason, "permitted");
  assert.equal(member.decide({ ...REQUEST, principal: bob }).reason, "no-permit");
});

test("decide() finds policies by roles that only files give", async () => {
  const files = [
    {
      name: "p.cedar",
      text: '@id("p") permit (principal is Sallyport::User in Sallyport::Role::"Admin", action, resource);',
    },
    { name: "data.yaml", text: DATA },
  ];
  const result = await compilePolicies({ files, vocabulary }, { clock: new ManualClock(0) });
  assert.deepEqual(result.policies?.decide(REQUEST).determining, ["p"]);
  const bob = { ...ALICE, subject: "bob", groups: [] };
  assert.equal(result.policies.decide({ ...REQUEST, principal: bob }).reason, "no-permit");
});

test("verifyPolicies() takes Cedar's own format of entities, with the same meaning", async () => {
  const cedar = JSON.stringify([
    {
      uid: { type: "Sallyport::User", id: "corp/alice" },
      attrs: { clearance: 3 },
      parents: [{ __entity: { type: "Group", id: "finance" } }],
    },
    { uid: { type: "Group", id: "finance" }, attrs: {}, parents: [{ type: "Role", id: "Admin" }] },
  ]);
  const written = `
entities:
  User::"corp/alice": { attributes: { clearance: 3 }, in: [Group::"finance"] }
groups: { finance: { in: [Role::"Admin"] } }
`;
  const entities = async (name: string, text: string) => {
    const policy = { name: "p.cedar", text: '@id("p") permit (principal, action, resource);' };
    const { verified, problems } = await verifyPolicies({
      files: [policy, { name, text }],
      vocabulary,
    });
    assert.deepEqual(problems, undefined);
    return verified?.entities.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  };
  assert.deepEqual(await entities("a.json", cedar), await entities("a.yaml", written));
});

test("schemaText() has the attributes of data files, optional", async () => {
  const result = await schemaText({ files: [{ name: "data.yaml", text: DATA }], vocabulary });
  assert.ok("text" in result);
  assert.match(result.text, /"?clearance"?\?: (?:__cedar::)?Long/);
  assert.match(result.text, /"?teams"?\?: Set<(?:__cedar::)?String>/);
  assert.match(result.text, /entity Group in \[Role, Group\]/);
});

test("compilePolicies() refuses an attribute of files that is read without being asked for", async () => {
  const text =
    '@id("p") permit (principal is Sallyport::User, action, resource) when { principal.clearance > 1 };';
  const { problems } = await verifyPolicies({
    files: [
      { name: "p.cedar", text },
      { name: "data.yaml", text: DATA },
    ],
    vocabulary,
  });
  assert.match(problems?.[0]?.message ?? "", /optional attribute `clearance`/);
});
