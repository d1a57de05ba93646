import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../model/errors.ts";
import { readBefore, readFilter } from "./read-filter.ts";

const NOW_MS = Date.UTC(2026, 10, 24, 12);

test("readFilter() takes times, names and networks", () => {
  const filter = readFilter({ from: "2h", to: "2026-12-24", address: ["10.0.0.0/8"] }, NOW_MS);
  assert.equal(filter.fromMs, NOW_MS - 7_200_000);
  assert.equal(filter.toMs, Date.UTC(2026, 11, 24));
  assert.equal(filter.addresses[0]?.prefix, 8);
  const zoned = readFilter({ from: "2026-12-24T18:00:00+02:00" }, NOW_MS);
  assert.equal(zoned.fromMs, Date.UTC(2026, 11, 24, 16));
});

test("readFilter() refuses what would find nothing, with the option and what would be right", () => {
  for (const [input, said] of [
    [{ reason: ["no-permt"] }, /--reason: there is no "no-permt" {2}did you mean no-permit\?/],
    [{ reason: ["zzzzzzzzzzzz"] }, /--reason: there is no "z+" {2}one of permitted, /],
    [{ event: ["new-netwrk"] }, /--event: there is no "new-netwrk" {2}did you mean new-network\?/],
    [{ decision: "allow" }, /--decision: "allow" is none {2}permit or deny/],
    [{ from: "yesterday" }, /--from: "yesterday" is no time {2}2026-12-24/],
    [{ to: "2026-13-01" }, /--to: "2026-13-01" is no time/],
    [{ to: "2026-12-24T18:00" }, /--to: .* is no time/],
    [{ from: "2026-12-24", to: "2026-12-24" }, /--from 2026-12-24 is not before --to 2026-12-24/],
    [{ address: ["10.0.0.300"] }, /--address: "10.0.0.300" is no address or network {2}such as/],
    [{ address: ["10.1.0.0/8"] }, /--address: .* {2}bits beyond the prefix/],
    [{ principal: ["alice"] }, /--principal: "alice" names nobody {2}<authenticator>\/<subject>/],
    [{ id: ["01-x"] }, /--id: "01-x" is no decision id/],
    [{ id: ["01KAT9T5KV"] }, /--id: "01KAT9T5KV" is no decision id/],
    [{ from: "2026-02-30" }, /--from: "2026-02-30" is no time/],
    [{ to: "2026-04-31T00:00:00Z" }, /--to: "2026-04-31T00:00:00Z" is no time/],
  ] as const) {
    assert.throws(
      () => readFilter(input, NOW_MS),
      (error) => error instanceof ConfigError && said.test(error.message),
      JSON.stringify(input),
    );
  }
  // All at once.
  const several = () => readFilter({ from: "x", to: "y", reason: ["z"] }, NOW_MS);
  assert.throws(several, (error) => error instanceof ConfigError && error.problems.length === 3);
});

test("readBefore() takes a place, a time or an id, and refuses all else", () => {
  const place = "2026-11-24T04:05:06.123Z,20261124T040506.123Z-17,4711";
  assert.deepEqual(readBefore(place, NOW_MS), {
    timeMs: Date.UTC(2026, 10, 24, 4, 5, 6, 123),
    segment: "audit-20261124T040506.123Z-17.jsonl",
    offset: 4711,
  });
  assert.deepEqual(readBefore("1h", NOW_MS), {
    timeMs: NOW_MS - 3_600_000,
    segment: "",
    offset: 0,
  });
  assert.equal(readBefore("01kat9t5kvh7q2m4x8z0r3b6cd", NOW_MS), "01KAT9T5KVH7Q2M4X8Z0R3B6CD");
  assert.throws(() => readBefore("..", NOW_MS), /--before: "\.\." is no place in the log/);
});
