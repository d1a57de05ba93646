import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf as sharedFacts } from "../../test/identity/facts.ts";
import { createRevocationList, type RevocationList } from "../keys/revocation-list.ts";
import { revocationDigest } from "../keys/revocation-digest.ts";
import type { CredentialFacts } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";
import type { DecisionRecord } from "../model/records.ts";
import { NEVER, type RevocationMode, type RevocationTarget } from "../model/revocation.ts";
import { METHODS } from "../model/vocabulary.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { type Denial, type GateInput, isDenial, Permit } from "./decision.ts";
import { createGate } from "./gate.ts";
import { createRouter } from "./router.ts";
import type { GateRoute, GateSnapshot } from "./snapshot.ts";
import type { BearerVerifier } from "../model/verifiers.ts";

const NOW = 1_800_000_000_000;
const SECONDS = NOW / 1000;

const TARGETS: readonly RevocationTarget[] = [
  { kind: "id", authenticator: "corp", id: "t-1" },
  { kind: "subject", authenticator: "corp", subject: "ann" },
  { kind: "authenticator", authenticator: "corp" },
  { kind: "service", service: "billing" },
];

/** Tokens, by when they say that they were issued. The authenticator grants 5 seconds of skew. */
const ISSUED = {
  never: undefined,
  before: SECONDS - 100,
  equal: SECONDS,
  skewed: SECONDS + 5,
  after: SECONDS + 6,
} as const;

for (const target of TARGETS) {
  for (const mode of ["revoke", "block"] as const) {
    for (const [issued, issuedAt] of Object.entries(ISSUED)) {
      const expected = outcomeOf(target, mode, issued);
      test(`decide() of a token issued ${issued} the time of a ${mode} by ${target.kind}: ${expected}`, async () => {
        const world = fixture({ issuedAt });
        world.clock.advance(6000);
        assert.ok((await world.decide("good")) instanceof Permit);
        world.take(target, mode);
        assert.equal(reasonOf(await world.decide("good")), expected);
        const record = world.records.at(-1);
        assert.equal(record?.reason, expected);
        assert.deepEqual(
          record?.credentials.map(({ outcome }) => outcome),
          [expected === "credential-revoked" ? "refused" : "used"],
        );
        assert.equal(
          record?.principal?.subject,
          expected === "credential-revoked" ? undefined : "ann",
        );
        world.lift(target);
        assert.equal(reasonOf(await world.decide("good")), "permitted");
      });
    }
  }
}

function outcomeOf(target: RevocationTarget, mode: RevocationMode, issued: string): Reason {
  if (mode === "block") return target.kind === "service" ? "service-blocked" : "credential-revoked";
  return issued === "after" ? "permitted" : "credential-revoked";
}

test("decide() denies a revoked credential from wherever its facts come", async () => {
  const paths: Record<string, () => GateInput> = {
    // The memo of the connection.
    connection: () => input("good", { connection: CONNECTION }),
    // What was seen lately, on a connection that has not seen it.
    recent: () => input("good"),
    // The verifier's own cache; a credential of more than 4096 characters is in no other place.
    cache: () => input(`good${LONG}`),
    // Verified anew each time.
    verified: () => input(`new${LONG}`),
    // Verified after a wait.
    waited: () => input(`slow${LONG}`),
  };
  for (const [path, make] of Object.entries(paths)) {
    CONNECTION.memo = undefined;
    const world = fixture({ issuedAt: SECONDS - 100 });
    const decide = async () => world.gate.decide(make(), world.snapshot);
    assert.equal(reasonOf(await decide()), "permitted", path);
    assert.equal(reasonOf(await decide()), "permitted", path);
    const { recalled, verified } = world.asked;
    world.take(TARGETS[1] as RevocationTarget, "revoke");
    assert.equal(reasonOf(await decide()), "credential-revoked", path);
    // That it did come from there.
    const found = {
      connection: [0, 0],
      recent: [0, 0],
      cache: [1, 0],
      verified: [1, 1],
      waited: [1, 1],
    }[path];
    const asked = [world.asked.recalled - recalled, world.asked.verified - verified];
    assert.deepEqual(asked, found, path);
  }
});

const LONG = "x".repeat(5000);
const CONNECTION = { memo: undefined as unknown };

test("decide() lets nothing through that was revoked, blocked or lost sight of while it waited", async () => {
  const cases: [reason: Reason, happens: (world: World) => void][] = [
    ["permitted", () => undefined],
    ["credential-revoked", (world) => world.take(TARGETS[0] as RevocationTarget, "revoke")],
    ["service-blocked", (world) => world.take(TARGETS[3] as RevocationTarget, "block")],
    ["feed-stale", ({ clock }) => clock.advance(10_001)],
  ];
  for (const [reason, happens] of cases) {
    const admitted = Promise.withResolvers<void>();
    const world = fixture({ issuedAt: SECONDS - 100, admission: admitted.promise });
    const pending = world.decide("good");
    assert.ok(pending instanceof Promise, "it waits for the last step, the limit");
    happens(world);
    admitted.resolve();
    assert.equal(reasonOf(await pending), reason);
    assert.equal(world.records.at(-1)?.reason, reason);
    assert.equal(world.held.now, reason === "permitted" ? 1 : 0, "a denial holds no place");
  }
});

test("decide() lets nothing through that its issuer ended while it waited", async () => {
  for (const ended of [false, true]) {
    const admitted = Promise.withResolvers<void>();
    let now = false;
    const more = { ended: () => now };
    const world = fixture({ issuedAt: SECONDS - 100, admission: admitted.promise, more });
    const pending = world.decide("good");
    now = ended;
    admitted.resolve();
    const reason = ended ? "credential-revoked" : "permitted";
    assert.equal(reasonOf(await pending), reason);
    assert.equal(world.held.now, ended ? 0 : 1, "a denial holds no place");
  }
});

test("decide() takes a credential that is for some services at those alone", async () => {
  const world = fixture({ issuedAt: SECONDS - 100, more: { services: ["billing"] } });
  assert.equal(reasonOf(await world.decide("good")), "permitted");
  assert.equal(reasonOf(await world.decide("good", "/other")), "wrong-audience");
  assert.match(world.records.at(-1)?.detail ?? "", /for other services/);
  const nowhere = fixture({ issuedAt: SECONDS - 100, more: { services: [] } });
  assert.equal(reasonOf(await nowhere.decide("good")), "wrong-audience");
});

test("decide() tells a credential of each request that it lets in, and of no other", async () => {
  const used: number[] = [];
  const more = { used: (nowMs: number) => void used.push(nowMs), services: ["billing"] };
  const world = fixture({ issuedAt: SECONDS - 100, more });
  await world.decide("good");
  world.clock.advance(7);
  await world.decide("good");
  assert.deepEqual(used, [NOW, NOW + 7]);
  await world.decide("good", "/other");
  world.take({ kind: "id", authenticator: "corp", id: "t-1" }, "block");
  await world.decide("good");
  assert.equal(used.length, 2);
});

test("decide() keeps anonymous callers out of a blocked service, and of no other", async () => {
  const world = fixture({ issuedAt: undefined });
  world.take(TARGETS[3] as RevocationTarget, "revoke");
  assert.equal(reasonOf(await world.decide(undefined)), "permitted", "it presents no credential");
  world.take(TARGETS[3] as RevocationTarget, "block");
  assert.equal(reasonOf(await world.decide(undefined)), "service-blocked");
  assert.equal(world.records.at(-1)?.principal?.kind, "anonymous");
  assert.equal(reasonOf(await world.decide("good", "/other")), "permitted");
});

test("decide() says nothing of a revocation to who has no good credential", async () => {
  const world = fixture({ issuedAt: SECONDS - 100 });
  for (const target of TARGETS) world.take(target, "block");
  assert.equal(reasonOf(await world.decide("forged")), "invalid-signature");
  world.clock.advance(3_700_000);
  world.list.heard(world.clock.now());
  assert.equal(reasonOf(await world.decide("good")), "token-expired");
});

test("decide() denies every request while revocations may be missing, before all else of it", async () => {
  const world = fixture({ issuedAt: SECONDS - 100 });
  world.clock.advance(10_000);
  assert.equal(reasonOf(await world.decide("good")), "permitted");
  world.clock.advance(1);
  for (const [token, target] of [
    ["good", "/billing"],
    ["forged", "/billing"],
    [undefined, "/billing"],
    [undefined, "/nowhere"],
    [undefined, "/%2f"],
  ] as const) {
    const outcome = await world.decide(token, target);
    assert.equal(reasonOf(outcome), "feed-stale");
    assert.equal((outcome as Denial).route, undefined, "nothing of the request was looked at");
  }
  assert.equal(world.asked.verified, 0);
  world.list.heard(world.clock.now());
  assert.equal(reasonOf(await world.decide("good")), "permitted");
});

test("decideAgain() denies what was revoked, blocked or lost sight of since", async () => {
  const cases: [reason: Reason, happens: (world: World) => void][] = [
    ["permitted", taken({ kind: "service", service: "other" }, "block")],
    ["credential-revoked", taken(TARGETS[0] as RevocationTarget, "revoke")],
    ["credential-revoked", taken(TARGETS[1] as RevocationTarget, "block")],
    ["credential-revoked", taken(TARGETS[2] as RevocationTarget, "revoke")],
    ["credential-revoked", taken(TARGETS[3] as RevocationTarget, "revoke")],
    ["service-blocked", taken(TARGETS[3] as RevocationTarget, "block")],
    ["feed-stale", ({ clock }) => clock.advance(10_001)],
  ];
  for (const [reason, happens] of cases) {
    const world = fixture({ issuedAt: SECONDS - 100 });
    const { snapshot } = world;
    const first = await world.decide("good");
    assert.ok(first instanceof Permit);
    happens(world);
    const stream = { decisionId: first.decisionId, service: first.route.service };
    const again = await world.gate.decideAgain(first, { stream, snapshot });
    assert.equal(reasonOf(again), reason);
    if (reason !== "permitted") assert.equal(world.records.at(-1)?.stream, first.decisionId);
  }
  function taken(target: RevocationTarget, mode: RevocationMode) {
    return (world: World) => world.take(target, mode);
  }
});

test("a record says by what kind of entry it was denied, and so does the metric", async () => {
  const details: Record<string, string> = {
    id: "revoked by its id",
    subject: "revoked by its subject",
    authenticator: "revoked with all that its authenticator vouches for",
    service: "revoked with all that was issued before a cut-off of the service",
  };
  const world = fixture({ issuedAt: SECONDS - 100 });
  for (const target of TARGETS) {
    world.take(target, "revoke");
    await world.decide("good");
    assert.equal(world.records.at(-1)?.detail, details[target.kind]);
    world.lift(target);
  }
  world.take(TARGETS[3] as RevocationTarget, "block");
  await world.decide("good");
  const counted = world.metrics().match(/^sallyport_revocation_denials_total.*$/gm);
  assert.deepEqual(counted, [
    'sallyport_revocation_denials_total{kind="id"} 1',
    'sallyport_revocation_denials_total{kind="subject"} 1',
    'sallyport_revocation_denials_total{kind="authenticator"} 1',
    'sallyport_revocation_denials_total{kind="service"} 2',
  ]);
});

function reasonOf(outcome: Permit | Denial): Reason {
  return isDenial(outcome) ? outcome.denied : "permitted";
}

type World = ReturnType<typeof fixture>;

interface Given {
  readonly issuedAt: number | undefined;
  /** The limit of the route waits for it. */
  readonly admission?: Promise<void>;
  /** What is known of the credential besides. */
  readonly more?: Partial<CredentialFacts>;
}

function fixture({ issuedAt, admission, more }: Given) {
  const clock = new ManualClock(NOW);
  const silent = (): void => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const metrics = createMetrics();
  const list = createRevocationList(
    { maxStalenessMs: 10_000 },
    { clock, timers: new ManualTimers(), log, metrics },
  );
  list.heard(NOW);
  const records: DecisionRecord[] = [];
  const asked = { recalled: 0, verified: 0 };
  const facts = { ...factsOf(issuedAt), ...more };
  const bearer: BearerVerifier = {
    recall(token) {
      asked.recalled += 1;
      return token.startsWith("good") ? facts : undefined;
    },
    verify(token) {
      asked.verified += 1;
      if (token === "forged") return { failure: "invalid-signature", detail: "no", costly: true };
      return token.startsWith("slow") ? Promise.resolve(factsOf(issuedAt)) : factsOf(issuedAt);
    },
  };
  const held = { now: 0 };
  const snapshot = snapshotOf(
    bearer,
    admission === undefined ? undefined : limits(admission, held),
  );
  let next = 0;
  const gate = createGate({
    clock,
    log,
    audit: {
      writable: () => true,
      decision: (record) => {
        records.push(record);
        return "recorded";
      },
      completion: silent,
      durable: () => undefined,
    },
    budget: { spent: () => false, charge: silent },
    revocations: list,
    nextDecisionId: () => `decision-${next++}`,
    decided: silent,
  });
  return {
    clock,
    list,
    gate,
    snapshot,
    records,
    asked,
    held,
    metrics: () => metrics.render().body,
    decide: (token: string | undefined, target = "/billing") =>
      gate.decide(input(token, { target }), snapshot),
    take: (target: RevocationTarget, mode: RevocationMode) => tell(list, target, mode),
    lift: (target: RevocationTarget) =>
      list.apply([], [revocationDigest(target)], { reset: false }),
  };
}

function tell(list: RevocationList, target: RevocationTarget, mode: RevocationMode): void {
  const entry = {
    digest: revocationDigest(target),
    cutoffMs: mode === "revoke" ? NOW : undefined,
    blockedUntilMs: mode === "block" ? NEVER : undefined,
    expiresMs: NEVER,
  };
  list.apply([entry], [], { reset: false });
}

function limits(admission: Promise<void>, held: { now: number }): NonNullable<GateRoute["limits"]> {
  return {
    async admit() {
      await admission;
      held.now += 1;
      let released = false;
      const release = (): void => {
        if (!released) held.now -= 1;
        released = true;
      };
      return { reason: undefined, limit: "", retryAfterSeconds: 0, fields: [], release };
    },
  };
}

function snapshotOf(bearer: BearerVerifier, limit: GateRoute["limits"]): GateSnapshot {
  const route = (name: string) => {
    const value: GateRoute = {
      name,
      service: name,
      bearer,
      anonymous: true,
      audience: undefined,
      params: [],
      pathParameters: false,
      limits: limit,
    };
    return { name, host: undefined, path: `/${name}`, methods: ["GET"], value };
  };
  return {
    anyPathParameters: false,
    router: createRouter([route("billing"), route("other")], METHODS),
    policies: {
      hash: "sha256-x",
      decide: () => ({ reason: "permitted", determining: [], erroring: [], reads: [] }),
    },
  };
}

function input(
  token: string | undefined,
  {
    target = "/billing",
    connection = { memo: undefined },
  }: { target?: string; connection?: { memo: unknown } } = {},
): GateInput {
  return {
    listener: "edge",
    scheme: "http",
    peer: { address: "192.0.2.7", port: 5 },
    connection,
    head: {
      method: "GET",
      target,
      version: "1.1",
      minorVersion: 1,
      fields: [],
      host: "api.example.com",
      authorization: token === undefined ? undefined : `Bearer ${token}`,
      authorizationCount: token === undefined ? 0 : 1,
      bodyKind: "none",
      contentLength: 0,
      keepAlive: true,
      expectContinue: false,
      connectionOptions: undefined,
      upgrade: undefined,
    },
  };
}

function factsOf(issuedAt: number | undefined): CredentialFacts {
  return sharedFacts({
    principal: {
      kind: "workload",
      authenticator: "corp",
      subject: "ann",
      roles: [],
      groups: [],
      attributes: {},
    },
    credentialHash: "hash",
    expiresAt: SECONDS + 3600,
    issuedAt,
    clockSkew: 5,
    tokenId: "t-1",
  });
}
