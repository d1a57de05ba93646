import { strict as assert } from "node:assert";
import test from "node:test";
import { formatTraceparent, parseTraceparent } from "./traceparent.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parentId = "00f067aa0ba902b7";

test("parseTraceparent() reads version 00, and what it knows of a later version", () => {
  const sampled = { traceId, parentId, sampled: true };
  assert.deepEqual(parseTraceparent(`00-${traceId}-${parentId}-01`), sampled);
  assert.deepEqual(parseTraceparent(`00-${traceId}-${parentId}-02`), {
    ...sampled,
    sampled: false,
  });
  assert.deepEqual(parseTraceparent(`cc-${traceId}-${parentId}-01-what-else`), sampled);
  assert.equal(formatTraceparent(sampled), `00-${traceId}-${parentId}-01`);
  assert.equal(formatTraceparent({ ...sampled, sampled: false }), `00-${traceId}-${parentId}-00`);
});

for (const value of [
  "",
  `ff-${traceId}-${parentId}-01`,
  `00-${traceId}-${parentId}-01-more`,
  `00-${traceId}-${parentId}`,
  `00-${traceId}-${parentId}-1`,
  `00-${"0".repeat(32)}-${parentId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `00-${traceId.toUpperCase()}-${parentId}-01`,
  `00-${traceId}-${parentId}-01 `,
  `00-${traceId}-${parentId}-01, 00-${traceId}-${parentId}-01`,
  `cc-${traceId}-${parentId}-01more`,
]) {
  test(`parseTraceparent() refuses ${JSON.stringify(value)}`, () => {
    assert.equal(parseTraceparent(value), undefined);
  });
}
