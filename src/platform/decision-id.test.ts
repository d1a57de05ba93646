import assert from "node:assert/strict";
import test from "node:test";
import { ManualClock } from "./clock.ts";
import { createDecisionIds } from "./decision-id.ts";

const FORM = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

test("createDecisionIds() makes 26 characters of Crockford base32", () => {
  const next = createDecisionIds(new ManualClock(1_800_000_000_000));
  for (let index = 0; index < 1000; index++) assert.match(next(), FORM);
});

test("createDecisionIds() writes the time as a ULID does", () => {
  // 2016-07-30T23:54:10.259Z, the example of the ULID specification's README.
  const next = createDecisionIds(new ManualClock(1_469_922_850_259));
  assert.equal(next().slice(0, 10), "01ARZ3NDEK");
});

test("createDecisionIds() makes ids that differ, and sort by time", () => {
  const clock = new ManualClock(1_800_000_000_000);
  const next = createDecisionIds(clock, (bytes) => new Uint8Array(bytes));
  const ids: string[] = [];
  for (let index = 0; index < 5000; index++) {
    ids.push(next());
    if (index % 3 === 0) clock.advance(1);
  }
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(ids.toSorted(), ids);
});

test("createDecisionIds() counts on from the end of its counter without repeating", () => {
  const clock = new ManualClock(1_800_000_000_000);
  const next = createDecisionIds(clock, (bytes) => new Uint8Array(bytes).fill(0xff));
  const ids = [next(), next(), next()];
  assert.equal(new Set(ids).size, 3);
  for (const id of ids) assert.match(id, FORM);
});

test("createDecisionIds() differs between processes at the same moment", () => {
  const clock = new ManualClock(1_800_000_000_000);
  assert.notEqual(createDecisionIds(clock)(), createDecisionIds(clock)());
});
