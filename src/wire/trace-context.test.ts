import assert from "node:assert/strict";
import { test } from "node:test";
import { readTraceContext } from "./trace-context.ts";

const TEXT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test("readTraceContext() reads one traceparent with all of its tracestate", () => {
  const read = readTraceContext(["tracestate", "a=1", "traceparent", TEXT, "tracestate", "b=2"]);
  assert.equal(read?.text, TEXT);
  assert.equal(read?.parent.sampled, true);
  assert.equal(read?.tracestate, "a=1,b=2");
  assert.equal(readTraceContext(["traceparent", TEXT, "tracestate", "?"])?.tracestate, undefined);
});

test("readTraceContext() takes none where there are two, or a malformed one", () => {
  assert.equal(readTraceContext(["traceparent", TEXT, "traceparent", TEXT]), undefined);
  assert.equal(readTraceContext(["traceparent", "junk", "tracestate", "a=1"]), undefined);
  assert.equal(readTraceContext(["tracestate", "a=1"]), undefined);
});
