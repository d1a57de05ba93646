import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuthorityState, createAuthorityState } from "./authority-state.ts";
import {
  digestOf,
  lifting,
  revoking,
  T0,
  TestConsumer,
  type TestGround,
  testGround,
} from "../../../test/authority/feed-kit.ts";

function stateOf(ground: TestGround): AuthorityState {
  return createAuthorityState(ground);
}

test("follow() gives all that is known, then each change, and vouches for it", async () => {
  const ground = testGround();
  await ground.store.commit([revoking(1), revoking(2)]);
  const state = stateOf(ground);
  await state.start();
  const consumer = new TestConsumer();
  state.follow(consumer, "edge-1");
  assert.deepEqual(consumer.calls, ["reset", "current"]);
  assert.deepEqual(consumer.digests, [digestOf(1), digestOf(2)].toSorted());
  assert.deepEqual(consumer.keys, ground.keys.published());
  assert.deepEqual(consumer.authorities, [ground.ca.pem]);

  ground.clock.advance(700);
  const { number } = (await ground.store.commit([revoking(3), lifting(1)])) as { number: number };
  await consumer.until(() => consumer.at?.number === number && consumer.asOfMs === T0 + 700);
  assert.deepEqual(consumer.digests, [digestOf(2), digestOf(3)].toSorted());
  state.close();
});

test("follow() tells nothing more once it has been ended", async () => {
  const ground = testGround();
  const state = stateOf(ground);
  await state.start();
  const consumer = new TestConsumer();
  state.follow(consumer, "edge-1")();
  const { length } = consumer.calls;
  await ground.store.commit([revoking(1)]);
  await state.refresh();
  assert.equal(consumer.calls.length, length);
  state.close();
});

test("asOfMs stands still while the store cannot be read, and goes on after it", async () => {
  const ground = testGround();
  const state = stateOf(ground);
  await state.start();
  assert.equal(state.asOfMs, T0);
  ground.store.away = true;
  ground.clock.advance(5000);
  await state.refresh();
  assert.equal(state.asOfMs, T0);
  assert.match(ground.log.said.join(), /nothing is vouched for/);
  ground.store.away = false;
  await state.refresh();
  assert.equal(state.asOfMs, T0 + 5000);
  assert.match(ground.log.said.join(), /can be read again/);
  state.close();
});

test("asOfMs stands still when a reading never ends, and the next one is not held up", async () => {
  const ground = testGround();
  const state = stateOf(ground);
  await state.start();
  const now = ground.store.now.bind(ground.store);
  let hang = true;
  ground.store.now = () => (hang ? new Promise(() => {}) : now());
  const reading = state.refresh();
  ground.clock.advance(10_000);
  hang = false;
  assert.equal(state.asOfMs, T0);
  // The reading is given up, and another one was due meanwhile.
  ground.timers.runAll();
  await reading;
  assert.equal(state.asOfMs, T0 + 10_000);
  state.close();
});

test("refresh() vouches for nothing while a revocation cannot be read", async () => {
  const ground = testGround();
  const state = stateOf(ground);
  await state.start();
  ground.clock.advance(1000);
  await ground.store.commit([{ collection: "revocations", id: digestOf(9), body: { later: 1 } }]);
  await state.refresh();
  assert.equal(state.asOfMs, T0);
  // Once it is gone the state is whole again.
  await ground.store.commit([lifting(9)]);
  await state.refresh();
  assert.equal(state.asOfMs, T0 + 1000);
  state.close();
});

test("refresh() reads everything anew after a gap and in a new epoch", async () => {
  const ground = testGround();
  await ground.store.commit([revoking(1), revoking(2)]);
  const state = stateOf(ground);
  await state.start();
  const consumer = new TestConsumer();
  state.follow(consumer, "edge-1");
  ground.store.away = true;
  await state.refresh();
  ground.store.away = false;
  const changes = ground.store.changes.bind(ground.store);
  let gaps = 0;
  ground.store.changes = async (since, limit) => {
    gaps += 1;
    return { ...(await changes(since, limit)), gap: gaps === 1 };
  };
  await ground.store.commit([lifting(1)]);
  await state.refresh();
  assert.equal(gaps, 1);
  assert.equal(consumer.calls.filter((call) => call === "reset").length, 2);
  assert.deepEqual(consumer.digests, [digestOf(2)]);

  ground.store.epoch = () => Promise.resolve("another");
  await state.refresh();
  assert.equal(consumer.at?.epoch, "another");
  assert.equal(consumer.calls.filter((call) => call === "reset").length, 3);
  state.close();
});

test("refresh() vouches for nothing where the store went back within its epoch", async () => {
  const ground = testGround();
  await ground.store.commit([revoking(1)]);
  const state = stateOf(ground);
  await state.start();
  ground.clock.advance(1000);
  ground.store.now = () => Promise.resolve({ number: 0, timeMs: ground.clock.now() });
  await state.refresh();
  assert.equal(state.asOfMs, T0);
  state.close();
});

test("refresh() vouches for nothing either once the number has caught up, until there is another epoch", async () => {
  const ground = testGround();
  await ground.store.commit([revoking(1)]);
  await ground.store.commit([revoking(2)]);
  const state = stateOf(ground);
  await state.start();
  const now = ground.store.now.bind(ground.store);
  ground.clock.advance(1000);
  ground.store.now = () => Promise.resolve({ number: 1, timeMs: ground.clock.now() });
  await state.refresh();
  ground.store.now = now;
  await ground.store.commit([revoking(3)]);
  await state.refresh();
  assert.equal(state.asOfMs, T0);
  ground.store.epoch = () => Promise.resolve("another");
  await state.refresh();
  assert.equal(state.asOfMs, T0 + 1000);
  assert.equal(state.size, 3);
  state.close();
});

test("settings follow keys, authorities and who is disabled", async () => {
  const ground = testGround();
  const state = stateOf(ground);
  await state.start();
  const consumer = new TestConsumer();
  state.follow(consumer, "edge-1");
  const before = state.settingsDigest;
  ground.keys.rotate();
  assert.deepEqual(consumer.keys, ground.keys.published());
  assert.notEqual(state.settingsDigest, before);
  await ground.store.commit([{ collection: "workloads", id: "edge-9", body: { disabled: true } }]);
  await state.refresh();
  assert.deepEqual(consumer.disabled, ["edge-9"]);
  await ground.store.commit([{ collection: "workloads", id: "edge-9", body: { disabled: false } }]);
  await state.refresh();
  assert.deepEqual(consumer.disabled, []);
  state.close();
});

test("settings give each follower the bundle of the first assignment that matches", async () => {
  const ground = testGround();
  const bundle = (name: string): string => `sha256-${name.repeat(42)}A`;
  let assignments = [
    { proxy: "edge-1", bundle: bundle("a") },
    { proxy: "edge-*", bundle: bundle("b") },
  ];
  let tell = (): void => {};
  const state = createAuthorityState({
    ...ground,
    bundles: {
      assignments: () => assignments,
      changed(listener) {
        tell = listener;
        return () => {};
      },
    },
  });
  await state.start();
  const [one, two, none] = [new TestConsumer(), new TestConsumer(), new TestConsumer()];
  state.follow(one, "edge-1");
  state.follow(two, "edge-2");
  state.follow(none, "inner");
  assert.deepEqual([one.bundle, two.bundle, none.bundle], [bundle("a"), bundle("b"), ""]);
  const { length } = two.calls;
  assignments = [{ proxy: "*", bundle: bundle("b") }];
  tell();
  assert.deepEqual([one.bundle, two.bundle, none.bundle], [bundle("b"), bundle("b"), bundle("b")]);
  assert.equal(two.calls.length, length + 1);
  state.close();
});
