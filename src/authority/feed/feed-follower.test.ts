import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf, lifting, revoking } from "../../../test/authority/feed-kit.ts";
import { FeedGround } from "../../../test/authority/feed-ground.ts";
import { PlainServer } from "../../../test/authority/plain-server.ts";
import { systemClock } from "../../platform/clock.ts";
import { systemTimers } from "../../platform/timers.ts";
import { createIssuedIdentity } from "./server-identity.ts";

test("a follower knows what the authority knows, and each change, over TLS", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([revoking(1), revoking(2)]);
  const authority = await ground.authority();
  const { follower, consumer } = await ground.follower("edge-1", [authority.url]);
  await follower.start();
  await consumer.until(() => consumer.asOfMs > 0);
  assert.deepEqual(consumer.digests, [digestOf(1), digestOf(2)].toSorted());
  assert.deepEqual(consumer.authorities, [ground.ca.pem]);
  await ground.store.commit([revoking(3), lifting(1)]);
  await consumer.until(() => consumer.revocations.has(digestOf(3)));
  assert.deepEqual(consumer.digests, [digestOf(2), digestOf(3)].toSorted());
  const { connected, position, stalenessMs = Infinity } = follower.detail();
  assert.equal(connected, true);
  assert.deepEqual(position, authority.state.position());
  assert.ok(stalenessMs < 5000);
  assert.equal(authority.feed.followers, 1);
});

test("a follower resumes where it stood when its authority comes back", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([revoking(1)]);
  const first = await ground.authority();
  const second = await ground.authority();
  const { follower, consumer, metrics } = await ground.follower("edge-1", [first.url, second.url]);
  await follower.start();
  await consumer.until(() => consumer.asOfMs > 0);
  const [served, other] = first.feed.followers === 1 ? [first, second] : [second, first];
  await served.stop();
  const before = consumer.asOfMs;
  await ground.store.commit([revoking(2)]);
  await consumer.until(() => consumer.asOfMs > before && consumer.revocations.size === 2);
  assert.equal(consumer.calls.filter((call) => call === "reset").length, 1);
  assert.equal(other.feed.followers, 1);
  assert.match(metrics.render().body, /sallyport_feed_connected 1/);
});

test("a follower comes up to date through a bridge where an authority began after it", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([revoking(1)]);
  const first = await ground.authority();
  const { follower, consumer, folder } = await ground.follower("edge-1", [first.url]);
  await follower.start();
  await consumer.until(() => consumer.asOfMs > 0);
  await follower.close();
  await first.stop();
  await ground.store.commit([revoking(2), lifting(1)]);
  await ground.store.commit([revoking(3)]);
  const second = await ground.authority();
  const again = await ground.follower("edge-1", [second.url], { folder });
  await again.follower.start();
  assert.deepEqual(again.consumer.digests, [digestOf(1)]);
  await again.consumer.until(() => again.consumer.asOfMs > 0);
  assert.deepEqual(again.consumer.digests, [digestOf(2), digestOf(3)].toSorted());
  assert.match(second.metrics.render().body, /sallyport_feed_openings_total\{how="bridged"\} 1/);
});

test("a follower starts from its disk while the authority is away, and vouches for nothing", async () => {
  await using ground = new FeedGround();
  ground.publish("bundle one");
  await ground.store.commit([revoking(1)]);
  const authority = await ground.authority();
  const { follower, consumer, folder, taken } = await ground.follower("edge-1", [authority.url]);
  await follower.start();
  await consumer.until(() => consumer.asOfMs > 0 && taken.length === 1);
  await ground.store.commit([revoking(2)]);
  await consumer.until(() => consumer.revocations.size === 2);
  while (follower.detail().bundle !== "running") await new Promise(setImmediate);
  await follower.close();
  await authority.stop();
  assert.equal((await stat(join(folder, "state"))).mode & 0o777, 0o600);

  const again = await ground.follower("edge-1", [authority.url], { folder });
  await again.follower.start();
  assert.deepEqual(again.consumer.digests, [digestOf(1), digestOf(2)].toSorted());
  assert.deepEqual(
    again.consumer.keys.map(({ kid }) => kid),
    ground.keys.published().map(({ kid }) => kid),
  );
  assert.deepEqual(again.taken, ["bundle one"]);
  assert.equal(again.consumer.asOfMs, 0);
  const detail = again.follower.detail();
  assert.deepEqual([detail.connected, detail.stalenessMs], [false, undefined]);
});

test("a follower believes nothing of a state file that was changed", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([revoking(1)]);
  const authority = await ground.authority();
  const { follower, consumer, folder } = await ground.follower("edge-1", [authority.url]);
  await follower.start();
  await consumer.until(() => consumer.asOfMs > 0);
  await follower.close();
  const path = join(folder, "state");
  const lines = (await readFile(path, "latin1")).split("\n");
  const snapshot = lines[2] ?? "";
  lines[2] = `${snapshot.slice(0, 200)}${snapshot[200] === "A" ? "B" : "A"}${snapshot.slice(201)}`;
  await writeFile(path, lines.join("\n"));
  const again = await ground.follower("edge-1", [authority.url], { folder });
  await again.follower.start();
  assert.match(again.log.said.join(), /cannot be verified/);
  await again.consumer.until(() => again.consumer.asOfMs > 0);
  assert.deepEqual(again.consumer.digests, [digestOf(1)]);
});

test("a follower takes each bundle that is named for it, and goes on with the last good one", async () => {
  await using ground = new FeedGround();
  ground.publish("good");
  const authority = await ground.authority();
  const tried: string[] = [];
  const takeBundle = (_hash: string, bytes: Uint8Array): Promise<void> => {
    tried.push(Buffer.from(bytes).toString());
    return tried.at(-1) === "bad" ? Promise.reject(new Error("bad")) : Promise.resolve();
  };
  const { follower, consumer, log } = await ground.follower("edge-1", [authority.url], {
    takeBundle,
  });
  await follower.start();
  while (follower.detail().bundle !== "running") await new Promise(setImmediate);
  const good = follower.detail().bundleHash;
  ground.publish("bad");
  while (follower.detail().bundle !== "refused") await new Promise(setImmediate);
  assert.equal(follower.detail().bundleHash, good);
  assert.match(log.said.join(), /does not validate on this proxy/);
  ground.publish("better");
  while (follower.detail().bundle !== "running") await new Promise(setImmediate);
  assert.deepEqual(tried, ["good", "bad", "better"]);
  assert.equal(consumer.bundle, follower.detail().bundleHash);
});

test("a follower whose certificate is disabled, unknown or of another kind is not served", async () => {
  await using ground = new FeedGround();
  const authority = await ground.authority();
  const { follower, consumer } = await ground.follower("edge-1", [authority.url]);
  await follower.start();
  await consumer.until(() => consumer.asOfMs > 0);
  await ground.store.commit([{ collection: "workloads", id: "edge-1", body: { disabled: true } }]);
  while (follower.detail().lastError === undefined || follower.detail().connected) {
    await new Promise(setImmediate);
  }
  while (!/\(disabled\): .*workloads enable/.test(follower.detail().lastError ?? ""))
    await new Promise(setImmediate);

  const identity = ground.identity("billing", "workload");
  const service = await ground.follower("billing", [authority.url], { identity });
  await service.follower.start();
  while (!/not-a-proxy.*--kind proxy/.test(service.follower.detail().lastError ?? "")) {
    await new Promise(setImmediate);
  }
  assert.deepEqual(service.consumer.calls, []);
});

test("a follower believes no server but one that its authorities vouch for", async () => {
  await using ground = new FeedGround();
  await using stranger = new FeedGround();
  const authority = await stranger.authority();
  const { follower, consumer } = await ground.follower("edge-1", [authority.url]);
  await follower.start();
  while (follower.detail().lastError === undefined) await new Promise(setImmediate);
  assert.match(follower.detail().lastError ?? "", /not by an authority.*enrolled anew/);
  assert.deepEqual(consumer.calls, []);
});

test("a follower says what to do about a port or a name that is the wrong one", async () => {
  await using ground = new FeedGround();
  const authority = await ground.authority();
  const elsewhere = await ground.serve(authority.publisher, {
    identity: createIssuedIdentity(["elsewhere.internal"], {
      ca: ground.ca,
      clock: systemClock,
      timers: systemTimers,
      log: ground.log,
    }),
    bundle: () => Promise.resolve(undefined),
    disabled: () => [],
  });
  await using plain = new PlainServer();
  await using mute = new PlainServer("mute");
  for (const [url, says] of [
    [await plain.url(), /does not speak TLS; is it authority\.serve/],
    [await mute.url(), /the connection was closed/],
    [elsewhere.url, /one of authority\.serve\.names/],
  ] as const) {
    const { follower } = await ground.follower("edge-1", [url]);
    await follower.start();
    while (follower.detail().lastError === undefined) await new Promise(setImmediate);
    assert.match(follower.detail().lastError ?? "", says);
    await follower.close();
  }
  await elsewhere.listener.close(0);
});

test("a relay passes the feed and its bundle on, and holds nothing up", async () => {
  await using ground = new FeedGround();
  const hash = ground.publish("bundle");
  await ground.store.commit([revoking(1)]);
  const authority = await ground.authority();
  const relay = await ground.follower("relay-1", [authority.url], { relay: true });
  await relay.follower.start();
  await relay.consumer.until(() => relay.consumer.asOfMs > 0);
  const served = await ground.serve(relay.follower.source, {
    identity: ground.identity("relay-1"),
    bundle: (wanted, name) => relay.follower.bundleOf(wanted, name),
    disabled: () => relay.follower.settings?.disabled ?? [],
  });
  while (relay.follower.detail().bundle !== "running") await new Promise(setImmediate);
  const edge = await ground.follower("edge-1", [served.url]);
  await edge.follower.start();
  await edge.consumer.until(() => edge.consumer.asOfMs > 0);
  assert.deepEqual(edge.consumer.digests, [digestOf(1)]);
  await ground.store.commit([revoking(2)]);
  await edge.consumer.until(() => edge.consumer.revocations.has(digestOf(2)));
  while (edge.follower.detail().bundle !== "running") await new Promise(setImmediate);
  assert.equal(edge.follower.detail().bundleHash, hash);
  assert.deepEqual(edge.taken, ["bundle"]);
  // What it vouches for is what the authority said, to the millisecond.
  await edge.consumer.until(() => edge.consumer.asOfMs === relay.consumer.asOfMs);

  // When the authority is gone the relay has nothing to vouch with.
  await authority.stop();
  const { asOfMs } = relay.consumer;
  await ground.store.commit([revoking(3)]);
  assert.ok(edge.consumer.asOfMs <= asOfMs);
  assert.equal(edge.consumer.revocations.has(digestOf(3)), false);
  await served.listener.close(0);
});

test("a follower asks for a new snapshot when changes have piled up, and loses nothing by it", async () => {
  await using ground = new FeedGround();
  const authority = await ground.authority();
  const { follower, consumer, folder } = await ground.follower("edge-1", [authority.url], {
    relay: true,
  });
  await follower.start();
  await consumer.until(() => consumer.asOfMs > 0);
  const first = (await follower.source.snapshot()).number;
  // Each of them is lifted again: some 5 MB of changes that leave next to nothing.
  const indexes = Array.from({ length: 1000 }, (_, index) => index);
  for (let round = 0; round < 121; round++) {
    await ground.store.commit(indexes.map(round % 2 === 0 ? revoking : lifting));
    // So that each is a change of its own.
    await authority.state.refresh();
  }
  const { number } = authority.state.position();
  await consumer.until(() => consumer.at?.number === number && consumer.calls.at(-1) === "current");
  while ((follower.source.log.snapshot?.number ?? first) === first) {
    await new Promise(setImmediate);
  }
  const kept = async (): Promise<number> => {
    const { size } = await stat(join(folder, "state")).catch(() => ({ size: Infinity }));
    return size;
  };
  while ((await kept()) > 3_000_000) await new Promise(setImmediate);
  assert.equal(consumer.calls.filter((call) => call === "reset").length, 1);
  const snapshot = await follower.source.snapshot();
  assert.ok(snapshot.number > 0 && snapshot.bytes < 200_000);
  await ground.store.commit([revoking(5000)]);
  await consumer.until(() => consumer.revocations.has(digestOf(5000)));
  await follower.close();
  const again = await ground.follower("edge-1", [authority.url], { folder });
  await again.follower.start();
  assert.deepEqual(again.consumer.digests, consumer.digests);
  assert.equal(again.consumer.revocations.size, 1001);
});
