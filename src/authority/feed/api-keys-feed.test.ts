/**
 * API keys over the feed: what a follower knows of them at every moment, and that nobody vouches for
 * them who does not tell of them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MAC, madeEntry } from "../../../test/keys/api-keys.ts";
import { digestOf, revoking, T0 } from "../../../test/authority/feed-kit.ts";
import {
  FeedGround,
  keeping,
  KEEPING_MAC,
  removing,
  type TestFollower,
} from "../../../test/authority/feed-ground.ts";
import { isJsonObject, parseJson } from "../../model/json.ts";
import { packApiKeys, readApiKeyIds, unpackApiKeys } from "./api-key-pack.ts";
import { fetchBytes, postBytes } from "./feed-client.ts";
import { KEY_USES_LIMITS, readKeyUses, writeKeyUses } from "./key-uses.ts";
import { systemTimers } from "../../platform/timers.ts";
import { isFrameFault, readPayload, writePayload } from "./feed-frames.ts";

const [ONE, TWO, THREE] = [
  madeEntry({ subject: "one" }),
  madeEntry({ subject: "two", scopes: ["a"] }),
  madeEntry({ subject: "three" }),
];

function ids({ consumer }: TestFollower): string[] {
  return [...consumer.apiKeys.keys()].toSorted();
}

/** Vouched for again, after whatever was said by now. */
async function fresh({ consumer }: TestFollower): Promise<void> {
  const before = Math.max(consumer.asOfMs, Date.now());
  await consumer.until(() => consumer.asOfMs > before);
}

async function following(ground: FeedGround, urls: readonly string[]): Promise<TestFollower> {
  const follower = await ground.follower("edge-1", urls);
  await follower.follower.start();
  await follower.consumer.until(() => follower.consumer.asOfMs > 0);
  return follower;
}

test("a follower knows the keys that there are, each change of one, and the MAC key", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([KEEPING_MAC]);
  await ground.store.commit([keeping(ONE), keeping(TWO), revoking(1)]);
  const authority = await ground.authority();
  const follower = await following(ground, [authority.url]);
  assert.deepEqual(ids(follower), [ONE.id, TWO.id].toSorted());
  assert.equal(follower.consumer.apiKeyMac, MAC);
  assert.deepEqual(follower.consumer.digests, [digestOf(1)]);
  assert.deepEqual(follower.consumer.apiKeys.get(TWO.id), TWO.entry);
  const revoked = { ...TWO, entry: { ...TWO.entry, revoked: true } };
  await ground.store.commit([removing(ONE), keeping(revoked)]);
  await ground.store.commit([keeping(THREE)]);
  await follower.consumer.until(() => follower.consumer.apiKeys.has(THREE.id));
  assert.deepEqual(ids(follower), [TWO.id, THREE.id].toSorted());
  assert.equal(follower.consumer.apiKeys.get(TWO.id)?.revoked, true);
  assert.equal(follower.consumer.calls.filter((call) => call === "reset").length, 1);
});

test("the first key brings a follower to ask for all anew, once", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([revoking(1)]);
  const authority = await ground.authority();
  const follower = await following(ground, [authority.url]);
  await ground.store.commit([KEEPING_MAC]);
  await ground.store.commit([keeping(ONE)]);
  await follower.consumer.until(() => follower.consumer.apiKeys.has(ONE.id));
  await fresh(follower);
  await ground.store.commit([keeping(TWO), revoking(2)]);
  await follower.consumer.until(() => follower.consumer.apiKeys.has(TWO.id));
  await fresh(follower);
  assert.deepEqual(ids(follower), [ONE.id, TWO.id].toSorted());
  assert.deepEqual(follower.consumer.digests, [digestOf(1), digestOf(2)].toSorted());
  assert.equal(follower.consumer.calls.filter((call) => call === "reset").length, 2);
});

test("a follower keeps keys on its disk, and resumes there", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([KEEPING_MAC]);
  await ground.store.commit([keeping(ONE)]);
  const authority = await ground.authority();
  const first = await following(ground, [authority.url]);
  await ground.store.commit([keeping(TWO)]);
  await first.consumer.until(() => first.consumer.apiKeys.has(TWO.id));
  await first.follower.close();
  await authority.stop();
  const gone = await ground.follower("edge-1", [authority.url], { folder: first.folder });
  await gone.follower.start();
  assert.deepEqual(ids(gone), [ONE.id, TWO.id].toSorted());
  assert.equal(gone.consumer.apiKeyMac, MAC);
  await gone.follower.close();
  // What changed meanwhile comes by a bridge from the store.
  await ground.store.commit([removing(ONE), keeping(THREE)]);
  const later = await ground.authority();
  const again = await ground.follower("edge-1", [later.url], { folder: first.folder });
  await again.follower.start();
  await again.consumer.until(() => again.consumer.asOfMs > 0);
  assert.deepEqual(ids(again), [TWO.id, THREE.id].toSorted());
  assert.match(later.metrics.render().body, /sallyport_feed_openings_total\{how="bridged"\} 1/);
});

test("a relay passes keys on", async () => {
  await using ground = new FeedGround();
  const authority = await ground.authority();
  const relay = await ground.follower("relay-1", [authority.url], { relay: true });
  await relay.follower.start();
  await relay.consumer.until(() => relay.consumer.asOfMs > 0);
  const served = await ground.serve(relay.follower.source, {
    identity: ground.identity("relay-1"),
    bundle: (wanted, name) => relay.follower.bundleOf(wanted, name),
    disabled: () => relay.follower.settings?.disabled ?? [],
  });
  const edge = await following(ground, [served.url]);
  await ground.store.commit([KEEPING_MAC]);
  await ground.store.commit([keeping(ONE)]);
  await edge.consumer.until(() => edge.consumer.apiKeys.has(ONE.id));
  await ground.store.commit([keeping(TWO)]);
  await edge.consumer.until(() => edge.consumer.apiKeys.has(TWO.id));
  await fresh(edge);
  assert.equal(edge.consumer.apiKeyMac, MAC);
  await served.listener.close(0);
});

test("an authority that does not know of keys vouches for nothing to who does", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([KEEPING_MAC]);
  await ground.store.commit([keeping(ONE)]);
  const old = await ground.authority({ apiKeys: false });
  const present = await ground.authority();
  const follower = await following(ground, [present.url]);
  await follower.follower.close();
  // It comes to the old one with what it knows: refused, as often as it comes.
  const again = await ground.follower("edge-1", [old.url, present.url], {
    folder: follower.folder,
  });
  await again.follower.start();
  await again.consumer.until(() => again.consumer.asOfMs > 0);
  const revoked = { ...ONE, entry: { ...ONE.entry, revoked: true } };
  await ground.store.commit([keeping(revoked)]);
  await again.consumer.until(() => again.consumer.apiKeys.get(ONE.id)?.revoked === true);
  // What is known is kept while it is refused: it goes on from there at the next one.
  assert.match(
    again.metrics.render().body,
    /sallyport_feed_refused_total\{reason="version"\} [1-9]/,
  );
  assert.equal(again.consumer.calls.filter((call) => call === "reset").length, 1);
  await again.follower.close();
  const alone = await ground.follower("edge-1", [old.url], { folder: follower.folder });
  await alone.follower.start();
  while (alone.follower.detail().lastError === undefined) await new Promise(setImmediate);
  assert.match(alone.follower.detail().lastError ?? "", /version/);
  assert.equal(alone.consumer.asOfMs, 0);
});

test("who began at an authority that does not know of keys is told of them by the next", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([KEEPING_MAC]);
  await ground.store.commit([keeping(ONE)]);
  const old = await ground.authority({ apiKeys: false });
  const follower = await following(ground, [old.url]);
  assert.deepEqual(ids(follower), []);
  await follower.follower.close();
  await old.stop();
  const present = await ground.authority();
  const again = await ground.follower("edge-1", [present.url], { folder: follower.folder });
  await again.follower.start();
  await again.consumer.until(() => again.consumer.asOfMs > 0);
  assert.deepEqual(ids(again), [ONE.id]);
});

test("a key in the store that cannot be read is good for nothing, and harms no other", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([KEEPING_MAC]);
  await ground.store.commit([keeping(ONE), keeping(TWO)]);
  const authority = await ground.authority();
  const follower = await following(ground, [authority.url]);
  await ground.store.commit([{ collection: "api-keys", id: ONE.id, body: { later: true } }]);
  await follower.consumer.until(() => !follower.consumer.apiKeys.has(ONE.id));
  await fresh(follower);
  assert.deepEqual(ids(follower), [TWO.id]);
});

test("many keys come in parts, and many changes in steps, that each fit into a frame", async () => {
  await using ground = new FeedGround();
  await ground.store.commit([KEEPING_MAC]);
  const many = Array.from({ length: 6000 }, (_, index) =>
    madeEntry({ subject: `owner-${index}`, attributes: { text: "x".repeat(index % 50) } }),
  );
  const [before, after] = [many.slice(0, 5000), many.slice(5000)];
  for (let at = 0; at < before.length; at += 1000) {
    await ground.store.commit(before.slice(at, at + 1000).map(keeping));
  }
  const authority = await ground.authority();
  const follower = await following(ground, [authority.url]);
  assert.equal(follower.consumer.apiKeys.size, 5000);
  for (let at = 0; at < after.length; at += 10) {
    await ground.store.commit(after.slice(at, at + 10).map(keeping));
  }
  await follower.consumer.until(() => follower.consumer.apiKeys.size === 6000);
  await fresh(follower);
  for (const { id, entry } of many) assert.deepEqual(follower.consumer.apiKeys.get(id), entry);
});

test("a follower tells which keys were used, and nothing else is taken for that", async () => {
  await using ground = new FeedGround();
  const authority = await ground.authority();
  const follower = await following(ground, [authority.url]);
  const uses = [{ id: ONE.id, atMs: T0 }];
  await follower.follower.report(uses);
  assert.deepEqual(ground.uses, uses);
  const identity = ground.identity("edge-1");
  const url = new URL("/key-uses", authority.url);
  const post = (body: string) =>
    postBytes(url, identity, { body: Buffer.from(body), timers: systemTimers });
  for (const body of [
    "",
    "{}",
    '{"uses":[["x",1]]}',
    `{"uses":[["${ONE.id}",-1]]}`,
    `{"uses":[["${ONE.id}"]]}`,
  ]) {
    await assert.rejects(post(body), /400 \(malformed\)/);
  }
  const stranger = ground.identity("billing", "workload");
  const foreign = postBytes(url, stranger, { body: writeKeyUses(uses), timers: systemTimers });
  await assert.rejects(foreign, /403 \(not-a-proxy\)/);
  await assert.rejects(
    fetchBytes(url, identity, { maxBytes: 100, timers: systemTimers }),
    /405 \(method-not-allowed\)/,
  );
  assert.deepEqual(ground.uses, uses);
});

test("readKeyUses() gives back what writeKeyUses() was given, up to its bound", () => {
  const uses = Array.from({ length: 10_001 }, (_, atMs) => ({ id: ONE.id, atMs }));
  const bytes = writeKeyUses(uses);
  assert.ok(bytes.length < KEY_USES_LIMITS.body);
  assert.deepEqual(readKeyUses(bytes), uses.slice(0, 10_000));
});

const SECOND = 1000;
const entryArbitrary = fc
  .record({
    subject: fc.string({ minLength: 1, maxLength: 40 }),
    scopes: fc.array(fc.string({ maxLength: 9 }), { maxLength: 2 }),
    createdMs: fc.integer({ min: 1, max: 4_000_000_000 }).map((seconds) => seconds * SECOND),
    expiresMs: fc.integer({ min: 1, max: 4_000_000_000 }).map((seconds) => seconds * SECOND),
    revoked: fc.boolean(),
  })
  .map((given) => madeEntry(given).entry);

test("unpackApiKeys() gives back what packApiKeys() was given, through JSON", () => {
  fc.assert(
    fc.property(fc.array(entryArbitrary, { maxLength: 8 }), (entries) => {
      const value = parseJson(JSON.stringify(packApiKeys(entries)));
      assert.ok(isJsonObject(value));
      assert.deepEqual(unpackApiKeys(value), entries);
    }),
  );
});

test("unpackApiKeys() takes nothing else", () => {
  const { apiKeys, profiles } = packApiKeys([ONE.entry]);
  const [entry = []] = apiKeys;
  const [digest = "", subject = "", place = 0, created = 0, expires = 0] = entry;
  const bad: readonly (readonly unknown[])[] = [
    [],
    [digest, subject, place, created],
    [digest, subject, place, created, expires, 0],
    [digest, subject, place, created, expires, true],
    [digest, subject, place, created, expires, 1, 1],
    [String(digest).slice(1), subject, place, created, expires],
    [`${String(digest).slice(0, -1)}_`, subject, place, created, expires],
    [digest, 1, place, created, expires],
    [digest, "x".repeat(257), place, created, expires],
    [digest, subject, 1, created, expires],
    [digest, subject, -1, created, expires],
    [digest, subject, "0", created, expires],
    [digest, subject, place, 0, expires],
    [digest, subject, place, created, 1.5],
    [digest, subject, place, created, 2 ** 32],
    [digest, subject, place, created, null],
  ];
  const unpack = (value: object) => {
    const read = parseJson(JSON.stringify(value));
    assert.ok(isJsonObject(read));
    return unpackApiKeys(read);
  };
  assert.ok(unpack({ apiKeys, profiles }));
  for (const one of bad) assert.equal(unpack({ apiKeys: [one], profiles }), undefined);
  for (const other of [
    { apiKeys, profiles: [] },
    { apiKeys, profiles: [1] },
    { apiKeys, profiles: ["x".repeat(4097)] },
    { apiKeys, profiles: [...profiles, "{}"] },
    { apiKeys: {}, profiles },
    { apiKeys },
    { profiles },
  ]) {
    assert.equal(unpack(other), undefined, JSON.stringify(other).slice(0, 80));
  }
  assert.equal(readApiKeyIds(["x"], 9), undefined);
  assert.equal(readApiKeyIds([ONE.id, TWO.id], 1), undefined);
  assert.deepEqual(readApiKeyIds([ONE.id], 1), [ONE.id]);
});

test("frames of version 1 carry no keys, and those of version 2 have to say which", () => {
  const at = { epoch: "epoch-1", asOf: T0, before: 1, number: 2 } as const;
  const change = { kind: "change", ...at, revocations: [], lifted: [] } as const;
  assert.throws(() => writePayload({ ...change, apiKeys: [ONE.entry] }), TypeError);
  const read = (value: object) => readPayload(Buffer.from(JSON.stringify(value)));
  const [one, two] = [
    change,
    { ...change, v: 2, apiKeys: [ONE.entry], apiKeysGone: [TWO.id] } as const,
  ].map((frame) => JSON.parse(writePayload(frame)) as Record<string, unknown>);
  assert.ok(one !== undefined && two !== undefined);
  const frame = read(two);
  assert.ok(frame !== undefined && !isFrameFault(frame) && frame.kind === "change");
  assert.deepEqual([frame.apiKeys, frame.apiKeysGone], [[ONE.entry], [TWO.id]]);
  for (const other of [
    { ...one, v: 2 },
    { ...two, v: 1 },
    { ...two, apiKeys: undefined },
    { ...two, profiles: undefined },
    { ...two, apiKeysGone: undefined },
    { ...two, apiKeysGone: ["x"] },
    { ...two, more: 1 },
  ]) {
    assert.deepEqual(read(other), { reason: "malformed" });
  }
  assert.deepEqual(read({ ...two, v: 3 }), { reason: "version" });
});
