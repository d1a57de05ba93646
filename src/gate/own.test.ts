import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf as sharedFacts } from "../../test/identity/facts.ts";
import type { CredentialFacts } from "../model/facts.ts";
import type { IssueQuestion, RecordedKey } from "../model/issued-keys.ts";
import type {
  PolicyDecision,
  PolicyRequest,
  ShadowOutcome,
  ShadowPolicies,
} from "../model/policy.ts";
import type { Principal } from "../model/principal.ts";
import type { DecisionRecord, Taken } from "../model/records.ts";
import { NO_REVOCATIONS, type Revocations } from "../model/revocation.ts";
import { METHODS } from "../model/vocabulary.ts";
import { ManualClock } from "../platform/clock.ts";
import type { GateInput } from "./decision.ts";
import { createGate } from "./gate.ts";
import { isOwnDenial, type OwnRequest } from "./own.ts";
import { createRouter } from "./router.ts";
import type { GateSnapshot } from "./snapshot.ts";

const NOW = 1_800_000_000_000;

test("issue() asks policies about the service, with what is asked for", () => {
  const world = fixture();
  const answer = world.begin().issue([question()]);
  assert.deepEqual(answer, { reason: "permitted", detail: undefined, denied: undefined });
  const [asked] = world.asked;
  assert.equal(asked?.action, "issueKey");
  assert.equal(asked.principal, ANN.principal);
  assert.deepEqual(asked.scopes, ["read"]);
  assert.deepEqual(asked.issue, {
    service: "billing",
    lifetimeSeconds: 300,
    binding: "none",
    grant: "token-exchange",
    as: "subject",
    client: "job",
    narrowed: false,
    other: "mesh/payments",
  });
  assert.deepEqual(
    [asked.ip, asked.timeMs, asked.authn.kind, asked.actor?.subject],
    ["192.0.2.1", NOW, "jwt", "script"],
  );
});

test("issue() permits where every question is permitted, and asks no further after a denial", () => {
  const forActor = question({ as: "actor", facts: JOB, other: ANN.principal });
  for (const [denied, asked, reason] of [
    ["", 2, "permitted"],
    ["ann", 1, "forbidden"],
    ["payments", 2, "forbidden"],
  ] as const) {
    const world = fixture({
      decide: ({ principal }) => (principal.subject === denied ? FORBIDDEN : PERMITTED),
    });
    const own = world.begin();
    const answer = own.issue([question(), forActor]);
    assert.equal(answer.reason, reason);
    assert.equal(world.asked.length, asked);
    own.conclude({ reason: answer.reason });
    const record = world.records.at(-1);
    // Whom the record is about is who was denied.
    assert.equal(record?.principal?.subject, denied === "payments" ? "payments" : "ann");
    assert.equal(record?.issue?.as, denied === "payments" ? "actor" : "subject");
    assert.equal(record?.issue?.questions, 2);
    assert.deepEqual(record?.determining, reason === "permitted" ? ["all"] : ["never"]);
    assert.deepEqual(
      record?.credentials.map(({ hash, outcome }) => [hash, outcome]),
      [
        ["hash-ann", "used"],
        ["hash-payments", "used"],
      ],
    );
  }
});

const DEAD: [title: string, facts: Partial<CredentialFacts>, reason: string][] = [
  ["has expired", { expiresAt: NOW / 1000 }, "token-expired"],
  ["is not valid yet", { notBefore: NOW / 1000 + 1 }, "token-not-yet-valid"],
  ["was verified by a key that is gone", { valid: () => false }, "unknown-key"],
  ["was ended", { ended: () => true }, "credential-revoked"],
];
for (const [title, facts, reason] of DEAD) {
  test(`issue() denies as ${reason} where a credential ${title}, and asks no policy`, () => {
    const world = fixture();
    const own = world.begin();
    const bad = question({ facts: { ...JOB, ...facts }, as: "actor" });
    const answer = own.issue([question(), bad]);
    assert.deepEqual([answer.reason, answer.denied], [reason, bad]);
    assert.equal(world.asked.length, 1);
    own.conclude({ reason: answer.reason });
    assert.deepEqual(
      world.records.at(-1)?.credentials.map(({ outcome }) => outcome),
      ["used", "refused"],
    );
  });
}

test("issue() looks at revocations of each credential for the service, and at blocked services", () => {
  const told: string[] = [];
  const seen: [string, string | undefined][] = [];
  const revocations: Revocations = {
    ...NO_REVOCATIONS,
    revokedBy(facts, service) {
      seen.push([facts.principal.subject, service]);
      return facts === JOB && service === "orders" ? "service" : undefined;
    },
    blocksService: (service) => service === "ledger",
    denied: (by) => told.push(by),
  };
  const world = fixture({ revocations });
  const answerOf = (...questions: IssueQuestion[]) => world.begin().issue(questions).reason;
  const actor = (service: string) => question({ facts: JOB, as: "actor", service });
  assert.equal(answerOf(question(), actor("billing")), "permitted");
  assert.deepEqual(seen, [
    ["ann", "billing"],
    ["payments", "billing"],
  ]);
  assert.equal(answerOf(question({ service: "orders" }), actor("orders")), "credential-revoked");
  assert.equal(answerOf(question({ service: "ledger" })), "service-blocked");
  assert.deepEqual(told, ["service", "service"]);
});

test("beginOwn() and issue() deny while a revocation may be missing", () => {
  const world = fixture({ revocations: { ...NO_REVOCATIONS, fresh: () => false } });
  const refused = world.gate.own(INPUT, world.snapshot);
  assert.ok(isOwnDenial(refused) && refused.denied === "feed-stale");
  assert.equal(world.records.at(-1)?.reason, "feed-stale");
  // What was fresh when it began may be stale after a wait.
  const state = { fresh: true };
  const later = fixture({ revocations: { ...NO_REVOCATIONS, fresh: () => state.fresh } });
  const own = later.begin();
  state.fresh = false;
  assert.equal(own.issue([question()]).reason, "feed-stale");
  assert.equal(later.asked.length, 0);
});

test("issue() never throws: what is unexpected denies", () => {
  const throwing = fixture({
    decide: () => {
      throw new TypeError("the key's service is not in the vocabulary");
    },
  });
  assert.equal(throwing.begin().issue([question()]).reason, "internal-error");
  assert.equal(fixture().begin().issue([]).reason, "internal-error");
});

test("issue() asks a candidate set beside, and records the first question that it would decide otherwise", () => {
  const told: string[] = [];
  const difference = { bundle: "sha256-next", reason: "no-permit", determining: [] } as const;
  const shadow: ShadowPolicies = {
    hash: "sha256-next",
    compare: ({ principal }) =>
      principal.subject === "ann"
        ? { outcome: "would-deny", difference }
        : { outcome: "same", difference: undefined },
  };
  const world = fixture({ shadow, shadowed: (outcome) => told.push(outcome) });
  const own = world.begin();
  const answer = own.issue([question(), question({ facts: JOB, as: "actor" })]);
  assert.equal(answer.reason, "permitted", "it changes nothing");
  own.conclude({ reason: answer.reason });
  assert.deepEqual(told, ["would-deny", "same"]);
  assert.equal(world.records.at(-1)?.shadow, difference);
});

test("conclude() records the key that was issued, and what was asked for it", () => {
  const world = fixture();
  const own = world.begin();
  own.issue([question()]);
  const told = own.conclude({ reason: "permitted", key: KEY });
  assert.equal(told.denied, "permitted");
  const record = world.records.at(-1);
  assert.deepEqual([record?.action, record?.service], ["issueKey", "billing"]);
  assert.deepEqual(record?.scopes, ["read"]);
  assert.equal(record?.key, KEY);
  assert.equal(record?.principal, ANN.principal);
  assert.equal(record?.authn?.authenticator, "corp");
  assert.equal(record?.decision, "permit");
});

test("conclude() gives out no key that policies did not permit", () => {
  const cases: [title: string, (own: OwnRequest) => void, key: RecordedKey][] = [
    ["nobody was asked", () => undefined, KEY],
    ["it was denied", (own) => own.issue([question({ service: "ledger" })]), KEY],
    ["it is for another service", (own) => own.issue([question({ service: "orders" })]), KEY],
    [
      "it is for one service more",
      (own) => own.issue([question()]),
      { ...KEY, audience: ["billing", "orders"] },
    ],
    [
      "what was permitted was denied later",
      (own) => {
        own.issue([question()]);
        own.issue([question({ service: "ledger" })]);
      },
      KEY,
    ],
  ];
  for (const [title, happens, key] of cases) {
    const world = fixture({
      decide: ({ issue }) => (issue?.service === "ledger" ? FORBIDDEN : PERMITTED),
    });
    const own = world.begin();
    happens(own);
    assert.equal(own.conclude({ reason: "permitted", key }).denied, "internal-error", title);
    assert.equal(world.records.at(-1)?.key, undefined, title);
    assert.equal(world.records.at(-1)?.decision, "deny", title);
  }
});

test("durable() asks for more than durability: batched where a key was issued, and for no more elsewhere", () => {
  const world = fixture();
  const own = world.begin();
  own.issue([question()]);
  own.conclude({ reason: "permitted", key: KEY });
  assert.equal(own.durable(), undefined);
  const other = world.begin();
  other.conclude({ reason: "permitted" });
  assert.equal(other.durable(), undefined);
  assert.deepEqual(world.waits, ["written", undefined]);
});

test("conclude() gives out no key that is on no record", () => {
  const world = fixture({ taken: "refused" });
  const own = world.begin();
  own.issue([question()]);
  assert.equal(own.conclude({ reason: "permitted", key: KEY }).denied, "audit-unavailable");
});

test("conclude() records what was asked for where it never came to a question", () => {
  const world = fixture();
  world.begin().conclude({ reason: "missing-credential", action: "issueKey" });
  const record = world.records.at(-1);
  assert.deepEqual([record?.action, record?.issue], ["issueKey", undefined]);
});

const PERMITTED: PolicyDecision = {
  reason: "permitted",
  determining: ["all"],
  erroring: [],
  reads: [],
};
const FORBIDDEN: PolicyDecision = { ...PERMITTED, reason: "forbidden", determining: ["never"] };

const KEY: RecordedKey = {
  id: "k-1",
  audience: ["billing"],
  scopes: ["read"],
  expiresAt: NOW / 1000 + 300,
  binding: "none",
  clientId: "job",
  ancestors: [],
};

function factsOf(authenticator: string, subject: string, kind: Principal["kind"]): CredentialFacts {
  return sharedFacts({
    principal: { kind, authenticator, subject, roles: [], groups: [], attributes: {} },
    authenticator,
    credentialHash: `hash-${subject}`,
    expiresAt: NOW / 1000 + 600,
    issuedAt: NOW / 1000 - 5,
    clockSkew: 0,
    audience: undefined,
    acceptedAudience: [],
  });
}

const SCRIPT = {
  authenticator: "corp",
  subject: "script",
  issuer: undefined,
  clientId: undefined,
  behind: [],
};
const ANN: CredentialFacts = { ...factsOf("corp", "ann", "user"), actor: SCRIPT };
const JOB = factsOf("mesh", "payments", "workload");

function question(part: Partial<IssueQuestion> = {}): IssueQuestion {
  return {
    as: "subject",
    facts: ANN,
    service: "billing",
    grant: "token-exchange",
    scopes: ["read"],
    lifetimeSeconds: 300,
    binding: "none",
    narrowed: false,
    clientId: "job",
    other: JOB.principal,
    ...part,
  };
}

const INPUT: GateInput = {
  head: {
    method: "POST",
    target: "/.sallyport/token",
    version: "1.1",
    minorVersion: 1,
    fields: ["host", "api.example.com"],
    host: "api.example.com",
    authorization: undefined,
    authorizationCount: 0,
    bodyKind: "none",
    contentLength: 0,
    keepAlive: true,
    expectContinue: false,
    connectionOptions: undefined,
    upgrade: undefined,
  },
  listener: "edge",
  scheme: "https",
  peer: { address: "192.0.2.1", port: 5000, tls: undefined, balancer: undefined },
  connection: { memo: undefined },
};

interface Given {
  readonly decide?: (request: PolicyRequest) => PolicyDecision;
  readonly revocations?: Revocations;
  readonly taken?: Taken;
  readonly shadow?: ShadowPolicies;
  readonly shadowed?: (outcome: ShadowOutcome) => void;
}

function fixture(given: Given = {}) {
  const { decide = () => PERMITTED, revocations, taken = "recorded", shadow, shadowed } = given;
  const records: DecisionRecord[] = [];
  const asked: PolicyRequest[] = [];
  const waits: (string | undefined)[] = [];
  const silent = (): void => undefined;
  const snapshot: GateSnapshot = {
    anyPathParameters: false,
    router: createRouter([], METHODS),
    shadow,
    policies: {
      hash: "sha256-x",
      decide(request) {
        asked.push(request);
        return decide(request);
      },
    },
  };
  let next = 0;
  const gate = createGate({
    clock: new ManualClock(NOW),
    log: { debug: silent, info: silent, warn: silent, error: silent },
    audit: {
      writable: () => true,
      decision: (record) => {
        records.push(record);
        return taken;
      },
      completion: silent,
      durable: (atLeast) => {
        waits.push(atLeast);
        return undefined;
      },
    },
    budget: { spent: () => false, charge: silent },
    revocations: revocations ?? NO_REVOCATIONS,
    nextDecisionId: () => `decision-${next++}`,
    decided: silent,
    ...(shadowed === undefined ? {} : { shadowed }),
  });
  const begin = (): OwnRequest => {
    const own = gate.own(INPUT, snapshot);
    assert.ok(!isOwnDenial(own));
    return own;
  };
  return { gate, snapshot, records, asked, waits, begin };
}
