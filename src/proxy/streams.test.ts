import assert from "node:assert/strict";
import { test } from "node:test";
import type { Denial, Permit } from "../gate/decision.ts";
import type { GateSnapshot } from "../gate/snapshot.ts";
import { Deadlines } from "../http/deadlines.ts";
import type { Exchange, ForwardOutcome } from "../http/exchange.ts";
import type { Revocations } from "../model/revocation.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { ForwardDeps, ForwardRoute } from "./forward-route.ts";
import { Forwarding } from "./forwarding.ts";
import { createStreams } from "./streams.ts";

const DENIED = { denied: "forbidden", decisionId: "second" } as Denial;

test("redecide() asks about every stream once for each snapshot, and closes those denied", () => {
  using world = fixture();
  const kept = world.stream({ status: 101 });
  const denied = world.stream({ status: 101 });
  world.streams.redecide();
  assert.equal(world.asked.length, 0, "the snapshot is still the one that they were let in by");
  world.answer = (standing) => (standing === denied.permit ? DENIED : world.permit(world.snapshot));
  world.snapshot = {} as GateSnapshot;
  world.streams.redecide();
  assert.equal(world.asked.length, 2);
  assert.deepEqual([kept.cancelled, denied.cancelled], [[], ["forbidden"]]);
  world.timers.runAll();
  assert.equal(world.asked.length, 2, "what was kept stands by the new snapshot");
  assert.match(world.metrics(), /sallyport_open_streams\{kind="upgrade"\} 1\n/);
  assert.match(world.metrics(), /sallyport_stream_decisions_total\{decision="deny"\} 1\n/);
});

test("a plain request may finish; one with a lifetime, or that goes on for long, is a stream", () => {
  using world = fixture();
  world.stream({ status: 0 });
  world.stream({ status: 200 });
  world.stream({ status: 200, lifetimeMs: Number.POSITIVE_INFINITY });
  world.snapshot = {} as GateSnapshot;
  world.answer = () => world.permit(world.snapshot);
  world.streams.redecide();
  assert.equal(world.asked.length, 1);
  world.clock.advance(10_001);
  world.timers.runAll();
  assert.equal(world.asked.length, 2, "the response has become a stream, and was let in before");
});

test("an identity that expires, a key that is gone and a certificate that lapses are noticed by the sweep", () => {
  for (const lapse of ["expiry", "key", "certificate"] as const) {
    using world = fixture();
    const stream = world.stream({ status: 101 });
    world.answer = () => DENIED;
    world.timers.runAll();
    assert.equal(world.asked.length, 0);
    if (lapse === "expiry") world.clock.advance(60_000);
    if (lapse === "key") world.state.valid = false;
    if (lapse === "certificate") world.state.refusal = "certificate-revoked";
    world.timers.runAll();
    assert.deepEqual(stream.cancelled, ["forbidden"], lapse);
  }
});

test("many streams are decided about in slices, requests have their turn between", () => {
  using world = fixture();
  const streams = Array.from({ length: 10 }, () => world.stream({ status: 101 }));
  world.snapshot = {} as GateSnapshot;
  world.answer = () => {
    world.clock.advance(2);
    return DENIED;
  };
  world.streams.redecide();
  assert.equal(world.asked.length, 3, "5 ms and the decision within which they passed");
  assert.deepEqual(world.timers.delays, [0]);
  while (world.timers.delays[0] === 0) world.timers.runAll();
  assert.ok(streams.every(({ cancelled }) => cancelled.length === 1));
});

test("a decision that has to wait is not asked for twice, and one that fails denies", async () => {
  using world = fixture();
  const waiting = world.stream({ status: 101 });
  const settled = Promise.withResolvers<Denial>();
  world.answer = () => settled.promise;
  world.snapshot = {} as GateSnapshot;
  world.streams.redecide();
  world.timers.runAll();
  assert.equal(world.asked.length, 1);
  settled.resolve(DENIED);
  await settled.promise;
  await Promise.resolve();
  assert.deepEqual(waiting.cancelled, ["forbidden"]);
  const failing = world.stream({ status: 101 });
  const other = world.stream({ status: 101 });
  world.answer = (standing) => {
    if (standing === failing.permit) throw new Error("defect");
    return DENIED;
  };
  world.snapshot = {} as GateSnapshot;
  world.streams.redecide();
  assert.deepEqual([failing.cancelled, other.cancelled], [["internal-error"], ["forbidden"]]);
  world.streams.close();
  world.timers.runAll();
  assert.deepEqual(world.timers.delays, []);
});

test("a revocation closes at once the streams that it is about, and troubles the gate with no other", () => {
  using world = fixture();
  const kept = world.stream({ status: 101 });
  const revoked = world.stream({ status: 101 });
  const response = world.stream({ status: 200, lifetimeMs: 1000 });
  const plain = world.stream({ status: 200 });
  world.timers.runAll();
  assert.deepEqual(world.timers.delays, [500]);
  world.revoke([revoked, response, plain]);
  assert.deepEqual(world.timers.delays, [0]);
  world.timers.runAll();
  assert.deepEqual(world.asked, [revoked.permit, response.permit], "a plain request may finish");
  assert.deepEqual([kept.cancelled, revoked.cancelled], [[], ["forbidden"]]);
  assert.deepEqual([response.cancelled, plain.cancelled], [["forbidden"], []]);
});

test("a block of the service closes its streams, anonymous ones too", () => {
  using world = fixture();
  const stream = world.stream({ status: 101, anonymous: true });
  world.timers.runAll();
  world.revocations.blocked = "other";
  world.revoke([]);
  world.timers.runAll();
  assert.deepEqual(stream.cancelled, []);
  world.revocations.blocked = "chat";
  world.revoke([]);
  world.timers.runAll();
  assert.deepEqual(stream.cancelled, ["forbidden"]);
});

test("streams are decided about within half a second when revocations may be missing", () => {
  using world = fixture();
  const stream = world.stream({ status: 101 });
  world.timers.runAll();
  world.revocations.isFresh = false;
  assert.deepEqual(world.timers.delays, [500]);
  world.timers.runAll();
  assert.deepEqual(stream.cancelled, ["forbidden"]);
});

test("a stream that a revocation is not about is asked about once a version", () => {
  using world = fixture();
  world.stream({ status: 101 });
  for (let time = 0; time < 3; time++) world.timers.runAll();
  assert.equal(world.revocations.lookups, 1);
  world.revoke([]);
  for (let time = 0; time < 3; time++) world.timers.runAll();
  assert.equal(world.revocations.lookups, 2);
  // By another snapshot its route may lead to another service.
  world.snapshot = {} as GateSnapshot;
  world.answer = () => world.permit(world.snapshot);
  for (let time = 0; time < 3; time++) world.timers.runAll();
  assert.equal(world.revocations.lookups, 3);
});

test("many revocations in a row take a tenth of the time, and none waits longer than half a second", () => {
  using world = fixture();
  world.stream({ status: 101 });
  world.stream({ status: 101 });
  const looksTake = (ms: number): void => {
    world.revocations.onLookup = () => world.clock.advance(ms);
  };
  looksTake(2);
  world.timers.runAll();
  world.revoke([]);
  world.revoke([]);
  assert.deepEqual(world.timers.delays, [36], "nine times the four milliseconds of the last look");
  world.clock.advance(36);
  world.timers.runAll();
  assert.equal(world.revocations.lookups, 4, "one look for both");
  assert.deepEqual(world.timers.delays, [500]);
  looksTake(400);
  world.revoke([]);
  world.timers.runAll();
  // In slices; the second stream is in the next one.
  world.timers.runAll();
  world.timers.runAll();
  world.revoke([]);
  assert.deepEqual(world.timers.delays, [500]);
});

test("a revocation does not begin a pass anew that is under way: the next one follows it", () => {
  using world = fixture();
  const streams = Array.from({ length: 10 }, () => world.stream({ status: 101 }));
  world.revocations.onLookup = () => world.clock.advance(2);
  world.timers.runAll();
  assert.deepEqual(world.timers.delays, [0], "a slice is over");
  for (let slice = 2; slice <= 4; slice++) {
    world.revoke([]);
    world.timers.runAll();
  }
  assert.equal(world.revocations.seen.size, 10, "three in a slice, the last one in the fourth");
  world.revoke(streams);
  for (let time = 0; time < 20; time++) {
    world.clock.advance(500);
    world.timers.runAll();
  }
  assert.ok(streams.every(({ cancelled }) => cancelled.length === 1));
});

test("a revocation of any credential of a stream has it decided again, not only of the principal's", () => {
  using world = fixture();
  const key = { expiresAt: Number.POSITIVE_INFINITY };
  const { permit, cancelled } = world.stream({ status: 101, beside: key });
  const alone = world.stream({ status: 101 });
  world.revocations.revoked = new Set([key]);
  world.revocations.version += 1;
  for (const changed of world.revocations.watchers) changed();
  world.timers.runAll();
  assert.deepEqual(world.asked, [permit]);
  assert.equal(cancelled.length, 1);
  assert.equal(alone.cancelled.length, 0);
});

test("close() ends the watch over revocations", () => {
  using world = fixture();
  world.streams.close();
  assert.equal(world.revocations.watchers.size, 0);
  assert.deepEqual(world.timers.delays, []);
});

function fixture() {
  const clock = new ManualClock(Date.UTC(2026, 0, 2));
  const timers = new ManualTimers();
  const deadlines = new Deadlines(clock);
  const metrics = createMetrics();
  const silent = (): void => undefined;
  const state = { valid: true, refusal: undefined as string | undefined };
  const expiresAt = clock.now() / 1000 + 50;
  const asked: Permit[] = [];
  const revocations = fakeRevocations();
  const world = {
    clock,
    timers,
    state,
    revocations,
    asked,
    snapshot: {} as GateSnapshot,
    answer: (_standing: Permit): Permit | Denial | Promise<Denial> => DENIED,
    metrics: () => metrics.render().body,
    /** Another version, at which these are revoked. */
    revoke(streams: readonly { readonly permit: Permit }[]) {
      revocations.revoked = new Set(streams.map(({ permit }) => permit.facts));
      revocations.version += 1;
      for (const changed of revocations.watchers) changed();
    },
    permit: (snapshot: GateSnapshot, anonymous = false, beside?: object) => {
      const facts = anonymous ? undefined : { expiresAt, clockSkew: 0, valid: () => state.valid };
      return {
        decisionId: "first",
        route: { name: "chat", service: "chat" },
        snapshot,
        facts,
        good: beside === undefined ? undefined : [facts, beside],
        request: { peer: { tls: { refusal: () => state.refusal } } },
      } as unknown as Permit;
    },
    stream(given: { status: number; lifetimeMs?: number; anonymous?: boolean; beside?: object }) {
      const permit = world.permit(world.snapshot, given.anonymous, given.beside);
      const exchange = { receivedAt: clock.monotonic() } as Exchange;
      const forwarding = new Forwarding(permit, {
        exchange,
        route: { plan: { lifetimeMs: given.lifetimeMs } } as ForwardRoute,
        deps: {
          clock,
          audit: { completion: silent },
          completed: silent,
          streamEnded: silent,
        } as unknown as ForwardDeps,
        answerFields: undefined,
      });
      const cancelled: string[] = [];
      forwarding.began({
        status: given.status,
        cancel(reason) {
          cancelled.push(reason);
          forwarding.done({ status: given.status, end: reason } as ForwardOutcome);
        },
      });
      deadlines.add({
        expiresAt: Number.POSITIVE_INFINITY,
        expired: silent,
        owner: exchange.owner,
      });
      return { permit, cancelled };
    },
    /** What is registered keeps the process alive. */
    [Symbol.dispose]() {
      for (const item of deadlines.registered()) deadlines.delete(item);
    },
  };
  const streams = createStreams({
    clock,
    timers,
    deadlines,
    metrics,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    gate: {
      decideAgain(standing) {
        asked.push(standing);
        return world.answer(standing);
      },
    },
    snapshot: () => world.snapshot,
    revocations,
  });
  return Object.assign(world, { streams });
}

interface FakeRevocations extends Revocations {
  version: number;
  isFresh: boolean;
  /** Facts. */
  revoked: ReadonlySet<unknown>;
  blocked: string | undefined;
  lookups: number;
  /** Facts that were asked about. */
  readonly seen: Set<unknown>;
  onLookup: () => void;
  readonly watchers: Set<() => void>;
}

/** Says what a test wants; `keys/` has the real one. */
function fakeRevocations(): FakeRevocations {
  const watchers = new Set<() => void>();
  const fake: FakeRevocations = {
    version: 0,
    isFresh: true,
    revoked: new Set(),
    blocked: undefined,
    lookups: 0,
    seen: new Set(),
    onLookup: () => undefined,
    watchers,
    fresh: () => fake.isFresh,
    revokedBy(facts) {
      fake.lookups += 1;
      fake.seen.add(facts);
      fake.onLookup();
      return fake.revoked.has(facts) ? "id" : undefined;
    },
    blocksService: (service) => service === fake.blocked,
    watch(changed) {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    denied: () => undefined,
  };
  return fake;
}
