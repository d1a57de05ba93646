import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedLog } from "../../../test/ports.ts";
import { remoteMemory } from "../../../test/remote-memory.ts";
import { SessionGround } from "../../../test/session-ground.ts";
import { ManualClock } from "../../platform/clock.ts";
import { ManualTimers } from "../../platform/timers.ts";
import type { SessionContent } from "./session-content.ts";
import { createSessionStanding, endDigest } from "./session-standing.ts";

const NOW_MS = 1_800_000_000_000;
const HOUR = 3_600_000;

function content(changes: Partial<SessionContent> = {}): SessionContent {
  return {
    id: "one",
    claims: { sub: "ada" },
    sid: "sid-1",
    idToken: undefined,
    refreshToken: undefined,
    accessExpiresMs: undefined,
    refreshMs: undefined,
    beganMs: NOW_MS,
    usedMs: NOW_MS,
    generation: 0,
    ...changes,
  };
}

function world() {
  const clock = new ManualClock(NOW_MS);
  const inner = new SessionGround({ clock }).shared;
  const shared = remoteMemory(inner);
  const one = (name = "people") => {
    const timers = new ManualTimers();
    const heard: string[] = [];
    const standing = createSessionStanding({
      name,
      scope: name,
      shared,
      clock,
      timers,
      log: recordedLog(),
      ended: (digest) => heard.push(digest),
    });
    const poll = async (): Promise<void> => {
      timers.runAll();
      for (let turns = 0; turns < 200; turns++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    return { standing, heard, poll, timers };
  };
  return { clock, inner, one };
}

test("sessionStanding() tells an end by id for good, and others for what began until then", async () => {
  const { one } = world();
  const { standing } = one();
  await standing.end({ by: "sid", sid: "sid-1" }, NOW_MS, HOUR);
  assert.equal((await standing.of(content())).ended, true);
  assert.equal((await standing.of(content({ beganMs: NOW_MS + 1 }))).ended, false);
  assert.equal((await standing.of(content({ sid: undefined }))).ended, false);
  await standing.end({ by: "id", id: "two" }, NOW_MS, HOUR);
  const later = content({ id: "two", sid: undefined, beganMs: NOW_MS + HOUR });
  assert.equal((await standing.of(later)).ended, true);
  await standing.end({ by: "subject", subject: "bea" }, NOW_MS, HOUR);
  const bea = content({ id: "three", sid: undefined, claims: { sub: "bea" } });
  assert.equal((await standing.of(bea)).ended, true);
  assert.equal((await standing.of({ ...bea, claims: {} })).ended, false);
});

test("sessionStanding() of one authenticator says nothing about another's", async () => {
  const { one } = world();
  await one("people").standing.end({ by: "sid", sid: "sid-1" }, NOW_MS, HOUR);
  assert.equal((await one("partners").standing.of(content())).ended, false);
});

test("sessionStanding() keeps no name of a person or of the provider's session", async () => {
  const { one, inner } = world();
  const put = inner.put.bind(inner);
  const written: string[] = [];
  inner.put = (space, key, value, ttlMs) => {
    written.push(key, value);
    return put(space, key, value, ttlMs);
  };
  const { standing } = one();
  await standing.end({ by: "subject", subject: "ada-canary" }, NOW_MS, HOUR);
  await standing.end({ by: "sid", sid: "sid-canary" }, NOW_MS, HOUR);
  assert.ok(written.length >= 8);
  assert.doesNotMatch(written.join(" "), /canary/);
});

test("sessionStanding() hears each end once, of all that ended in the same second, also where clocks differ", async () => {
  const { one, clock } = world();
  const listening = one();
  await listening.standing.of(content());
  const writers = [one(), one()];
  const ids = Array.from({ length: 40 }, (_, index) => `id-${index}`);
  await Promise.all(
    ids.map(async (id, index) => {
      await writers[index % 2]?.standing.end({ by: "id", id }, NOW_MS + (index % 2) * 999, HOUR);
    }),
  );
  await writers[0]?.standing.end({ by: "id", id: "ahead" }, NOW_MS + 1000, HOUR);
  await writers[0]?.standing.end({ by: "id", id: "behind" }, NOW_MS - 3000, HOUR);
  for (let polls = 0; polls < 4; polls++) {
    clock.advance(500);
    await listening.poll();
  }
  const expected = [...ids, "ahead", "behind"].map((id) => endDigest({ by: "id", id }));
  assert.deepEqual(listening.heard.toSorted(), expected.toSorted());
});

test("sessionStanding() remembers what was used and seen, and who has nobody beside it asks no more", async () => {
  const { one, inner, clock } = world();
  const { standing } = one();
  await standing.used("one", NOW_MS + 5, HOUR);
  await standing.seen("one", { generation: 3, atMs: NOW_MS + 7 }, HOUR);
  const { usedMs, seen } = await standing.of(content());
  assert.equal(usedMs, NOW_MS + 5);
  assert.deepEqual(seen, { generation: 3, atMs: NOW_MS + 7 });
  const timers = new ManualTimers();
  const alone = createSessionStanding({
    name: "people",
    scope: "people",
    shared: inner,
    clock,
    timers,
    log: recordedLog(),
    ended: () => assert.fail("nobody else writes"),
  });
  assert.ok(!(alone.of(content()) instanceof Promise));
  assert.deepEqual(timers.delays, []);
  clock.advance(HOUR);
  assert.ok(alone.hears());
});

test("sessionStanding() listens no more once it is closed", async () => {
  const { one, clock } = world();
  const listening = one();
  await listening.standing.of(content());
  assert.equal(listening.timers.delays.length, 1);
  listening.standing.close();
  assert.deepEqual(listening.timers.delays, []);
  await one().standing.end({ by: "id", id: "one" }, NOW_MS, HOUR);
  clock.advance(500);
  await listening.poll();
  assert.deepEqual(listening.heard, []);
});

test("sessionStanding() fails an end that it cannot tell any more, rather than keep it to itself", async () => {
  const { inner, clock } = world();
  const standing = createSessionStanding({
    name: "people",
    scope: "people",
    shared: { ...inner, since: 0, claim: () => false },
    clock,
    timers: new ManualTimers(),
    log: recordedLog(),
    ended: () => undefined,
  });
  await assert.rejects(standing.end({ by: "id", id: "one" }, NOW_MS, HOUR), {
    code: "memory-full",
  });
});
