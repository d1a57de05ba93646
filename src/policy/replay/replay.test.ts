import assert from "node:assert/strict";
import { test } from "node:test";
import type { Policies, PolicyDecision, PolicyRequest } from "../../model/policy.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { Replay, type RecordedAnswer } from "./replay.ts";

const VOCABULARY: Vocabulary = {
  authenticators: [],
  services: [{ name: "billing", attributes: {} }],
  routes: [{ name: "billing", service: undefined, attributes: {}, params: [] }],
};

function record(changes: Partial<RecordedAnswer> = {}): RecordedAnswer {
  return {
    decisionId: "01A",
    determining: ["old"],
    erroring: [],
    reason: "permitted",
    authn: { kind: "jwt", authenticator: "corp", ageSeconds: 1, amr: [], bound: false },
    principal: {
      kind: "workload",
      authenticator: "corp",
      subject: "payments",
      roles: [],
      groups: [],
      attributes: {},
    },
    method: "GET",
    host: "api.example.com:8443",
    path: "/billing",
    params: {},
    peerAddress: "192.0.2.7",
    reads: [],
    route: "billing",
    scopes: [],
    time: "2026-11-24T04:05:06.123Z",
    truncated: {},
    ...changes,
  };
}

/** Policies of one answer, and what they were asked. */
function answering(
  reason: PolicyDecision["reason"],
): Policies & { readonly asked: PolicyRequest[] } {
  const asked: PolicyRequest[] = [];
  return {
    hash: "sha256-new",
    asked,
    decide(request) {
      asked.push(request);
      // As a policy that looks at them.
      void [request.path, request.params];
      return { reason, determining: ["new"], erroring: [], reads: [] };
    },
  };
}

test("add() groups what flips by principal, action and resource, with the first as example", () => {
  const replay = new Replay(answering("forbidden"), VOCABULARY);
  replay.add(record());
  replay.add(record({ decisionId: "01B" }));
  replay.add(record({ decisionId: "01C", method: "POST" }));
  replay.add(record({ decisionId: "01D", reason: "no-permit", determining: [] }));
  const { wouldDeny, wouldPermit, same, decisions } = replay.report();
  assert.deepEqual([decisions, same, wouldDeny.count, wouldPermit.count], [4, 1, 3, 0]);
  const common = {
    principal: 'Sallyport::Workload::"corp/payments"',
    route: "billing",
    reason: "forbidden",
    determining: ["new"],
    dependsOn: [],
  };
  assert.deepEqual(wouldDeny.groups, [
    { ...common, action: "GET", count: 2, example: "01A" },
    { ...common, action: "POST", count: 1, example: "01C" },
  ]);
});

test("add() asks what policies were asked", () => {
  const policies = answering("permitted");
  new Replay(policies, VOCABULARY).add(record({ clientAddress: "10.0.0.1", scopes: ["read"] }));
  const [asked] = policies.asked;
  assert.deepEqual(
    [asked?.action, asked?.host, asked?.ip, asked?.timeMs, asked?.scopes, asked?.params],
    ["GET", "api.example.com", "10.0.0.1", Date.UTC(2026, 10, 24, 4, 5, 6, 123), ["read"], {}],
  );
});

test("add() counts what was refused after policies had permitted it as a permit", () => {
  const replay = new Replay(answering("permitted"), VOCABULARY);
  replay.add(record({ reason: "rate-limited" }));
  assert.equal(replay.report().same, 1);
});

test("add() leaves out what policies did not decide, and what is not there any more", () => {
  const replay = new Replay(answering("permitted"), VOCABULARY);
  const none = { determining: [], principal: undefined };
  replay.add(record({ ...none, reason: "missing-credential" }));
  replay.add(record({ ...none, reason: "missing-credential" }));
  replay.add(record({ ...none, reason: "no-route" }));
  replay.add(record({ determining: ["sallyport:local-socket"], action: "admin:drain" }));
  replay.add(record({ determining: ["sallyport:egress-allow"], route: "egress:billing" }));
  replay.add(record({ route: "gone" }));
  replay.add(record({ action: "admin:gone" }));
  assert.deepEqual(replay.report().leftOut, {
    "missing-credential": 2,
    "no-route": 1,
    "admin-socket": 1,
    egress: 1,
    "route-gone": 1,
    "action-gone": 1,
  });
  assert.equal(replay.report().same, 0);
});

const ISSUE = {
  as: "subject",
  binding: "none",
  client: "job",
  grant: "client-credentials",
  lifetimeSeconds: 300,
  narrowed: false,
  questions: 1,
} as const;
const KEY = { action: "issueKey", route: undefined, service: "billing", issue: ISSUE };

test("add() asks again about a key that was asked for, by its service", () => {
  const policies = answering("forbidden");
  const replay = new Replay(policies, VOCABULARY);
  replay.add(record({ ...KEY, path: "/.sallyport/token", truncated: { path: {} } }));
  const [asked] = policies.asked;
  assert.deepEqual(asked?.issue, {
    service: "billing",
    as: "subject",
    binding: "none",
    client: "job",
    grant: "client-credentials",
    lifetimeSeconds: 300,
    narrowed: false,
    other: undefined,
  });
  const [group] = replay.report().wouldDeny.groups;
  assert.deepEqual([group?.action, group?.route], ["issueKey", "billing"]);
});

test("add() leaves out a key for which others were asked too, or whose service is gone", () => {
  const replay = new Replay(answering("permitted"), VOCABULARY);
  replay.add(record({ ...KEY, issue: { ...ISSUE, questions: 2 } }));
  replay.add(record({ ...KEY, service: "gone" }));
  replay.add(record({ ...KEY, issue: undefined }));
  assert.deepEqual(replay.report().leftOut, {
    "key-of-several-questions": 1,
    "service-gone": 1,
    incomplete: 1,
  });
});

test("add() is uncertain where what policies see was cut", () => {
  const replay = new Replay(answering("permitted"), VOCABULARY);
  replay.add(record({ truncated: { path: {}, detail: {}, "params.id": {} } }));
  replay.add(record({ truncated: { detail: {}, requestId: {} } }));
  const { uncertain, same } = replay.report();
  assert.equal(same, 1);
  assert.deepEqual(uncertain.groups[0]?.dependsOn, ["context.path"]);
});

test("add() takes a principal whose roles have changed for what it is then", () => {
  const policies = answering("permitted");
  const replay = new Replay(policies, VOCABULARY);
  const one = record().principal;
  assert.ok(one !== undefined);
  for (const roles of [[], ["a"], ["a"], []]) replay.add(record({ principal: { ...one, roles } }));
  replay.add(record({ principal: { ...one, attributes: { a: ["x"] } } }));
  replay.add(record({ principal: { ...one, kind: "user" } }));
  assert.deepEqual(
    policies.asked.map(({ principal }) => principal.roles),
    [[], ["a"], ["a"], [], [], []],
  );
  assert.equal(policies.asked[1]?.principal, policies.asked[2]?.principal);
  assert.deepEqual(policies.asked[4]?.principal.attributes, { a: ["x"] });
  assert.equal(policies.asked[5]?.principal.kind, "user");
});

test("add() throws on a defect of the policies, and calls it no uncertainty", () => {
  const broken: Policies = {
    hash: "sha256-new",
    decide() {
      throw new TypeError("a defect");
    },
  };
  assert.throws(() => new Replay(broken, VOCABULARY).add(record()), /a defect/);
});
