/**
 * Each finding: a policy set that has the fault, and one that has not. All of them go the whole way of
 * `sallyport check`, so that places are those that a person sees.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { VocabularyOperation } from "../model/vocabulary.ts";
import { systemClock } from "../platform/clock.ts";
import { FINDING_CATALOGUE } from "../policy/findings/catalogue.ts";
import { findFindings } from "../policy/findings/find-findings.ts";
import type { Finding } from "../policy/findings/finding.ts";
import { loadPolicies } from "../policy/load/load-policies.ts";
import { inspectConfig } from "./load.ts";
import { runTests } from "./run-tests.ts";
import { untestedBy } from "./test-outcome.ts";

/** What a test changes of a configuration in which nothing is found. */
interface Change {
  /** Instead of the policies of the configuration. */
  readonly policies?: string;
  readonly authenticate?: string;
  readonly route?: string;
  readonly service?: string;
  readonly roles?: string;
  readonly accept?: string;
  readonly jwt?: string;
  readonly admin?: string;
  readonly cluster?: string;
  /** Whose credentials become keys of our own authority; none is kept when left out. */
  readonly subjects?: string;
  /** A data file; none when left out. */
  readonly data?: string;
  readonly operations?: readonly VocabularyOperation[];
  /** A file of test cases; none when left out. */
  readonly tests?: string;
}

const READERS = `@id("readers")
permit (
  principal in Sallyport::Role::"Reader",
  action in Sallyport::Action::"read",
  resource in Sallyport::Service::"billing"
);
`;

const ADMIN = ", authenticate: [corp]";
/** Of a trust domain; nothing is verified with it. */
const BUNDLE = JSON.stringify({
  keys: [
    {
      use: "jwt-svid",
      kid: "a",
      kty: "EC",
      crv: "P-256",
      x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
  ],
});
/** Of a reader, who may read. */
const TESTED = `cases:
  - name: one
    principal: { id: User::"corp/alice", roles: [Reader], attributes: { level: 1, tenant: a } }
    request: { method: GET, path: /billing/1 }
    expect: permit
`;
const WRITER =
  '@id("w") permit (principal in Sallyport::Role::"Reader", action in Sallyport::Action::"write", resource);';
const WRITES = TESTED.replace("GET", "PUT").replace("one", "other");
const TEMPLATE = `@id("owners") permit (principal in ?principal, action in Sallyport::Action::"write", resource);`;
const OWNS = 'links: [{ template: owners, id: alice-owns, principal: User::"corp/alice" }]';

/** Of one service, each for one segment behind another. */
function operationsAt(...paths: readonly string[]): readonly VocabularyOperation[] {
  return paths.map((path, index) => ({
    id: `op${index}`,
    method: "GET",
    path,
    groups: [],
    parameters: [],
  }));
}
/** As the description of a service gives them. */
const OPERATIONS: readonly VocabularyOperation[] = [
  { id: "listInvoices", method: "GET", path: "/billing", groups: [], parameters: [] },
  { id: "addInvoice", method: "POST", path: "/billing", groups: [], parameters: [] },
];
const KEYS = "keys: { type: sallyport }";
const CLUSTER =
  "cluster: { type: kubernetes, audience: [x], apiServer: https://k8s.example.com, algorithms: [RS256] }";

/** The authority that issues keys, and where: for whoever a token of these knows. */
function authorityOf(subjects: string): string {
  return `
authority:
  issuer: https://sallyport.example.com
  store: sqlite:data/sallyport.db
  keyEncryptionKey: { command: [get-key] }
  tokens: { subjects: ${subjects} }`;
}

function configOf(change: Change): string {
  return `version: 1
listeners: [{ name: edge, address: 127.0.0.1:8080 ${change.subjects === undefined ? "" : ", publicOrigin: http://127.0.0.1:8080, serve: [token]"} }]${change.subjects === undefined ? "" : authorityOf(change.subjects)}
admin: { address: 127.0.0.1:9900 ${change.admin ?? ""} }
authenticators:
  corp:
    type: jwt
    issuer: https://login.example.com
    audience: [https://api.example.com]
    ${change.jwt ?? ""}
    principal:
      kind: user
      roles: { claim: roles, allow: [${change.roles ?? "Reader"}] }
      attributes: { level: { claim: level, type: long }, tenant: { claim: tenant, type: string } }
  mesh: { type: jwt-svid, trustDomain: prod.example, audience: [x], bundle: bundle.json, match: [{ path: "/*", groups: [pay] }] }
  ${change.cluster ?? "# no cluster"}
services:
  billing: { endpoints: [http://127.0.0.1:9001], attributes: { public: false } ${change.service ?? ""} }
routes:
  - { name: billing, path: /billing/*, service: billing, authenticate: ${change.authenticate ?? "[corp]"} ${change.route ?? ""} }
policies: { enforce: [policies] ${change.data === undefined ? "" : ", entities: [teams.yaml]"} ${change.tests === undefined ? "" : ", tests: [tests.yaml]"} ${change.accept ?? ""} }
audit: { path: data/audit }
`;
}

async function findingsOf(context: TestContext, change: Change): Promise<readonly Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-findings-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "policies"));
  writeFileSync(join(folder, "policies/all.cedar"), change.policies ?? READERS);
  if (change.data !== undefined) writeFileSync(join(folder, "teams.yaml"), change.data);
  if (change.tests !== undefined) writeFileSync(join(folder, "tests.yaml"), change.tests);
  const file = join(folder, "sallyport.yaml");
  writeFileSync(file, configOf(change));
  writeFileSync(join(folder, "bundle.json"), BUNDLE);
  const { loaded, facts, problems, warnings } = await inspectConfig(file, { env: {} });
  assert.deepEqual([...problems, ...warnings], []);
  assert.ok(loaded !== undefined && facts !== undefined);
  // As check does, but without a thread for each.
  const { policyFiles: files } = loaded;
  const { operations } = change;
  const services = loaded.vocabulary.services.map((service) => ({ ...service, operations }));
  const vocabulary = { ...loaded.vocabulary, services };
  const { problems: refused, ...verified } = await loadPolicies({ files, vocabulary });
  assert.deepEqual(refused, []);
  const { tests } = loaded;
  const report = tests && (await runTests({ tests, verified, vocabulary }, { clock: systemClock }));
  assert.deepEqual(report?.problems ?? [], []);
  const untested = report && untestedBy(report);
  return findFindings({ ...verified, untested, files, vocabulary, written: facts() });
}

/** By the id of the finding: with it, and without it. `says` and `at` are what is printed and where. */
const CASES: Readonly<
  Record<
    string,
    readonly {
      readonly when: string;
      readonly fault: Change;
      readonly sound: Change;
      readonly says: RegExp;
      readonly at: string;
    }[]
  >
> = {
  "policy-never-applies": [
    {
      when: "the route takes none of its methods",
      fault: {
        policies: `${READERS}@id("w") permit (principal, action == Sallyport::Action::"PUT", resource == Sallyport::Route::"billing") when { context.path == "/x" };`,
        route: ", methods: [GET]",
      },
      sound: {
        policies: `${READERS}@id("w") permit (principal, action == Sallyport::Action::"PUT", resource == Sallyport::Route::"billing") when { context.path == "/x" };`,
        route: ", methods: [GET, PUT]",
      },
      says: /'w' never applies: "billing" takes none of the methods/,
      at: "policies/all.cedar:7",
    },
    {
      when: "no authenticator of the route can give the role",
      fault: { authenticate: "[mesh]" },
      sound: { authenticate: "[mesh, corp]" },
      says: /'readers' never applies: no caller whom "billing" lets in/,
      at: "policies/all.cedar:1",
    },
    {
      when: "no data file gives the role either",
      fault: { authenticate: "[mesh]", data: 'roles: { Clerk: [User::"corp/alice"] }' },
      sound: { authenticate: "[mesh]", data: 'roles: { Reader: [Group::"mesh/pay"] }' },
      says: /'readers' never applies: no caller whom "billing" lets in/,
      at: "policies/all.cedar:1",
    },
    {
      when: "nobody who could have the role can have a key",
      fault: { authenticate: "[keys]", cluster: KEYS, subjects: "[mesh]" },
      sound: { authenticate: "[keys]", cluster: KEYS, subjects: "[mesh, corp]" },
      says: /'readers' never applies: no caller whom "billing" lets in/,
      at: "policies/all.cedar:1",
    },
    {
      when: "no route is left of a service",
      fault: {
        policies: `${READERS}@id("o") permit (principal, action, resource in Sallyport::Service::"orders") when { context.path == "/x" };`,
        service: "}\n  orders: { endpoints: [http://127.0.0.1:9001]",
      },
      sound: { service: "}\n  orders: { endpoints: [http://127.0.0.1:9001]" },
      says: /'o' never applies: no route is within/,
      at: "policies/all.cedar:7",
    },
    {
      when: "a forbid names callers whom the route does not know",
      fault: {
        policies: `${READERS}@id("f") forbid (principal is Sallyport::Workload, action, resource);`,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal is Sallyport::Workload, action, resource);`,
        authenticate: "[mesh, corp]",
      },
      says: /'f' never applies/,
      at: "policies/all.cedar:7",
    },
  ],
  "policy-shadowed": [
    {
      when: "another permit permits all of it",
      fault: {
        policies: `${READERS}@id("narrow") permit (principal in Sallyport::Role::"Reader", action == Sallyport::Action::"GET", resource == Sallyport::Route::"billing") when { context.host == "x" };`,
      },
      sound: {
        policies: `${READERS}@id("other") permit (principal in Sallyport::Role::"Reader", action == Sallyport::Action::"PUT", resource == Sallyport::Route::"billing") when { context.host == "x" };`,
      },
      says: /'narrow' changes nothing: 'readers' \(\S*policies\/all\.cedar:1\) permits all/,
      at: "policies/all.cedar:7",
    },
    {
      when: "a forbid with one of its conditions takes all of it",
      fault: {
        policies: `${READERS}@id("p") permit (principal is Sallyport::User, action in Sallyport::Action::"write", resource) when { context.host == "x" && principal.level == 1 };
@id("f") forbid (principal is Sallyport::User, action, resource) when { principal.level == 1 } when { context.host == "x" };`,
      },
      sound: {
        policies: `${READERS}@id("p") permit (principal is Sallyport::User, action in Sallyport::Action::"write", resource) when { context.host == "x" && principal.level == 1 };
@id("f") forbid (principal is Sallyport::User, action, resource) when { principal.level == 2 } when { context.host == "x" };`,
      },
      says: /'p' changes nothing: 'f' \(\S*:8\) forbids all/,
      at: "policies/all.cedar:7",
    },
    {
      when: "it stands there twice: of the two, the later one",
      fault: { policies: READERS + READERS.replace('"readers"', '"again"') },
      sound: {
        policies: READERS + READERS.replace('"readers"', '"again"').replace('"read"', '"write"'),
      },
      says: /'again' changes nothing: 'readers'/,
      at: "policies/all.cedar:7",
    },
  ],
  "policy-untested": [
    {
      when: "no case is decided by it",
      fault: { policies: READERS + WRITER, tests: TESTED },
      sound: { policies: READERS + WRITER, tests: TESTED + WRITES.replace("cases:\n", "") },
      says: /no test case is decided by the policy 'w'/,
      at: "policies/all.cedar:7",
    },
    {
      when: "there are tests, and where there are none nothing is asked",
      fault: { policies: READERS + WRITER, tests: WRITES },
      sound: { policies: READERS + WRITER },
      says: /no test case is decided by the policy 'readers'/,
      at: "policies/all.cedar:1",
    },
    {
      when: "none of a template's links is",
      fault: { policies: READERS + TEMPLATE, data: OWNS, tests: TESTED },
      sound: {
        policies: READERS + TEMPLATE,
        data: `${OWNS.slice(0, -1)}, { template: owners, id: b, principal: User::"corp/bob" }]`,
        tests: TESTED + WRITES.replace("cases:\n", "").replace("[Reader]", "[]"),
      },
      says: /no test case is decided by the template 'owners'/,
      at: "policies/all.cedar:7",
    },
    {
      when: "nobody accepts it",
      fault: { policies: READERS + WRITER, tests: TESTED },
      sound: {
        policies: `${READERS}@accept("policy-untested: for the night")${WRITER}`,
        tests: TESTED,
      },
      says: /by the policy 'w'/,
      at: "policies/all.cedar:7",
    },
  ],
  "template-unlinked": [
    {
      when: "no data file links it",
      fault: { policies: READERS + TEMPLATE },
      sound: { policies: READERS + TEMPLATE, data: OWNS },
      says: /no link fills the template 'owners'/,
      at: "policies/all.cedar:7",
    },
    {
      when: "nobody accepts it",
      fault: { policies: READERS + TEMPLATE },
      sound: { policies: `${READERS}@accept("template-unlinked: for next month")${TEMPLATE}` },
      says: /no link fills the template 'owners'/,
      at: "policies/all.cedar:7",
    },
  ],
  "forbid-can-err": [
    {
      when: "an attribute of a caller is added to",
      fault: {
        policies: `${READERS}@id("f") forbid (principal is Sallyport::User, action, resource) when { principal.level + 1 > 5 };`,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal is Sallyport::User, action, resource) when { principal.level > 4 && context.authn.age + 1 > 5 };`,
      },
      says: /forbid 'f' can fail: the addition can leave 64 bits/,
      at: "policies/all.cedar:7",
    },
    {
      when: "it reads the attribute of a caller who may not be there",
      fault: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { Sallyport::User::"corp/boss".tenant == "x" };`,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { Sallyport::Service::"billing".public };`,
      },
      says: /Sallyport::User::"corp\/boss" has no attributes unless it is there/,
      at: "policies/all.cedar:7",
    },
    {
      when: "a time is moved by what a caller says",
      fault: {
        policies: `${READERS}@id("f") forbid (principal is Sallyport::User, action, resource) when { context.time.durationSince(datetime("2020-01-01")).toDays() * principal.level > 5 };`,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal is Sallyport::User, action, resource) when { context.time.offset(duration("1d")).toDate() < context.time.offset(duration("-2h")) };`,
      },
      says: /the multiplication can leave 64 bits/,
      at: "policies/all.cedar:7",
    },
  ],
  "any-authenticated": [
    {
      when: "a permit asks for nobody in particular",
      fault: {
        policies: `@id("all") permit (principal, action in Sallyport::Action::"read", resource in Sallyport::Service::"billing");`,
        roles: "",
      },
      sound: {
        policies: `@id("all") permit (principal, action in Sallyport::Action::"read", resource in Sallyport::Service::"billing") when { context.scopes.contains("billing") };`,
        roles: "",
      },
      says: /whoever is known may use GET, HEAD, OPTIONS on route "billing": "all" asks for nobody/,
      at: "sallyport.yaml:19",
    },
    {
      when: "permits take each kind of caller",
      fault: {
        policies: `@id("u") permit (principal is Sallyport::User, action, resource in Sallyport::Service::"billing");
@id("w") permit (principal is Sallyport::Workload, action, resource in Sallyport::Service::"billing");
@id("f") forbid (principal, action == Sallyport::Action::"GET", resource) when { context.path == "/billing/x" };`,
        authenticate: "[corp, mesh]",
        roles: "",
      },
      sound: {
        policies: `@id("u") permit (principal is Sallyport::User, action, resource in Sallyport::Service::"billing");`,
        authenticate: "[corp, mesh]",
        roles: "",
      },
      says: /may do everything on route "billing" unless "f" forbids it: "u", "w" ask for nobody/,
      at: "sallyport.yaml:19",
    },
  ],
  "open-to-anonymous": [
    {
      when: "a permit takes anonymous callers too",
      fault: {
        policies: `@id("open") permit (principal, action, resource in Sallyport::Service::"billing") when { context.path == "/billing/prices" };`,
        authenticate: "[corp, anonymous]",
        roles: "",
      },
      sound: {
        policies: `@id("users") permit (principal is Sallyport::User, action, resource in Sallyport::Service::"billing") when { context.path == "/billing/prices" };`,
        authenticate: "[corp, anonymous]",
        roles: "",
      },
      says: /anybody may use route "billing" without a credential, under conditions: "open"/,
      at: "sallyport.yaml:19",
    },
    {
      when: "no forbid keeps them out",
      fault: {
        policies: `@id("open") permit (principal, action, resource in Sallyport::Service::"billing");
@id("f") forbid (principal is Sallyport::Anonymous, action == Sallyport::Action::"GET", resource);`,
        authenticate: "[corp, anonymous]",
        roles: "",
      },
      sound: {
        policies: `@id("open") permit (principal, action, resource in Sallyport::Service::"billing");
@id("f") forbid (principal is Sallyport::Anonymous, action, resource);`,
        authenticate: "[corp, anonymous]",
        roles: "",
      },
      says: /anybody may use route "billing" without a credential: "open"/,
      at: "sallyport.yaml:19",
    },
  ],
  "service-without-policy": [
    {
      when: "only policies for everything reach it",
      fault: {
        policies: `@id("readers") permit (principal in Sallyport::Role::"Reader", action, resource);`,
      },
      sound: {
        policies: `@id("readers") permit (principal in Sallyport::Role::"Reader", action, resource) unless { resource.public };`,
      },
      says: /no policy mentions service "billing"/,
      at: "sallyport.yaml:17",
    },
  ],
  "action-nobody": [
    {
      when: "no permit takes a method that the route lists",
      fault: { route: ", methods: [GET, PUT]" },
      sound: { route: ", methods: [GET, HEAD]" },
      says: /nobody may use PUT on route "billing"/,
      at: "sallyport.yaml:19",
    },
    {
      when: "no permit takes the route",
      fault: {
        policies: `@id("f") forbid (principal in Sallyport::Role::"Reader", action, resource in Sallyport::Service::"billing");`,
      },
      sound: {},
      says: /nobody may do anything on route "billing"/,
      at: "sallyport.yaml:19",
    },
    {
      when: "a forbid takes everybody",
      fault: {
        policies: `${READERS}@id("f") forbid (principal, action == Sallyport::Action::"GET", resource);`,
        route: ", methods: [GET, HEAD]",
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal, action == Sallyport::Action::"GET", resource) when { context.host == "x" };`,
        route: ", methods: [GET, HEAD]",
      },
      says: /nobody may use GET on route "billing"/,
      at: "sallyport.yaml:19",
    },
    {
      when: "no permit takes an operation of a service",
      fault: { operations: OPERATIONS },
      sound: {
        policies: `${READERS}@id("add") permit (principal in Sallyport::Role::"Reader", action == Sallyport::Action::"billing:addInvoice", resource);`,
        operations: OPERATIONS,
      },
      says: /nobody may use "billing:addInvoice" of service "billing"/,
      at: "sallyport.yaml:17",
    },
    {
      when: "the admin API asks for a caller whom no permit takes",
      fault: { admin: ADMIN },
      sound: {
        policies: `${READERS}@id("ops") permit (principal in Sallyport::Role::"Reader", action in Sallyport::Action::"admin", resource);`,
        admin: ADMIN,
      },
      says: /nobody may do anything on the admin API/,
      at: "sallyport.yaml:3",
    },
  ],
  "operation-ambiguous": [
    {
      when: "each has a literal segment where the other has a parameter",
      fault: { operations: operationsAt("/billing/{kind}/mine", "/billing/invoices/{id}") },
      sound: {
        operations: operationsAt(
          "/billing/{id}",
          "/billing/mine",
          "/billing/{a}/x",
          "/billing/{b}/y",
        ),
      },
      says: /^GET \/billing\/invoices\/mine can be 'op0' \(\/billing\/\{kind\}\/mine\) and 'op1' /,
      at: "sallyport.yaml:17",
    },
    {
      when: "the service does not accept it",
      fault: { operations: operationsAt("/billing/{kind}/mine", "/billing/invoices/{id}") },
      sound: {
        operations: operationsAt("/billing/{kind}/mine", "/billing/invoices/{id}"),
        service:
          ", accept: [{ finding: operation-ambiguous, reason: the service tells them apart }]",
      },
      says: /can be 'op0'/,
      at: "sallyport.yaml:17",
    },
  ],
  "role-unused": [
    {
      when: "no policy names it",
      fault: { roles: "Reader, Clerk" },
      sound: {
        roles: "Reader, Clerk",
        policies: `${READERS}@id("f") forbid (principal, action in Sallyport::Action::"write", resource) unless { principal in Sallyport::Role::"Clerk" };`,
      },
      says: /no policy names role "Clerk", which authenticator "corp" gives/,
      at: "sallyport.yaml:12",
    },
    {
      when: "a data file has members of it",
      fault: { data: 'roles:\n  Reader: [User::"corp/bob"]\n  Oncall: [User::"corp/alice"]' },
      sound: {
        data: 'roles:\n  Oncall: { members: [User::"corp/alice"], in: [Role::"Reader"] }',
      },
      says: /no policy names role "Oncall", which this file gives$/,
      at: "teams.yaml:3",
    },
  ],
  "role-unknown": [
    {
      when: "no data file gives it either",
      fault: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal in Sallyport::Role::"mesh/Batch" };`,
        data: 'roles: { Reader: [User::"corp/alice"] }',
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal in Sallyport::Role::"mesh/Batch" };`,
        data: 'roles: { mesh/Batch: [Workload::"mesh/spiffe://prod.example/batch"] }',
      },
      says: /names Role::"mesh\/Batch", and authenticator "mesh" gives no roles of its own/,
      at: "policies/all.cedar:7",
    },
    {
      when: "the role is given bare",
      fault: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal in Sallyport::Role::"corp/Reader" };`,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal in Sallyport::Role::"corp/Clerk" };`,
      },
      says: /names Role::"corp\/Reader", and authenticator "corp" gives that role as Role::"Reader"/,
      at: "policies/all.cedar:7",
    },
    {
      when: "the authenticator gives no such group",
      fault: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal in Sallyport::Group::"mesh/paying" };`,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal in Sallyport::Group::"mesh/pay" };`,
      },
      says: /names Group::"mesh\/paying", and authenticator "mesh" gives no such group/,
      at: "policies/all.cedar:7",
    },
  ],
  "principal-unknown": [
    {
      when: "the authenticator knows no such kind",
      fault: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal == Sallyport::User::"mesh/spiffe://prod.example/pay" };`,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal == Sallyport::User::"corp/boss" };`,
      },
      says: /asks for mesh\/spiffe:\/\/prod\.example\/pay, and authenticator "mesh" knows no User/,
      at: "policies/all.cedar:7",
    },
    {
      when: "a SPIFFE ID is of another trust domain",
      fault: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal == Sallyport::Workload::"mesh/spiffe://prod.exmple/pay" };`,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal == Sallyport::Workload::"mesh/spiffe://prod.example/pay" };`,
      },
      says: /names of authenticator "mesh" begin with spiffe:\/\/prod\.example\//,
      at: "policies/all.cedar:7",
    },
    {
      when: "a service account is named without its beginning",
      fault: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal == Sallyport::Workload::"cluster/shop:checkout" };`,
        cluster: CLUSTER,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { principal == Sallyport::Workload::"cluster/system:serviceaccount:shop:checkout" };`,
        cluster: CLUSTER,
      },
      says: /names of authenticator "cluster" begin with system:serviceaccount:/,
      at: "policies/all.cedar:7",
    },
    {
      when: "a text names no authenticator",
      fault: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { context has actor && context.actor.id == "crop/bot" };`,
      },
      sound: {
        policies: `${READERS}@id("f") forbid (principal, action, resource) when { context has actor && context.actor.id == "corp/bot" && context.authn.authenticator != "mesh" };`,
      },
      says: /asks for crop\/bot, and no authenticator is called "crop"/,
      at: "policies/all.cedar:7",
    },
  ],
  "insecure-option": [
    {
      when: "it is on",
      fault: { jwt: "insecureIdTokens: true" },
      sound: { jwt: "insecureIdTokens: false" },
      says: /^ID tokens open routes/,
      at: "sallyport.yaml:9",
    },
  ],
  "acceptance-without-reason": [
    {
      when: "there is none",
      fault: { roles: "Reader, Clerk", accept: ", accept: [{ finding: role-unused, of: Clerk }]" },
      sound: {
        roles: "Reader, Clerk",
        accept: ", accept: [{ finding: role-unused, of: Clerk, reason: for services }]",
      },
      says: /"role-unused" is accepted without a reason/,
      at: "sallyport.yaml:20",
    },
    {
      when: "an annotation has none",
      fault: { policies: `@accept("policy-shadowed")\n${READERS}` },
      sound: {
        policies: `${READERS}@accept("policy-shadowed: it says so twice; for readers")\n${READERS.replace('"readers"', '"again"')}`,
      },
      says: /"policy-shadowed" is accepted without a reason/,
      at: "policies/all.cedar:1",
    },
  ],
  "acceptance-unknown": [
    {
      when: "no finding is called so",
      fault: { route: ", accept: [{ finding: action-nobdy, reason: x }]" },
      sound: {
        route: ", methods: [GET, PUT], accept: [{ finding: action-nobody, reason: soon }]",
      },
      says: /there is no finding called "action-nobdy"/,
      at: "sallyport.yaml:19",
    },
  ],
  "acceptance-stale": [
    {
      when: "the finding is not there",
      fault: { service: ", accept: [{ finding: action-nobody, reason: soon }]" },
      sound: {
        service: ", accept: [{ finding: action-nobody, reason: soon }]",
        route: ", methods: [GET, PUT]",
      },
      says: /"action-nobody" is accepted here, and nothing of the kind is found/,
      at: "sallyport.yaml:17",
    },
  ],
};

test("every finding of the catalogue has a case", () => {
  assert.deepEqual(
    Object.keys(CASES),
    FINDING_CATALOGUE.map(({ id }) => id),
  );
});

for (const [id, cases] of Object.entries(CASES)) {
  for (const { when, fault, sound, says, at } of cases) {
    test(`findFindings() says ${id} when ${when}, and only then`, async (context) => {
      const bad = await findingsOf(context, fault);
      const found = bad.filter((one) => one.id === id);
      assert.equal(found.length, 1, JSON.stringify(bad, undefined, 2));
      const [one] = found;
      assert.match(one?.message ?? "", says);
      assert.equal(
        `${(one?.file ?? "").replace(/.*\/sallyport-findings-[^/]*\//, "")}:${String(one?.line)}`,
        at,
      );
      const words = FINDING_CATALOGUE.find((rule) => rule.id === id);
      assert.equal(one?.severity, words?.severity);
      assert.equal(one?.accepted, undefined);
      const good = await findingsOf(context, sound);
      const still = good.filter((other) => other.id === id && other.accepted === undefined);
      assert.deepEqual(still, []);
    });
  }
}

test("findFindings() finds nothing in a configuration in which nothing is to be found", async (context) => {
  const findings = await findingsOf(context, {});
  assert.deepEqual(findings, []);
});

test("findFindings() takes an acceptance with a reason, and keeps the finding with it", async (context) => {
  const policies = `@accept("any-authenticated: the intranet is for all staff; and it is small; open-to-anonymous: prices")
@id("all") permit (principal, action, resource in Sallyport::Service::"billing");`;
  const findings = await findingsOf(context, {
    policies,
    roles: "",
    authenticate: "[corp, anonymous]",
  });
  assert.deepEqual(
    findings.map(({ id, accepted }) => [id, accepted]),
    [
      ["any-authenticated", "the intranet is for all staff; and it is small"],
      ["open-to-anonymous", "prices"],
    ],
  );
});

test("findFindings() does not take the acceptance of one policy for another from which it follows too", async (context) => {
  const one = `@id("u") permit (principal is Sallyport::User, action, resource in Sallyport::Service::"billing");\n`;
  const two = `@id("w") permit (principal is Sallyport::Workload, action, resource in Sallyport::Service::"billing");`;
  const accept = '@accept("any-authenticated: all staff")\n';
  const change = { roles: "", authenticate: "[corp, mesh]" };
  const half = await findingsOf(context, { ...change, policies: accept + one + two });
  assert.deepEqual(
    half.map(({ id, accepted }) => [id, accepted]),
    [["any-authenticated", undefined]],
  );
  const full = await findingsOf(context, { ...change, policies: accept + one + accept + two });
  assert.deepEqual(
    full.map(({ id, accepted }) => [id, accepted]),
    [["any-authenticated", "all staff"]],
  );
});
