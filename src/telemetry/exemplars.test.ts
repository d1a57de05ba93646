import assert from "node:assert/strict";
import { test } from "node:test";
import { readOpenMetrics } from "../../test/openmetrics.ts";
import { createMetrics, renderMetrics, type RunningMetrics } from "./metrics.ts";
import { createRequestMetrics } from "./request-metrics.ts";
import { onlyCounts, sumFamilies } from "./sum-families.ts";

const OPENMETRICS = "application/openmetrics-text";
const EARLIER = "01JD0000000000000000000001";
const LATER = "01JD0000000000000000000002";

test("buckets and refusals name the last decision, where OpenMetrics is asked for", () => {
  const metrics = counted(EARLIER);
  createRequestMetrics(metrics).decided("billing", "no-permit", 0.5, false, LATER);
  const families = readOpenMetrics(metrics.render(OPENMETRICS).body);
  const exemplars = new Map(
    families.flatMap(({ samples }) =>
      samples.flatMap(({ name, labels, exemplar }) =>
        exemplar === undefined
          ? []
          : [[`${name} ${labels.get("decision") ?? ""} ${labels.get("le") ?? ""}`, exemplar]],
      ),
    ),
  );
  assert.deepEqual(exemplars.get("sallyport_gate_seconds_bucket deny 0.0005"), {
    labels: new Map([["decision", LATER]]),
    value: 0.0005,
  });
  assert.equal(
    exemplars.get("sallyport_decisions_total deny ")?.labels.get("decision"),
    LATER,
    "the refusal",
  );
  assert.equal(
    exemplars.get("sallyport_upstream_seconds_bucket  0.005")?.labels.get("decision"),
    EARLIER,
  );
  assert.equal(
    exemplars.get("sallyport_request_seconds_bucket  0.01")?.labels.get("decision"),
    EARLIER,
  );
  assert.ok(exemplars.has("sallyport_requests_total permit "), "what failed");
});

test("the older text format has none", () => {
  assert.doesNotMatch(counted(EARLIER).render().body, / # \{|01JD/);
});

test("sumFamilies() keeps the later decision of each bucket, also of processes that have ended", () => {
  const ended = onlyCounts(counted(LATER).families());
  for (const lists of [
    [counted(EARLIER).families(), ended],
    [ended, counted(EARLIER).families()],
  ]) {
    const { body } = renderMetrics(sumFamilies(lists), OPENMETRICS);
    readOpenMetrics(body);
    assert.match(body, /sallyport_upstream_seconds_bucket\{route="billing",le="0.005"\} 2 # /);
    assert.match(body, new RegExp(` 2 # \\{decision="${LATER}"\\} 0.004\n`));
    assert.ok(!body.includes(EARLIER));
  }
});

test("sumFamilies() gives what travels as JSON, as workers send it", () => {
  const families = JSON.parse(JSON.stringify(counted(LATER).families())) as ReturnType<
    RunningMetrics["families"]
  >;
  assert.deepEqual(sumFamilies([families]), counted(LATER).families());
});

function counted(id: string): RunningMetrics {
  const metrics = createMetrics();
  const requests = createRequestMetrics(metrics);
  requests.decided("billing", "permitted", 0.03, false, id);
  const ended = { status: 200, requestBytes: 1, responseBytes: 1, upstreamMs: 4, durationMs: 6 };
  requests.completed("billing", { ...ended, end: "complete" }, id);
  const failed = { ...ended, status: 504, upstreamMs: undefined, end: "upstream-timeout" as const };
  requests.completed("billing", failed, id);
  return metrics;
}
