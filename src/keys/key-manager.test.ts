import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  DAY,
  ground,
  type Ground,
  HOUR,
  MINUTE,
  replica,
  type Replica,
  START,
  testSealer,
} from "../../test/keys/kit.ts";
import { readKeySet } from "../crypto/jwk.ts";
import { readJws, verifyJws } from "../crypto/jws.ts";
import { signJws } from "../crypto/sign-jws.ts";
import { SallyportError } from "../model/errors.ts";
import { KEY_USES, type PublishedKey } from "../model/signing.ts";
import { ManualClock } from "../platform/clock.ts";
import { PUBLISH_AHEAD_MS } from "./key-policy.ts";

async function started(on: Ground, given: Parameters<typeof replica>[1] = {}): Promise<Replica> {
  const made = replica(on, given);
  await made.keys.start();
  return made;
}

const kids = (keys: readonly PublishedKey[], use?: string): string[] =>
  keys.filter((key) => use === undefined || key.use === use).map(({ kid }) => kid);

/** Advances in steps, letting the replicas do what is due after each. */
async function pass(on: Ground, ms: number, replicas: readonly Replica[]): Promise<void> {
  const step = 10 * MINUTE;
  for (let passed = 0; passed < ms; passed += step) {
    on.clock.advance(Math.min(step, ms - passed));
    for (const one of replicas) await one.settle();
  }
}

function textOf(value: unknown): string {
  assert.ok(typeof value === "string");
  return value;
}

const code =
  (wanted: string) =>
  (error: unknown): boolean =>
    error instanceof SallyportError && error.code === wanted;

test("start() makes one key for each use, which signs at once", async () => {
  const { keys } = await started(ground());
  const published = keys.published();
  assert.deepEqual(
    published.map(({ use }) => use),
    [...KEY_USES],
  );
  assert.equal(new Set(kids(published)).size, KEY_USES.length);
  for (const use of KEY_USES) {
    const signer = keys.signer(use);
    const jws = readJws(signJws(signer, { typ: "x" }, { use }));
    const [found] = readKeySet({
      keys: [published.find((key) => key.kid === signer.kid)?.jwk ?? null],
    }).keys;
    assert.ok("claims" in jws && found !== undefined);
    assert.equal(verifyJws(jws, signer.algorithm, found), true);
    assert.equal(published.find((key) => key.kid === signer.kid)?.use, use);
  }
});

test("start() of several replicas at once comes to the same keys", async () => {
  const on = ground();
  const replicas = Array.from({ length: 5 }, () => replica(on));
  await Promise.all(replicas.map(({ keys }) => keys.start()));
  const [first, ...others] = replicas.map(({ keys }) => kids(keys.published()));
  assert.equal(first?.length, KEY_USES.length);
  for (const other of others) assert.deepEqual(other, first);
});

test("a replica that is started again goes on with the keys that are there", async () => {
  const on = ground();
  const before = await started(on);
  const known = kids(before.keys.published());
  await before.keys.close();
  const after = await started(on);
  assert.deepEqual(kids(after.keys.published()), known);
  assert.equal(after.keys.signer("tokens").kid, known[0]);
});

test("a key is published ahead of its use, used, retired, erased and removed, by itself", async () => {
  const on = ground();
  const one = await started(on);
  const first = one.keys.signer("tokens").kid;
  await pass(on, DAY - PUBLISH_AHEAD_MS, [one]);
  const [, second] = kids(one.keys.published(), "tokens");
  assert.ok(second !== undefined, "the next key is published before its time");
  assert.equal(one.keys.signer("tokens").kid, first, "and not used before it");
  await pass(on, PUBLISH_AHEAD_MS, [one]);
  assert.equal(one.keys.signer("tokens").kid, second);
  assert.deepEqual(kids(one.keys.published(), "tokens"), [first, second]);

  // Retired half a day after its successor began, removed when all that it signed is over.
  await pass(on, DAY / 2 + 5 * MINUTE, [one]);
  const document = await on.store.get("signing-keys", "tokens.000001");
  assert.ok(document !== undefined);
  assert.deepEqual(kids(one.keys.published(), "tokens"), [first, second]);
  const opened = testSealer().open(
    textOf(document.body?.["sealed"]),
    "signing-keys/tokens.000001/sealed",
  );
  assert.equal(JSON.parse(opened.toString()).private, undefined, "its private half is erased");

  await pass(on, 10 * MINUTE, [one]);
  assert.ok(!kids(one.keys.published()).includes(first));
  assert.equal(await on.store.get("signing-keys", "tokens.000001"), undefined);
});

test("keys go on by themselves for days without a gap, a few at a time", async () => {
  const on = ground();
  const one = await started(on, { options: { rotateMs: 3 * HOUR } });
  const used = new Set<string>();
  for (let day = 0; day < 6; day++) {
    await pass(on, DAY, [one]);
    used.add(one.keys.signer("tokens").kid);
    assert.ok(kids(one.keys.published(), "tokens").length <= 3);
  }
  assert.equal(used.size, 6);
});

test("checkpoints keep their keys published for more than a year", async () => {
  const on = ground();
  const one = await started(on);
  const info = one.keys.list().find(({ use }) => use === "checkpoints");
  assert.ok(info !== undefined && info.removedMs > START + 430 * DAY);
});

test("rotate() publishes the next key now and signs with it once everybody knows it", async () => {
  const on = ground();
  const one = await started(on);
  const former = one.keys.signer("tokens").kid;
  await one.keys.rotate("tokens", { emergency: false, by: "admin/ann" });
  const [, next] = kids(one.keys.published(), "tokens");
  assert.equal(one.keys.signer("tokens").kid, former);
  // Asking again while it is on its way adds nothing.
  await one.keys.rotate("tokens", { emergency: false });
  assert.equal(kids(one.keys.published(), "tokens").length, 2);
  on.clock.advance(PUBLISH_AHEAD_MS - 1);
  assert.equal(one.keys.signer("tokens").kid, former);
  on.clock.advance(1);
  assert.equal(one.keys.signer("tokens").kid, next);
  assert.ok(kids(one.keys.published()).includes(former), "what it signed still verifies");
  const info = one.keys.list().find(({ kid }) => kid === next);
  assert.deepEqual([info?.because, info?.by, info?.state], ["asked", "admin/ann", "active"]);
});

test("rotate() in an emergency leaves nothing of the use published but the new key, on every replica", async () => {
  const on = ground();
  const [one, two] = [await started(on), await started(on)];
  await pass(on, DAY - PUBLISH_AHEAD_MS, [one, two]);
  const doomed = kids(one.keys.published(), "tokens");
  assert.equal(doomed.length, 2);
  const others = kids(one.keys.published()).filter((kid) => !doomed.includes(kid));
  await one.keys.rotate("tokens", { emergency: true, by: "admin/ann" });
  assert.ok(!doomed.includes(one.keys.signer("tokens").kid), "it signs at once");
  await turn();
  for (const { keys } of [one, two]) {
    const left = kids(keys.published(), "tokens");
    assert.equal(left.length, 1);
    assert.ok(!doomed.includes(left[0] ?? ""));
    assert.equal(keys.signer("tokens").kid, left[0]);
    assert.deepEqual(
      kids(keys.published()).filter((kid) => kid !== left[0]),
      others,
      "other uses are not touched",
    );
    const info = keys.list().find(({ use }) => use === "tokens");
    assert.deepEqual([info?.because, info?.by], ["emergency", "admin/ann"]);
    assert.deepEqual(info?.replaced, doomed);
  }
});

test("rotate() of all in an emergency replaces every use in one commit", async () => {
  const on = ground();
  const one = await started(on);
  const doomed = kids(one.keys.published());
  const { number } = await on.store.now();
  await one.keys.rotate("all", { emergency: true });
  assert.equal((await on.store.now()).number, number + 1);
  const left = kids(one.keys.published());
  assert.equal(left.length, KEY_USES.length);
  assert.ok(left.every((kid) => !doomed.includes(kid)));
});

test("rotate() in an emergency by two replicas at once replaces the former keys once", async () => {
  const on = ground();
  const [one, two] = [await started(on), await started(on)];
  await Promise.all([
    one.keys.rotate("tokens", { emergency: true }),
    two.keys.rotate("tokens", { emergency: true }),
  ]);
  await turn();
  assert.deepEqual(kids(one.keys.published()), kids(two.keys.published()));
  assert.equal(kids(one.keys.published(), "tokens").length, 1);
  assert.ok(await on.store.get("signing-keys", "tokens.000002"));
  assert.equal(await on.store.get("signing-keys", "tokens.000003"), undefined);
});

test("rotate() in an emergency is done although another replica writes between its look and its commit", async () => {
  const on = ground();
  const [one, other] = [await started(on), await started(on)];
  const commit = on.store.commit.bind(on.store);
  let meanwhile: (() => Promise<void>) | undefined;
  on.store.commit = async (writes) => {
    const run = meanwhile;
    meanwhile = undefined;
    await run?.();
    return await commit(writes);
  };
  const doomed = kids(one.keys.published(), "tokens");
  meanwhile = () => other.keys.rotate("tokens", { emergency: false });
  await one.keys.rotate("tokens", { emergency: true });
  assert.equal(meanwhile, undefined);
  const left = kids(one.keys.published(), "tokens");
  assert.equal(left.length, 1);
  assert.ok(!doomed.includes(left[0] ?? ""));
  assert.equal(one.keys.list().find(({ use }) => use === "tokens")?.replaced.length, 2);
});

test("signer() signs on while the store is away, until its key is retired, and then refuses", async () => {
  const on = ground();
  const one = await started(on);
  const { kid } = one.keys.signer("tokens");
  on.store.away = true;
  await pass(on, 1.5 * DAY - 10 * MINUTE, [one]);
  assert.equal(one.keys.signer("tokens").kid, kid);
  await assert.rejects(one.keys.rotate("tokens", { emergency: true }), code("store-unavailable"));
  await pass(on, 10 * MINUTE, [one]);
  assert.throws(() => one.keys.signer("tokens"), code("signing-unavailable"));
  assert.ok(
    one.log.lines.some(({ level, event }) => level === "warn" && event.includes("cannot be kept")),
  );
  const text = one.metrics.render().body;
  assert.match(text, /sallyport_signing_key_failures_total\{reason="store-unavailable"\} [1-9]/);
  assert.match(text, /sallyport_signing_key_failures_total\{reason="no-key"\} 1/);

  on.store.away = false;
  await one.settle();
  assert.notEqual(one.keys.signer("tokens").kid, kid);
});

test("start() rejects without a store, and under another key-encryption key, and makes nothing", async () => {
  const on = ground();
  on.store.away = true;
  await assert.rejects(replica(on).keys.start(), code("store-unavailable"));
  on.store.away = false;
  await started(on);
  const { number } = await on.store.now();
  const foreign = replica(on, { sealer: testSealer(8) });
  await assert.rejects(foreign.keys.start(), code("key-encryption-failed"));
  assert.equal((await on.store.now()).number, number);
  assert.deepEqual(foreign.keys.published(), []);
  assert.throws(() => foreign.keys.signer("tokens"), code("signing-unavailable"));
});

test("a document that was not sealed by us, or was moved, is not taken for a key", async () => {
  const on = ground();
  const one = await started(on);
  const before = kids(one.keys.published());
  const genuine = await on.store.get("signing-keys", "tokens.000001");
  assert.ok(genuine?.body !== undefined);
  for (const body of [genuine.body, { sealed: "sealed:v1:0:AAAA" }, { kid: "x" }]) {
    await on.store.commit([{ collection: "signing-keys", id: "assertions.000009", body }]);
    on.clock.advance(MINUTE);
    await one.settle();
    assert.deepEqual(kids(one.keys.published()), before);
    const other = replica(on);
    await assert.rejects(other.keys.start());
  }
});

test("rotate() in an emergency takes out documents of its use that nobody can read, and no others", async () => {
  const on = ground();
  const one = await started(on);
  const [doomed = ""] = kids(one.keys.published(), "tokens");
  const junk = { collection: "signing-keys", id: "tokens.000007", body: { kid: "x" } } as const;
  await on.store.commit([junk]);
  const { number } = await on.store.now();
  const emergency = { emergency: true };
  await assert.rejects(one.keys.rotate("feed", emergency), code("store-failed"));
  await assert.rejects(one.keys.rotate("tokens", { emergency: false }), code("store-failed"));
  assert.equal((await on.store.now()).number, number, "nothing was begun");
  assert.deepEqual(kids(one.keys.published(), "tokens"), [doomed]);
  await one.keys.rotate("tokens", emergency);
  assert.ok(!kids(one.keys.published()).includes(doomed));
  assert.equal(await on.store.get("signing-keys", junk.id), undefined);
  assert.ok(await on.store.get("signing-keys", "tokens.000008"));

  await on.store.commit([{ ...junk, id: "what is this" }]);
  await assert.rejects(one.keys.rotate("tokens", emergency), code("store-failed"));
  await one.keys.rotate("all", emergency);
  assert.equal((await on.store.list("signing-keys", { limit: 100 })).length, KEY_USES.length);
  await started(on);
});

test("rotate() in an emergency under a key-encryption key that opens nothing takes out nothing", async () => {
  const on = ground();
  await started(on);
  const documents = await on.store.list("signing-keys", { limit: 100 });
  const foreign = replica(on, { sealer: testSealer(8) });
  const rotated = foreign.keys.rotate("all", { emergency: true });
  await assert.rejects(rotated, code("key-encryption-failed"));
  assert.deepEqual(await on.store.list("signing-keys", { limit: 100 }), documents);
});

test("nothing private of a key is in the store, the listing, the log or the metrics", async () => {
  const on = ground();
  const one = await started(on);
  await one.keys.rotate("all", { emergency: true });
  const documents = await on.store.list("signing-keys", { limit: 100 });
  for (const { body } of documents) assert.deepEqual(Object.keys(body ?? {}), ["sealed"]);
  const shown = JSON.stringify([one.keys.list(), one.keys.published(), one.log.lines]);
  assert.ok(!/"(?:d|private|key|sealed)":/.test(shown));
});

test("a replica whose own clock is wrong goes by the store's", async () => {
  const on = ground();
  const right = await started(on);
  const known = kids(right.keys.published());
  for (const offMs of [-400 * DAY, -2 * MINUTE, 2 * MINUTE, 400 * DAY]) {
    const clock = new ManualClock(START + offMs);
    const wrong = await started(on, { clock });
    assert.equal(wrong.keys.signer("tokens").kid, known[0]);
    assert.deepEqual(kids(wrong.keys.published()), known);
  }
  assert.deepEqual((await on.store.list("signing-keys", { limit: 100 })).length, KEY_USES.length);
});

test("a clock that jumps and comes back removes no key", async () => {
  const on = ground();
  const one = await started(on);
  const { kid } = one.keys.signer("tokens");
  const documents = await on.store.list("signing-keys", { limit: 100 });
  // Only the wall clock, of the store and of this machine.
  const real = on.clock.now.bind(on.clock);
  on.clock.now = () => real() + 400 * DAY;
  for (let round = 0; round < 4; round++) {
    on.clock.advance(MINUTE);
    await one.settle();
    assert.equal(one.keys.signer("tokens").kid, kid);
  }
  on.clock.now = real;
  await one.settle();
  assert.deepEqual(await on.store.list("signing-keys", { limit: 100 }), documents);
});

test("start() with a store whose clock is far from this machine's removes and makes nothing", async () => {
  const on = ground();
  const before = await started(on);
  const known = kids(before.keys.published());
  await before.keys.close();
  const documents = await on.store.list("signing-keys", { limit: 100 });
  const here = new ManualClock(on.clock.now());
  on.clock.advance(400 * DAY);
  const one = await started(on, { clock: here });
  assert.deepEqual(await on.store.list("signing-keys", { limit: 100 }), documents);
  // It is put right: all is as it was.
  on.clock.advance(-400 * DAY);
  const two = await started(on, { clock: here });
  assert.deepEqual(kids(two.keys.published()), known);
  await one.keys.close();
});

test("a clock that jumps and stays is believed after five minutes", async () => {
  const on = ground();
  const one = await started(on);
  const { kid } = one.keys.signer("tokens");
  const real = on.clock.now.bind(on.clock);
  on.clock.now = () => real() + 3 * DAY;
  for (let round = 0; round < 7; round++) {
    on.clock.advance(MINUTE);
    await one.settle();
  }
  assert.notEqual(one.keys.signer("tokens").kid, kid);
  assert.ok(!kids(one.keys.published()).includes(kid));
});

test("another algorithm, or a shorter rotation, holds from the next key on; a longer life at once", async () => {
  const on = ground();
  const before = await started(on);
  const { kid } = before.keys.signer("tokens");
  const removedMs = before.keys.published()[0]?.removedMs ?? 0;
  await before.keys.close();
  const after = await started(on, {
    options: { algorithm: "ES256", rotateMs: 3 * HOUR, lifetimeMs: HOUR },
  });
  assert.equal(after.keys.signer("tokens").kid, kid);
  assert.equal(after.keys.published()[0]?.removedMs, removedMs + HOUR - 5 * MINUTE);
  await pass(on, 3 * HOUR + 10 * MINUTE, [after]);
  assert.equal(after.keys.signer("tokens").algorithm, "ES256");
  assert.ok(kids(after.keys.published()).includes(kid));
});

test("changed() is called when another key is published, used or removed, and not otherwise", async () => {
  const on = ground();
  const one = await started(on);
  const seen: string[][] = [];
  const end = one.keys.changed(() => seen.push(kids(one.keys.published(), "tokens")));
  await pass(on, DAY / 2, [one]);
  assert.equal(seen.length, 0);
  await one.keys.rotate("tokens", { emergency: false });
  await turn();
  assert.equal(seen.length, 1);
  await pass(on, PUBLISH_AHEAD_MS, [one]);
  assert.equal(seen.length, 2);
  end();
  await one.keys.rotate("tokens", { emergency: true });
  await turn();
  assert.equal(seen.length, 2);
});

test("changed() goes on telling others where one of them fails", async () => {
  const on = ground();
  const one = await started(on);
  let told = 0;
  one.keys.changed(() => {
    throw new Error("a listener that fails");
  });
  one.keys.changed(() => (told += 1));
  await one.keys.rotate("tokens", { emergency: true });
  assert.equal(told, 1);
  assert.ok(one.log.lines.some(({ level }) => level === "error"));
});

test("what is there at the start is not told of as new, and what comes later once", async () => {
  const on = ground();
  const before = await started(on);
  await before.keys.rotate("tokens", { emergency: true, by: "ann" });
  const emergencies = (from: Replica) =>
    from.log.lines.filter(({ event }) => event.includes("emergency rotation"));
  assert.equal(emergencies(before).length, 1);
  assert.equal(emergencies(before)[0]?.fields["by"], "ann");
  const after = await started(on);
  assert.deepEqual(after.log.lines, []);
  await before.keys.rotate("tokens", { emergency: true });
  await turn();
  assert.equal(emergencies(after).length, 1);
});

test("close() leaves no timer and no watch behind", async () => {
  const on = ground();
  const one = await started(on);
  await one.keys.close();
  assert.deepEqual(one.timers.delays, []);
  const known = kids(one.keys.published());
  const two = await started(on);
  await two.keys.rotate("all", { emergency: true });
  await turn();
  assert.deepEqual(kids(one.keys.published()), known);
  assert.deepEqual(one.timers.delays, []);
});

test("metrics tell keys by use and state, and when the next is due", async () => {
  const on = ground();
  const one = await started(on);
  await one.keys.rotate("tokens", { emergency: false });
  const text = one.metrics.render().body;
  assert.match(text, /sallyport_signing_keys\{use="tokens",state="upcoming"\} 1/);
  assert.match(text, /sallyport_signing_keys\{use="tokens",state="active"\} 1/);
  assert.match(text, /sallyport_signing_keys\{use="feed",state="retired"\} 0/);
  assert.match(text, /sallyport_signing_key_rotation_due_seconds\{use="feed"\} 86400/);
  assert.match(text, /sallyport_signing_keys_seen_total\{use="tokens",because="asked"\} 1/);
});

test("start() over a store that was restored replaces the key of the feed, once, and says why", async () => {
  const on = ground();
  const first = await started(on);
  const before = kids(first.keys.published());
  const [restoredFeed] = kids(first.keys.published(), "feed");
  await first.keys.close();
  on.store.renewEpoch();
  on.clock.advance(HOUR);
  const replicas = Array.from({ length: 3 }, () => replica(on));
  await Promise.all(replicas.map(({ keys }) => keys.start()));
  await turn();
  for (const { keys } of replicas) {
    const [info, ...others] = keys.list().filter(({ use }) => use === "feed");
    assert.deepEqual(others, []);
    assert.notEqual(info?.kid, restoredFeed);
    assert.equal(info?.activeMs, START + HOUR, "beyond every floor that was told before");
    assert.deepEqual(
      [info?.because, info?.by, info?.replaced],
      ["emergency", "restored-store", [restoredFeed]],
    );
    const uses = kids(keys.published()).filter((kid) => kid !== info?.kid);
    assert.deepEqual(
      uses,
      before.filter((kid) => kid !== restoredFeed),
      "other uses are not touched",
    );
  }
  const warned = replicas.flatMap(({ log }) => log.lines.filter(({ level }) => level === "warn"));
  assert.ok(warned.length > 0 && warned.every(({ event }) => /store was restored/.test(event)));
  const [kid] = kids(replicas[0]?.keys.published() ?? [], "feed");
  const again = await started(on);
  assert.deepEqual(kids(again.keys.published(), "feed"), [kid], "and not at the next start");
});

test("a store whose epoch changes while it is in use has its feed key replaced", async () => {
  const on = ground();
  const one = await started(on);
  const [former] = kids(one.keys.published(), "feed");
  on.store.renewEpoch();
  on.clock.advance(MINUTE);
  await one.settle();
  const [now, ...others] = kids(one.keys.published(), "feed");
  assert.deepEqual(others, []);
  assert.notEqual(now, former);
});

test("start() over a store that remembers no epoch remembers it and replaces nothing", async () => {
  const on = ground();
  const first = await started(on);
  const known = kids(first.keys.published());
  await first.keys.close();
  await on.store.commit([{ collection: "facts", id: "feed-key-epoch", body: undefined }]);
  on.store.renewEpoch();
  const second = await started(on);
  assert.deepEqual(kids(second.keys.published()), known);
  const fact = await on.store.get("facts", "feed-key-epoch");
  assert.equal(fact?.body?.["epoch"], await on.store.epoch());
});
