/**
 * Generated policy sets with all that data files bring (memberships and attributes of files beside those of
 * credentials, templates and their links), and requests with headers, query and body; and the same written
 * out for the official engine, which has to give the same answers.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { PolicyRequest } from "../../src/model/policy.ts";
import type { AttributeValue, Principal } from "../../src/model/principal.ts";
import type { Vocabulary } from "../../src/model/vocabulary.ts";
import { ManualClock } from "../../src/platform/clock.ts";
import { ACTIONS } from "../../src/policy/cedar-names.ts";
import { compileVerified } from "../../src/policy/compile-policies.ts";
import type { InspectablePolicies } from "../../src/policy/decide/gate-policies.ts";
import { clausedPolicies, type PlacedPolicy } from "../../src/policy/explain/claused-policies.ts";
import { loadPolicies } from "../../src/policy/load/load-policies.ts";
import { buildSchema } from "../../src/policy/load/schema.ts";
import {
  officialIsAuthorized,
  type OfficialAnswer,
  type OfficialPolicies,
} from "../../src/policy/official/official-engine.ts";
import type { PolicySource } from "../../src/policy/policy-source.ts";
import { rawInteger } from "../exact-json.ts";

export const VOCABULARY: Vocabulary = {
  authenticators: [
    { name: "corp", kinds: ["user"], attributes: { tenant: "string" }, bareRoles: ["Admin"] },
    { name: "mesh", kinds: ["workload"], attributes: {}, bareRoles: [] },
  ],
  services: [
    { name: "billing", attributes: { public: false } },
    { name: "orders", attributes: { public: true } },
  ],
  routes: [
    { name: "billing", service: "billing", attributes: {}, params: [] },
    {
      name: "orders",
      service: "orders",
      attributes: {},
      params: [],
      inspect: { body: { amount: "long", iban: "string", urgent: "bool", tags: "strings" } },
    },
    { name: "status", service: "orders", attributes: {}, params: [] },
  ],
};

const TYPES = { clearance: "long", teams: "strings", vip: "bool" } as const;
const GROUPS = ["g0", "g1", "g2", "g3", "corp/g4"];
const ROLES = ["Admin", "on-call", "corp/Reader"];
const USERS = ["corp/ann", "corp/bob", "corp/cy"];
const BOTS = ["mesh/x", "mesh/y"];

const TEMPLATES: Readonly<Record<string, string>> = {
  reads:
    'permit (principal in ?principal, action in Sallyport::Action::"read", resource in ?resource)',
  owns: "permit (principal in ?principal, action, resource) when { resource.public }",
  stays:
    "permit (principal is Sallyport::User in ?principal, action, resource) unless { principal has vip && principal.vip }",
  never:
    "forbid (principal in ?principal, action, resource in ?resource) when { principal is Sallyport::User && principal has clearance && principal.clearance + 1 < 3 }",
};

const SLOTS: Readonly<Record<string, readonly string[]>> = {
  reads: ["principal", "resource"],
  owns: ["principal"],
  stays: ["principal"],
  never: ["principal", "resource"],
};

const CONDITIONS = [
  "true",
  'principal in Sallyport::Group::"g2"',
  'principal in [Sallyport::Group::"g0", Sallyport::Group::"corp/g4"]',
  "principal is Sallyport::User && principal has clearance && principal.clearance > 1",
  "principal is Sallyport::User && principal has clearance && principal.clearance + 1 > 0",
  'principal is Sallyport::User && principal has teams && principal.teams.contains("a") && principal.tenant == "t1"',
  'Sallyport::User::"corp/ann" in Sallyport::Group::"g1"',
  'Sallyport::Group::"g0" in Sallyport::Role::"on-call"',
  'Sallyport::User::"corp/bob" has vip && Sallyport::User::"corp/bob".vip',
  'context has workload && context.workload in Sallyport::Group::"g3"',
  'context.authn.age < 60 && context.path like "/a*"',
  "context has body && context.body has amount && context.body.amount > 100",
  "context has body && context.body has amount && context.body.amount + 1 > 0",
  'context has body && context.body has iban && context.body.iban == "DE1"',
  'context has body && context.body has iban && ["DE1", "FR1"].contains(context.body.iban)',
  'context has body && context.body has iban && context.body.iban like "DE*"',
  "context has body && context.body has urgent && context.body.urgent",
  'context has body && context.body has tags && context.body.tags.contains("a")',
  'context.headers.hasTag("x-team") && context.headers.getTag("x-team").contains("ops")',
  'context.query.hasTag("a") && context.query.getTag("a").containsAny(["1", "2"])',
  'context.query.hasTag("a") || context.query.hasTag("b")',
];

const SCOPES = [
  "principal, action, resource",
  'principal in Sallyport::Group::"g1", action, resource',
  'principal is Sallyport::User in Sallyport::Role::"Admin", action, resource',
  'principal == Sallyport::User::"corp/ann", action in Sallyport::Action::"write", resource',
  'principal, action, resource in Sallyport::Service::"orders"',
];

export interface Data {
  readonly groups: Readonly<Record<string, { readonly members: string[]; readonly in: string[] }>>;
  readonly roles: Readonly<Record<string, string[]>>;
  readonly entities: Readonly<
    Record<string, { readonly attributes: Record<string, AttributeValue>; readonly in: string[] }>
  >;
  readonly links: readonly Readonly<Record<string, string>>[];
}

const names = (type: string, ids: readonly string[]): string[] =>
  ids.map((id) => `${type}::"${id}"`);
const PRINCIPALS = [...names("User", USERS), ...names("Workload", BOTS)];
const CONTAINERS = [...names("Group", GROUPS), ...names("Role", ROLES)];

const container = (index: number) =>
  fc.record({
    members: fc.subarray(PRINCIPALS, { maxLength: 3 }),
    // Only in those behind it: in no circle.
    in: fc.subarray([...names("Group", GROUPS.slice(index + 1)), ...names("Role", ROLES)], {
      maxLength: 2,
    }),
  });

const link = fc.constantFrom(...Object.keys(TEMPLATES)).chain((template) =>
  fc.record({
    template: fc.constant(template),
    principal: fc.constantFrom(...CONTAINERS, ...names("User", USERS)),
    ...(SLOTS[template]?.includes("resource") === true
      ? { resource: fc.constantFrom('Service::"orders"', 'Route::"billing"', 'Route::"status"') }
      : {}),
  }),
);

export const dataFiles: fc.Arbitrary<Data> = fc
  .record({
    groups: fc.tuple(...GROUPS.map((_, index) => container(index))),
    roles: fc.tuple(...ROLES.map(() => fc.subarray(PRINCIPALS, { maxLength: 2 }))),
    entities: fc.array(
      fc.record({
        attributes: fc.record(
          {
            clearance: fc.constantFrom(0, 2, 7, 2n ** 63n - 1n),
            teams: fc.subarray(["a", "b"]),
            vip: fc.boolean(),
          },
          { requiredKeys: [], noNullPrototype: true },
        ),
        in: fc.subarray(CONTAINERS, { maxLength: 2 }),
      }),
      { minLength: USERS.length, maxLength: USERS.length },
    ),
    links: fc.array(link, { maxLength: 4 }),
  })
  .map(({ groups, roles, entities, links }) => ({
    groups: Object.fromEntries(
      GROUPS.map((id, index) => [id, groups[index] ?? { members: [], in: [] }]),
    ),
    roles: Object.fromEntries(ROLES.map((id, index) => [id, roles[index] ?? []])),
    entities: Object.fromEntries(
      USERS.map((id, index) => [`User::"${id}"`, entities[index] ?? { attributes: {}, in: [] }]),
    ),
    links: links.map((one, index) => ({ ...one, id: `link${String(index)}` })),
  }));

/** Texts of policies without slots. */
export const policyTexts: fc.Arbitrary<readonly string[]> = fc.array(
  fc
    .tuple(
      fc.constantFrom("permit", "permit", "forbid"),
      fc.constantFrom(...SCOPES),
      fc.constantFrom(...CONDITIONS),
    )
    .filter(
      ([, scope, condition]) =>
        !(scope.includes("principal in") && condition.includes("context has workload")),
    )
    .map(([effect, scope, condition]) => `${effect} (${scope}) when { ${condition} };`),
  { minLength: 1, maxLength: 5 },
);

const bot = fc.constantFrom(...BOTS);
export const requests: fc.Arbitrary<PolicyRequest> = fc
  .record({
    user: fc.option(fc.constantFrom(...USERS, "corp/nobody"), { freq: 4 }),
    bot,
    beside: fc.option(bot, { nil: undefined }),
    roles: fc.subarray(["Admin", "corp/Reader"], { maxLength: 1 }),
    groups: fc.subarray(["corp/g4", "corp/else"], { maxLength: 1 }),
    tenant: fc.constantFrom("t1", "t2"),
    action: fc.constantFrom("GET", "POST"),
    route: fc.constantFrom("billing", "orders", "status"),
    path: fc.constantFrom("/a", "/b"),
    query: fc.constantFrom(undefined, "", "a=1", "a=2&a=3", "b=1"),
    fields: fc.constantFrom<readonly string[]>([], ["x-team", "ops"], ["x-team", "pay"]),
    body: fc.option(
      fc.record(
        {
          amount: fc.constantFrom<number | bigint>(1, 1000, 2n ** 63n - 1n),
          iban: fc.constantFrom("DE1", "DE2", "IT1"),
          urgent: fc.boolean(),
          tags: fc.subarray(["a", "b"]),
        },
        { requiredKeys: [], noNullPrototype: true },
      ),
      { nil: undefined },
    ),
  })
  .map(
    ({
      user,
      beside,
      roles,
      groups,
      tenant,
      action,
      route,
      path,
      query,
      fields,
      body,
      ...rest
    }) => ({
      principal:
        user === null
          ? workload(rest.bot)
          : {
              kind: "user" as const,
              authenticator: "corp",
              subject: user.slice(5),
              roles,
              groups,
              attributes: { tenant },
            },
      action,
      route,
      path,
      host: "h",
      method: action,
      params: {},
      query,
      fields,
      body: route === "orders" ? body : undefined,
      ip: "10.0.0.1",
      timeMs: 0,
      scopes: [],
      authn: {
        kind: "jwt",
        authenticator: "corp",
        ageSeconds: 1,
        acr: undefined,
        amr: [],
        bound: false,
      },
      workload: beside === undefined ? undefined : workload(beside),
    }),
  );

function workload(id: string): Principal {
  const subject = id.slice(5);
  return {
    kind: "workload",
    authenticator: "mesh",
    subject,
    roles: [],
    groups: [],
    attributes: {},
  };
}

function cedarOf(texts: readonly string[]): string {
  const templates = Object.entries(TEMPLATES).map(([id, text]) => `@id("${id}") ${text};`);
  return [...templates, ...texts.map((text, index) => `@id("p${String(index)}") ${text}`)].join(
    "\n",
  );
}

/** The files of a set, which pass every check of the official engine. */
export function sourceOf(given: Data, texts: readonly string[]): PolicySource {
  const files = [
    { name: "p.cedar", text: cedarOf(texts) },
    { name: "d.json", text: jsonOf(withTypes(given)) },
  ];
  return { files, vocabulary: VOCABULARY };
}

export interface LoadedSet {
  readonly gate: InspectablePolicies;
  readonly policies: readonly PlacedPolicy[];
}

export async function loadedSet(source: PolicySource): Promise<LoadedSet> {
  const { problems, ...loaded } = await loadPolicies(source);
  assert.deepEqual(problems, []);
  const compiled = await compileVerified(loaded, source.vocabulary, { clock: new ManualClock(0) });
  assert.ok(compiled.policies !== undefined);
  return {
    gate: compiled.policies,
    policies: clausedPolicies(source.files, loaded.policies),
  };
}

/** What the official engine says of a request that it has held against our schema. */
export function officialAnswer(
  one: PolicyRequest,
  given: Data,
  texts: readonly string[],
): OfficialAnswer {
  const { schema } = buildSchema(VOCABULARY, { user: TYPES });
  assert.ok(schema !== undefined);
  const { value, errors } = officialIsAuthorized(
    { ...writtenOut(one, given), schema: { ...schema }, validateRequest: true },
    officialSet(given, texts),
  );
  assert.ok(value !== undefined, JSON.stringify(errors));
  return value;
}

/** One that has each attribute, so that the schema always knows them. */
function withTypes(given: Data): Data {
  const attributes = { clearance: 1, teams: [], vip: false };
  return {
    ...given,
    entities: { ...given.entities, 'User::"corp/typed"': { attributes, in: [] } },
  };
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_name, one: unknown) =>
    typeof one === "bigint" ? rawInteger(String(one)) : one,
  );
}

function officialSet({ links }: Data, texts: readonly string[]): OfficialPolicies {
  return {
    policies: Object.fromEntries(texts.map((text, index) => [`p${String(index)}`, text])),
    templates: Object.fromEntries(Object.entries(TEMPLATES).map(([id, text]) => [id, `${text};`])),
    links: links.map(({ template = "", id = "", principal = "", resource }) => ({
      templateId: template,
      newId: id,
      values: {
        "?principal": uid(principal),
        ...(resource === undefined ? {} : { "?resource": uid(resource) }),
      },
    })),
  };
}

/** `Type::"id"` as an entity of ours. */
function uid(text: string): { readonly type: string; readonly id: string } {
  const [type = "", id = ""] = text.split("::");
  return { type: `Sallyport::${type}`, id: id.slice(1, -1) };
}

function writtenOut(one: PolicyRequest, { groups, roles, entities }: Data) {
  const attrs = new Map<string, Readonly<Record<string, AttributeValue>>>();
  const parents = new Map<string, Set<string>>();
  const put = (name: string, above: readonly string[]): void => {
    const known = parents.get(name) ?? new Set();
    for (const upper of above) known.add(upper);
    parents.set(name, known);
  };
  for (const [id, { members, in: above }] of Object.entries(groups)) {
    put(`Group::"${id}"`, above);
    for (const member of members) put(member, [`Group::"${id}"`]);
  }
  for (const [id, members] of Object.entries(roles)) {
    put(`Role::"${id}"`, []);
    for (const member of members) put(member, [`Role::"${id}"`]);
  }
  for (const [name, { attributes, in: above }] of Object.entries(entities)) {
    put(name, above);
    attrs.set(name, attributes);
  }
  const caller = nameOf(one.principal);
  put(caller, [...names("Role", one.principal.roles), ...names("Group", one.principal.groups)]);
  attrs.set(caller, { ...attrs.get(caller), ...one.principal.attributes });
  for (const name of parents.keys()) {
    // Each user of our schema has a tenant; of those who do not call, nobody knows it.
    if (name.startsWith("User::") && name !== caller)
      attrs.set(name, { tenant: "", ...attrs.get(name) });
  }
  const beside = one.workload && nameOf(one.workload);
  if (beside !== undefined) put(beside, []);
  return {
    principal: uid(caller),
    action: uid(`Action::"${one.action}"`),
    resource: uid(`Route::"${one.route}"`),
    context: {
      path: one.path,
      host: one.host,
      method: one.method,
      params: {},
      query: { __entity: uid('Query::"request"') },
      headers: { __entity: uid('Headers::"request"') },
      ip: { __extn: { fn: "ip", arg: one.ip } },
      time: { __extn: { fn: "datetime", arg: new Date(one.timeMs).toISOString() } },
      scopes: [],
      authn: { kind: "jwt", authenticator: "corp", age: 1, amr: [], bound: false },
      ...(one.body === undefined ? {} : { body: exact(one.body) }),
      ...(beside === undefined ? {} : { workload: { __entity: uid(beside) } }),
    },
    entities: [
      tagged('Query::"request"', [...new URLSearchParams(one.query)]),
      tagged('Headers::"request"', pairsOf(one.fields)),
      ...[...parents].map(([name, above]) => ({
        uid: uid(name),
        attrs: exact(attrs.get(name) ?? {}),
        parents: [...above].map(uid),
      })),
      ...ACTIONS.filter(({ id }) => id === one.action).map(({ id, group }) => ({
        uid: uid(`Action::"${id}"`),
        attrs: {},
        parents: [uid(`Action::"${group}"`)],
      })),
      ...VOCABULARY.services.map(({ name, attributes }) => ({
        uid: uid(`Service::"${name}"`),
        attrs: attributes,
        parents: [],
      })),
      ...VOCABULARY.routes.map(({ name, service = "" }) => ({
        uid: uid(`Route::"${name}"`),
        attrs: { public: service === "orders" },
        parents: [uid(`Service::"${service}"`)],
      })),
    ],
  };
}

function tagged(name: string, pairs: readonly (readonly [string, string])[]) {
  const tags = new Map<string, string[]>();
  for (const [own, value] of pairs) tags.set(own, [...(tags.get(own) ?? []), value]);
  return { uid: uid(name), attrs: {}, parents: [], tags: Object.fromEntries(tags) };
}

function pairsOf(fields: readonly string[]): readonly (readonly [string, string])[] {
  return fields.flatMap((name, index) =>
    index % 2 === 0 ? [[name, fields[index + 1] ?? ""] as const] : [],
  );
}

function nameOf({ kind, authenticator, subject }: Principal): string {
  return `${kind === "user" ? "User" : "Workload"}::"${authenticator}/${subject}"`;
}

/** For the official engine: bigint as raw JSON. */
function exact(attributes: Readonly<Record<string, AttributeValue>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name,
      typeof value === "bigint" ? rawInteger(String(value)) : value,
    ]),
  );
}
