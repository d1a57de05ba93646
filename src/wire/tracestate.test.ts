import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as holds, property, string } from "fast-check";
import { joinTracestate } from "./tracestate.ts";

test("joinTracestate() joins fields in their order, without empty members and blanks", () => {
  assert.equal(
    joinTracestate(["rojo=00f067aa0ba902b7", " ,\tcongo=t61rcWkgMzE ,"]),
    "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
  );
  assert.equal(joinTracestate(["fw529a3039@dt=FfAAAA; b"]), "fw529a3039@dt=FfAAAA; b");
  assert.equal(joinTracestate(["", " , "]), undefined);
  assert.equal(joinTracestate([]), undefined);
});

const MALFORMED = [
  "a",
  "a=",
  "=a",
  "A=1",
  "1a=1",
  "a b=1",
  "a=1=2",
  "a=\u00e9",
  "a=\u0000",
  "a@B=1",
  `a@${"t".repeat(15)}=1`,
  `${"k".repeat(257)}=1`,
  `a=${"v".repeat(257)}`,
];

for (const value of MALFORMED) {
  test(`joinTracestate() lets all of it go when a member is ${JSON.stringify(value.slice(0, 20))}`, () => {
    assert.equal(joinTracestate(["good=1", value]), undefined);
  });
}

test("joinTracestate() lets go of a key that comes twice", () => {
  assert.equal(joinTracestate(["a=1,b=2", "a=3"]), undefined);
});

test("joinTracestate() lets go of too many members, and of more than 512 characters", () => {
  const members = Array.from({ length: 33 }, (_, index) => `k${index}=v`);
  assert.equal(joinTracestate([members.slice(1).join(",")])?.split(",").length, 32);
  assert.equal(joinTracestate([members.join(",")]), undefined);
  assert.equal(joinTracestate(members), undefined);
  const long = [`a=${"v".repeat(252)}`, `b=${"v".repeat(255)}`];
  assert.equal(joinTracestate(long)?.length, 512);
  assert.equal(joinTracestate([...long, ""]), undefined);
});

test("joinTracestate() gives what it takes for good again", () => {
  holds(
    property(array(string({ maxLength: 40 }), { maxLength: 4 }), (values) => {
      const joined = joinTracestate(values);
      if (joined !== undefined) assert.equal(joinTracestate([joined]), joined);
    }),
  );
});
