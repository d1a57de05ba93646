import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../../test/store/memory.ts";
import { SallyportError } from "../model/errors.ts";
import { NEVER, type RevocationTarget } from "../model/revocation.ts";
import type { StoredDocument } from "../model/store.ts";
import { ManualClock } from "../platform/clock.ts";
import { revocationDigest } from "./revocation-digest.ts";
import { entryOf, revocationTargetSchema } from "./revocation-document.ts";
import { createRevocationRegister, DEFAULTS } from "./revocation-register.ts";

const NOW = 1_800_000_000_000;
const ANN: RevocationTarget = { kind: "subject", authenticator: "corp", subject: "ann" };

test("revoke() keeps a cut-off by the store's clock, and its entry names nobody", async () => {
  const { register, entry } = fixture();
  const done = await register.revoke(ANN, { mode: "revoke", reason: "left", by: "corp/ops" });
  assert.deepEqual(
    { ...done },
    {
      digest: revocationDigest(ANN),
      target: ANN,
      cutoff: { atMs: NOW, expiresMs: NOW + DEFAULTS.cutoffMs },
      reason: "left",
      by: "corp/ops",
      number: 1,
      timeMs: NOW,
    },
  );
  assert.deepEqual(await register.get(ANN), done);
  assert.deepEqual(await entry(ANN), {
    digest: revocationDigest(ANN),
    cutoffMs: NOW,
    blockedUntilMs: undefined,
    expiresMs: NOW + DEFAULTS.cutoffMs,
  });
});

test("revoke() with block denies until it is lifted, or its time", async () => {
  const { register, entry, store } = fixture();
  await register.revoke(ANN, { mode: "block", by: "ops" });
  assert.deepEqual(await entry(ANN), {
    digest: revocationDigest(ANN),
    cutoffMs: undefined,
    blockedUntilMs: NEVER,
    expiresMs: NEVER,
  });
  assert.equal((await store.get("revocations", revocationDigest(ANN)))?.expiresMs, undefined);
  const bob: RevocationTarget = { ...ANN, subject: "bob" };
  await register.revoke(bob, { mode: "block", untilMs: NOW + 5000, by: "ops" });
  const found = await entry(bob);
  assert.deepEqual([found.blockedUntilMs, found.expiresMs], [NOW + 5000, NOW + 5000]);
  await register.revoke(bob, { mode: "revoke", expiresMs: NOW + 4000, by: "ops" });
  assert.equal((await entry(bob)).expiresMs, NOW + 5000, "the later one of both");
});

test("revoke() and block go together on one target, and each is lifted by itself", async () => {
  const { register, entry, clock } = fixture();
  await register.revoke(ANN, { mode: "revoke", reason: "leak", by: "ops" });
  clock.advance(1000);
  const both = await register.revoke(ANN, { mode: "block", untilMs: NOW + 9000, by: "boss" });
  assert.deepEqual(both.cutoff?.atMs, NOW);
  assert.deepEqual(
    [both.reason, both.by],
    ["leak", "boss"],
    "a reason stays until another is given",
  );
  const found = await entry(ANN);
  assert.deepEqual([found.cutoffMs, found.blockedUntilMs], [NOW, NOW + 9000]);
  assert.equal(found.expiresMs, NOW + DEFAULTS.cutoffMs, "the later one of both");
  const left = await register.lift(ANN, { mode: "block", by: "ops" });
  assert.deepEqual([left?.cutoff?.atMs, left?.block, left?.by], [NOW, undefined, "ops"]);
  await register.revoke(ANN, { mode: "block", by: "ops" });
  assert.equal((await register.lift(ANN, { mode: "revoke", by: "ops" }))?.cutoff, undefined);
  assert.equal((await entry(ANN)).blockedUntilMs, NEVER);
  assert.equal(await register.lift(ANN, { mode: "block", by: "ops" }), undefined);
  assert.equal(await register.get(ANN), undefined);
  await register.revoke(ANN, { mode: "revoke", by: "ops" });
  await register.revoke(ANN, { mode: "block", by: "ops" });
  assert.equal(await register.lift(ANN, { by: "ops" }), undefined);
  assert.equal(await register.get(ANN), undefined);
});

test("revoke() told again moves a cut-off on, never back, and never shortens a block", async () => {
  const { register, clock } = fixture();
  await register.revoke(ANN, { mode: "revoke", expiresMs: NEVER, by: "ops" });
  await register.revoke(ANN, { mode: "block", by: "ops" });
  clock.advance(500);
  await register.revoke(ANN, { mode: "block", untilMs: NOW + 9000, by: "ops" });
  const again = await register.revoke(ANN, { mode: "revoke", by: "ops" });
  assert.deepEqual(again.cutoff, { atMs: NOW + 500, expiresMs: NEVER });
  assert.deepEqual(again.block, { untilMs: NEVER });
  // A store whose clock was set back.
  clock.advance(-1000);
  const late = await register.revoke(ANN, { mode: "revoke", by: "ops" });
  assert.equal(late.cutoff?.atMs, NOW + 500);
});

test("revoke() drops what is over of the other kind", async () => {
  const { register, clock } = fixture();
  await register.revoke(ANN, { mode: "block", untilMs: NOW + 1000, by: "ops" });
  await register.revoke(ANN, { mode: "revoke", expiresMs: NOW + 5000, by: "ops" });
  clock.advance(1000);
  const after = await register.revoke(ANN, { mode: "revoke", expiresMs: NOW + 5000, by: "ops" });
  assert.equal(after.block, undefined);
  await register.revoke(ANN, { mode: "block", by: "ops" });
  clock.advance(5000);
  const blocked = await register.revoke(ANN, { mode: "block", by: "ops" });
  assert.equal(blocked.cutoff, undefined);
});

test("lift() of what is not there changes nothing", async () => {
  const { register, store, events } = fixture();
  assert.equal(await register.lift(ANN, { by: "ops" }), undefined);
  await register.revoke(ANN, { mode: "revoke", by: "ops" });
  events.length = 0;
  const { number } = await store.now();
  assert.ok(await register.lift(ANN, { mode: "block", by: "ops" }));
  assert.equal((await store.now()).number, number);
  assert.deepEqual(events, []);
});

test("revoke() and lift() by several at once lose nothing", async () => {
  const { register } = fixture();
  await Promise.all([
    register.revoke(ANN, { mode: "revoke", by: "a" }),
    register.revoke(ANN, { mode: "block", untilMs: NOW + 1000, by: "b" }),
    register.revoke(ANN, { mode: "block", untilMs: NOW + 3000, by: "c" }),
    register.revoke(ANN, { mode: "block", untilMs: NOW + 2000, by: "d" }),
  ]);
  const found = await register.get(ANN);
  assert.deepEqual([found?.cutoff?.atMs, found?.block?.untilMs], [NOW, NOW + 3000]);
});

test("revoke() gives up where others write the same target again and again", async () => {
  const { register, store } = fixture();
  const commit = store.commit.bind(store);
  store.commit = async (writes) => {
    await commit([{ collection: "revocations", id: revocationDigest(ANN), body: BODY }]);
    return commit(writes);
  };
  await assert.rejects(
    register.revoke(ANN, { mode: "block", by: "ops" }),
    coded("store-unavailable"),
  );
});

const BODY = { target: { ...ANN }, block: { untilMs: NEVER }, by: "x" };

test("revoke() takes no more than can be held, but changes what is there", async () => {
  const { register, count } = fixture();
  count.inForce = 1_999_999;
  await register.revoke(ANN, { mode: "revoke", by: "ops" });
  count.inForce = 2_000_000;
  await register.revoke(ANN, { mode: "block", by: "ops" });
  const bob: RevocationTarget = { ...ANN, subject: "bob" };
  await assert.rejects(
    register.revoke(bob, { mode: "block", by: "ops" }),
    coded("revocations-full"),
  );
  assert.equal(await register.get(bob), undefined);
});

test("revoke() refuses what cannot be meant", async () => {
  const { register, store } = fixture();
  const bad: Parameters<typeof register.revoke>[] = [
    [ANN, { mode: "block", untilMs: NOW, by: "ops" }],
    [ANN, { mode: "block", untilMs: Number.NaN, by: "ops" }],
    [ANN, { mode: "block", untilMs: Date.UTC(2100, 0, 1), by: "ops" }],
    [ANN, { mode: "revoke", expiresMs: NEVER - 1, by: "ops" }],
    [ANN, { mode: "revoke", expiresMs: NOW - 1, by: "ops" }],
    [ANN, { mode: "revoke", by: "" }],
    [ANN, { mode: "revoke", by: "o".repeat(301) }],
    [ANN, { mode: "revoke", by: "ops", reason: "r".repeat(501) }],
    [ANN, { mode: "revoke", by: "ops", reason: "a\0b" }],
    [
      { ...ANN, subject: "" },
      { mode: "revoke", by: "ops" },
    ],
    [
      { ...ANN, subject: "\ud800" },
      { mode: "revoke", by: "ops" },
    ],
    [
      { ...ANN, subject: "s".repeat(2049) },
      { mode: "revoke", by: "ops" },
    ],
    [{ kind: "route" } as unknown as RevocationTarget, { mode: "revoke", by: "ops" }],
  ];
  for (const [target, options] of bad) {
    await assert.rejects(register.revoke(target, options), TypeError);
  }
  assert.equal((await store.now()).number, 0);
});

test("list() goes through all in pages, by digest", async () => {
  const { register } = fixture();
  const names = Array.from({ length: 7 }, (_, index) => `s-${index}`);
  for (const subject of names)
    await register.revoke({ ...ANN, subject }, { mode: "revoke", by: "o" });
  const seen: string[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await register.list({ after, limit: 3 });
    if (page.length === 0) break;
    seen.push(...page.map(({ target }) => (target.kind === "subject" ? target.subject : "")));
    after = page.at(-1)?.digest;
  }
  assert.deepEqual(seen.toSorted(), names);
  await assert.rejects(register.list({ limit: 1001 }), TypeError);
});

test("what is logged names neither the target nor the operator's reason", async () => {
  const { register, events } = fixture();
  await register.revoke(ANN, { mode: "revoke", reason: "canary-reason", by: "corp/ops" });
  await register.lift(ANN, { by: "corp/ops" });
  const text = JSON.stringify(events);
  assert.equal(events.length, 2);
  assert.ok(!text.includes("canary-reason") && !text.includes("ann"));
  assert.ok(text.includes("corp/ops") && text.includes(revocationDigest(ANN)));
});

test("a store that is away refuses changes, and what it says goes to who asked", async () => {
  const { register, store } = fixture();
  store.away = true;
  await assert.rejects(
    register.revoke(ANN, { mode: "block", by: "o" }),
    coded("store-unavailable"),
  );
  await assert.rejects(register.lift(ANN, { by: "o" }), coded("store-unavailable"));
  store.away = false;
  assert.equal(await register.get(ANN), undefined);
});

test("entryOf() refuses documents that are none, or that lie under another target's id", () => {
  const document: StoredDocument = {
    collection: "revocations",
    id: revocationDigest(ANN),
    body: BODY,
    number: 1,
    timeMs: NOW,
    expiresMs: undefined,
  };
  assert.equal(entryOf(document).blockedUntilMs, NEVER);
  const { block: _, ...nothing } = BODY;
  for (const bad of [
    { ...document, id: revocationDigest({ ...ANN, subject: "bob" }) },
    { ...document, body: undefined },
    { ...document, body: {} },
    { ...document, body: nothing },
    { ...document, body: { ...BODY, block: { untilMs: "soon" } } },
    { ...document, body: { ...BODY, block: { untilMs: NEVER - 1 } } },
    { ...document, body: { ...BODY, block: { untilMs: 0 } } },
    { ...document, body: { ...BODY, cutoff: { atMs: NEVER, expiresMs: NEVER } } },
    { ...document, body: { ...BODY, more: 1 } },
  ]) {
    assert.throws(() => entryOf(bad), coded("store-failed"));
  }
});

test("revocationTargetSchema takes the four kinds and no unknown members", () => {
  assert.ok(revocationTargetSchema.safeParse(ANN).success);
  assert.ok(!revocationTargetSchema.safeParse({ ...ANN, id: "x" }).success);
  assert.ok(!revocationTargetSchema.safeParse({ kind: "service" }).success);
});

function coded(code: string) {
  return (error: unknown) => error instanceof SallyportError && error.code === code;
}

function fixture() {
  const clock = new ManualClock(NOW);
  const store = createMemoryStore(clock);
  const events: unknown[] = [];
  const note = (event: string, fields?: object): void => void events.push({ event, ...fields });
  const count = { inForce: 0 };
  const register = createRevocationRegister({
    store,
    log: { debug: note, info: note, warn: note, error: note },
    inForce: () => count.inForce,
  });
  const entry = async (target: RevocationTarget) => {
    const document = await store.get("revocations", revocationDigest(target));
    assert.ok(document !== undefined);
    return entryOf(document);
  };
  return { clock, store, register, entry, events, count };
}
