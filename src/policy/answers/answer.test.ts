import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { PolicyRequest } from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { systemClock } from "../../platform/clock.ts";
import { compileVerified, verifyPolicies } from "../compile-policies.ts";
import { clausedPolicies } from "../explain/claused-policies.ts";
import type { ExplainableSet } from "../explain/explanation.ts";
import { FindingSubject, type Target } from "../findings/subject.ts";
import { answer, type Answer } from "./answer.ts";
import { type Caller, callerOf, knownCallers } from "./known-callers.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [
    {
      name: "corp",
      kinds: ["user", "workload"],
      attributes: { external: "bool", level: "long", tenant: "string" },
      bareRoles: ["Reader", "Clerk"],
    },
  ],
  services: [{ name: "shop", attributes: { public: false } }],
  routes: [
    { name: "orders", service: "shop", attributes: {}, params: [] },
    { name: "prices", service: "shop", attributes: { public: true }, params: [] },
  ],
};

const POLICIES = `@id("readers")
permit (principal in Sallyport::Role::"Reader", action in Sallyport::Action::"read", resource);
@id("prices")
permit (principal, action == Sallyport::Action::"GET", resource == Sallyport::Route::"prices");
@id("clerks")
permit (principal in Sallyport::Role::"Clerk", action, resource)
when { context.scopes.contains("orders") && principal in Sallyport::Group::"corp/shop" };
@id("boss")
permit (principal == Sallyport::User::"corp/boss", action, resource);
@id("levels")
permit (principal is Sallyport::Workload, action == Sallyport::Action::"POST", resource)
when { principal.level > 3 || context.path like "/orders/new*" };
@id("outsiders")
forbid (principal is Sallyport::User, action, resource)
when { principal.external && !resource.public };
@id("office")
forbid (principal, action == Sallyport::Action::"DELETE", resource)
unless { context.ip.isInRange(ip("10.0.0.0/8")) };
@id("on-call")
permit (principal in Sallyport::Group::"on-call", action == Sallyport::Action::"DELETE", resource);
`;
const TEAMS = `groups: { on-call: [User::"corp/alice"] }
entities: { User::"corp/bob": { attributes: { clearance: 3 } } }
`;

interface Opened {
  readonly set: ExplainableSet;
  readonly subject: FindingSubject;
}

/** Checked once for all tests: the official engine takes a thread. */
const opened: Promise<Opened> = open();

async function open(): Promise<Opened> {
  const files = [
    { name: "all.cedar", text: POLICIES },
    { name: "teams.yaml", text: TEAMS },
  ];
  const { verified, problems } = await verifyPolicies({ files, vocabulary: VOCABULARY });
  assert.ok(verified !== undefined, JSON.stringify(problems));
  const { policies: gate } = await compileVerified(verified, VOCABULARY, { clock: systemClock });
  assert.ok(gate !== undefined);
  const route = (name: string, anonymous: boolean) => ({
    name,
    methods: undefined,
    authenticate: ["corp"],
    anonymous,
    place: {},
    accept: [],
  });
  const written = {
    routes: [route("orders", false), route("prices", true)],
    services: [],
    authenticators: [],
    admin: undefined,
    accept: [],
  };
  const subject = new FindingSubject({ ...verified, files, vocabulary: VOCABULARY, written });
  return { set: { policies: clausedPolicies(files, verified.policies), gate }, subject };
}

function targetOf({ subject }: Opened, name: string): Target {
  const found = subject.targets.find((target) => target.name === name);
  assert.ok(found !== undefined);
  return found;
}

/** By caller: what is answered. */
async function answers(action: string, route: string): Promise<ReadonlyMap<string, Answer>> {
  const all = await opened;
  const target = targetOf(all, route);
  return new Map(
    knownCallers(all.subject, target).map((caller) => [
      caller.who,
      answer(all.set, caller, { target, action }),
    ]),
  );
}

test("answer() says who may, who may not, and on which clauses it depends", async () => {
  const get = await answers("GET", "orders");
  assert.equal(get.get('Workload of corp in Role::"Reader"')?.may, "yes");
  assert.deepEqual(get.get('Workload of corp in Role::"Reader"')?.by, ["readers"]);
  assert.equal(get.get("Workload of corp")?.may, "no");
  const reader = get.get('User of corp in Role::"Reader"');
  assert.equal(reader?.may, "depends");
  const clause = reader?.clauses.find(({ policy }) => policy === "outsiders");
  assert.deepEqual(
    [clause?.policy, clause?.effect, clause?.file],
    ["outsiders", "forbid", "all.cedar"],
  );
  assert.equal(clause?.text, "principal.external");
  assert.equal(get.has("Anonymous"), false, "the route takes nobody without a credential");
  const prices = await answers("GET", "prices");
  assert.equal(prices.get("Anonymous")?.may, "yes");
  assert.equal(prices.get("User of corp")?.may, "yes", "prices are public");
});

test("answer() knows what data files say, and what is said of the context", async () => {
  const remove = await answers("DELETE", "orders");
  const alice = remove.get('User::"corp/alice"');
  assert.equal(alice?.may, "depends");
  assert.deepEqual(
    new Set(alice?.clauses.map(({ policy }) => policy)),
    new Set(["outsiders", "office"]),
  );
  const all = await opened;
  const target = targetOf(all, "prices");
  const caller = callerOf(all.subject, { authenticator: "corp", kind: "user" }, { named: "alice" });
  const at = (ip: string) => answer(all.set, caller, { target, action: "DELETE", context: { ip } });
  assert.equal(at("10.1.2.3").may, "yes");
  assert.deepEqual(at("192.0.2.1").by, ["office"]);
});

interface Rolled {
  readonly subject: string;
  readonly external: boolean;
  readonly level: number;
  readonly path: string;
  readonly ip: string;
  readonly scopes: readonly string[];
}

const rolled: fc.Arbitrary<Rolled> = fc.record({
  subject: fc.constantFrom("boss", "alice", "x"),
  external: fc.boolean(),
  level: fc.integer({ min: 0, max: 6 }),
  path: fc.constantFrom("/orders/new", "/orders/1", "/"),
  ip: fc.constantFrom("10.0.0.1", "192.0.2.7", "nonsense"),
  scopes: fc.subarray(["orders", "pay"]),
});

function requestOf(
  { principal, hidden }: Caller,
  { action, route }: { readonly action: string; readonly route: string },
  { subject, external, level, path, ip, scopes }: Rolled,
): PolicyRequest {
  const whole: Principal =
    principal.kind === "anonymous"
      ? principal
      : {
          ...principal,
          subject: hidden.anybody === undefined ? principal.subject : subject,
          attributes: { external, level, tenant: "a" },
        };
  const authn = { kind: "jwt", authenticator: "corp", ageSeconds: 1, acr: undefined };
  return {
    principal: whole,
    action,
    route,
    path,
    host: "a",
    method: action,
    params: {},
    query: undefined,
    fields: [],
    ip,
    timeMs: 0,
    scopes,
    authn: { ...authn, amr: [], bound: false },
  };
}

test("answer() says yes or no only where every request of the caller gets the same", async () => {
  const all = await opened;
  const cases = all.subject.targets.flatMap((target) =>
    knownCallers(all.subject, target).flatMap((caller) =>
      target.actions.map(({ id: action }) => ({
        target,
        caller,
        action,
        ...answer(all.set, caller, { target, action }),
      })),
    ),
  );
  const seen = { yes: 0, no: 0, depends: 0 };
  for (const { may } of cases) seen[may] += 1;
  for (const [what, count] of Object.entries(seen))
    assert.ok(count > 5, `${what}: ${String(count)}`);
  fc.assert(
    fc.property(fc.constantFrom(...cases), rolled, (one, dice) => {
      if (one.may === "depends") return;
      const request = requestOf(one.caller, { action: one.action, route: one.target.name }, dice);
      // Who is anybody is in no group of a data file: those who are have answers of their own.
      if (one.caller.hidden.anybody !== undefined && dice.subject === "alice") return;
      const { reason } = all.set.gate.decide(request);
      assert.equal(
        reason === "permitted",
        one.may === "yes",
        `${one.caller.who} ${one.action}: ${reason}`,
      );
    }),
    { numRuns: 3000 },
  );
});
