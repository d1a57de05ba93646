import assert from "node:assert/strict";
import { test } from "node:test";
import type { FeedChange, FeedConsumer, FeedPosition } from "../../model/feed.ts";
import { NEVER, type RevocationEntry } from "../../model/revocation.ts";
import { ManualClock } from "../../platform/clock.ts";
import { FanOut } from "./fan-out.ts";

const AT: FeedPosition = { epoch: "one", number: 1 };
const QUIET = { keys: undefined, bundle: undefined, authorities: undefined, disabled: undefined };

function entry(index: number, expiresMs = NEVER): RevocationEntry {
  const digest = Buffer.alloc(16);
  digest.writeUInt32BE(index);
  return {
    digest: digest.toString("base64url"),
    cutoffMs: 1000,
    blockedUntilMs: undefined,
    expiresMs,
  };
}

function change(part: Partial<FeedChange>): FeedChange {
  return { revocations: [], lifted: [], ...QUIET, ...part };
}

/** What a consumer would have in force. */
class Recorder implements FeedConsumer {
  readonly digests = new Set<string>();
  readonly currents: number[] = [];
  authorities: readonly string[] = [];
  resets = 0;
  largest = 0;

  apply(news: FeedChange, _at: FeedPosition, { reset }: { readonly reset: boolean }): void {
    if (reset) {
      this.digests.clear();
      this.resets += 1;
    }
    this.largest = Math.max(this.largest, news.revocations.length);
    for (const { digest } of news.revocations) this.digests.add(digest);
    for (const digest of news.lifted) this.digests.delete(digest);
    this.authorities = news.authorities ?? this.authorities;
  }

  current(_at: FeedPosition, asOfMs: number): void {
    this.currents.push(asOfMs);
  }
}

void test("follow() gives who comes late all that was heard, and then what comes", () => {
  const fan = new FanOut({ clock: new ManualClock(5000), late: true });
  const [early, late] = [new Recorder(), new Recorder()];
  fan.follow(early);
  fan.apply(change({ revocations: [entry(1), entry(2)], authorities: ["root"] }), AT, {
    reset: true,
  });
  fan.apply(change({ lifted: [entry(1).digest] }), AT, { reset: false });
  fan.follow(late);
  assert.deepEqual([...late.digests], [entry(2).digest]);
  assert.deepEqual(late.authorities, ["root"]);
  assert.equal(late.resets, 1);
  fan.apply(change({ revocations: [entry(3)] }), AT, { reset: false });
  assert.deepEqual(late.digests, early.digests);
});

void test("follow() vouches for nothing: only what is vouched for from then on counts", () => {
  const fan = new FanOut({ clock: new ManualClock(5000), late: true });
  fan.apply(change({ revocations: [entry(1)] }), AT, { reset: true });
  fan.current(AT, 4000);
  const late = new Recorder();
  fan.follow(late);
  assert.deepEqual(late.currents, []);
  fan.current(AT, 4500);
  assert.deepEqual(late.currents, [4500]);
});

void test("follow() hands over in pieces, and nothing that has expired", () => {
  const clock = new ManualClock(5000);
  const fan = new FanOut({ clock, late: true });
  const all = Array.from({ length: 20_000 }, (_, index) => entry(index));
  fan.apply(change({ revocations: all }), AT, { reset: true });
  fan.apply(change({ revocations: [entry(30_000, 6000)] }), AT, { reset: false });
  clock.advance(10_000);
  const late = new Recorder();
  fan.follow(late);
  assert.equal(late.digests.size, 20_000);
  assert.ok(late.largest <= 8192);
});

void test("apply() with reset forgets what was before, also for who comes later", () => {
  const fan = new FanOut({ clock: new ManualClock(5000), late: true });
  fan.apply(change({ revocations: [entry(1)] }), AT, { reset: true });
  fan.apply(change({ revocations: [entry(2)] }), AT, { reset: true });
  const late = new Recorder();
  fan.follow(late);
  assert.deepEqual([...late.digests], [entry(2).digest]);
});

void test("follow() ends where its consumer says so", () => {
  const fan = new FanOut({ clock: new ManualClock(5000), late: true });
  const consumer = new Recorder();
  const end = fan.follow(consumer);
  end();
  fan.apply(change({ revocations: [entry(1)] }), AT, { reset: true });
  fan.current(AT, 1);
  assert.deepEqual([consumer.resets, consumer.currents.length], [0, 0]);
});

void test("follow() of one that comes late is a defect where none was to", () => {
  const fan = new FanOut({ clock: new ManualClock(5000), late: false });
  const early = new Recorder();
  fan.follow(early);
  fan.apply(change({ revocations: [entry(1)] }), AT, { reset: true });
  assert.deepEqual([...early.digests], [entry(1).digest]);
  assert.throws(() => fan.follow(new Recorder()), TypeError);
});
