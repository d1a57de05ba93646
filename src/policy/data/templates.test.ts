/** Templates and their links, from text to decisions. What is refused: test/config/broken-templates. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../platform/clock.ts";
import type { PolicyRequest } from "../../model/policy.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { compilePolicies, verifyPolicies } from "../compile-policies.ts";
import type { PolicySource } from "../policy-source.ts";

const vocabulary: Vocabulary = {
  authenticators: [{ name: "corp", kinds: ["user"], attributes: {}, bareRoles: [] }],
  services: [
    { name: "billing", attributes: {} },
    { name: "orders", attributes: {} },
  ],
  routes: [
    { name: "billing", service: "billing", attributes: {}, params: [] },
    { name: "orders", service: "orders", attributes: {}, params: [] },
  ],
};

const REQUEST: PolicyRequest = {
  principal: {
    kind: "user",
    authenticator: "corp",
    subject: 'al"i\\ce',
    roles: [],
    groups: [],
    attributes: {},
  },
  action: "GET",
  route: "billing",
  path: "/",
  host: "h",
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

const CEDAR = `// Who reads what.
@id("readers")
@severity("low")
permit (principal in ?principal, action in Sallyport::Action::"read", resource in ?resource)
unless { context.authn.age > 9223372036854775806 };

@id("kept-out")
@owner("security")
forbid (principal == ?principal, action, resource);

@id("static")
permit (principal, action == Sallyport::Action::"POST", resource);
`;

function source(data: string): PolicySource {
  const files = [
    { name: "all.cedar", text: CEDAR },
    { name: "links.yaml", text: data },
  ];
  return { files, vocabulary };
}

const LINKS = `
groups: { staff: ['User::"corp/al\\"i\\\\ce"'] }
links:
  - { template: readers, id: staff-billing, principal: Group::"staff", resource: Service::"billing" }
  - { template: readers, id: staff-orders, principal: Group::"staff", resource: Route::"orders" }
`;

test("compilePolicies() makes a policy of each link, which decides by the link's id", async () => {
  const result = await compilePolicies(source(LINKS), { clock: new ManualClock(0) });
  assert.ok(result.problems === undefined);
  const { policies, warnings } = result;
  assert.deepEqual(policies.decide(REQUEST).determining, ["staff-billing"]);
  assert.deepEqual(policies.decide({ ...REQUEST, route: "orders" }).determining, ["staff-orders"]);
  const other = { ...REQUEST.principal, subject: "bob" };
  assert.equal(policies.decide({ ...REQUEST, principal: other }).reason, "no-permit");
  const posted = { ...REQUEST, action: "POST", method: "POST" };
  assert.deepEqual(policies.decide(posted).determining, ["static"]);
  assert.deepEqual(warnings, []);
});

test("compilePolicies() names an entity in a link as it is, whatever characters its id has", async () => {
  const data = `links: [{ template: kept-out, id: out, principal: 'User::"corp/al\\"i\\\\ce"' }]`;
  const { policies, problems } = await compilePolicies(source(data), { clock: new ManualClock(0) });
  assert.deepEqual(problems, undefined);
  assert.deepEqual(policies.decide({ ...REQUEST, action: "POST" }).determining, ["out"]);
});

test("verifyPolicies() says of a linked policy where its template and its link are", async () => {
  const { verified } = await verifyPolicies(source(LINKS));
  assert.deepEqual(
    verified?.policies.map(({ id, file, line, column, link }) => ({
      id,
      file,
      line,
      column,
      ...(link === undefined ? {} : { link }),
    })),
    [
      { id: "static", file: "all.cedar", line: 11, column: 1 },
      {
        id: "staff-billing",
        file: "all.cedar",
        line: 2,
        column: 1,
        link: { template: "readers", file: "links.yaml", line: 4, column: 5 },
      },
      {
        id: "staff-orders",
        file: "all.cedar",
        line: 2,
        column: 1,
        link: { template: "readers", file: "links.yaml", line: 5, column: 5 },
      },
    ],
  );
  const json = verified.policies[1]?.json ?? "";
  assert.match(json, /"op":"in","entity":\{"type":"Sallyport::Group","id":"staff"\}/);
  assert.match(json, /9223372036854775806/);
  assert.match(json, /"severity":"low"/);
});
