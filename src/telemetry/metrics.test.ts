import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { createMetrics, type RunningMetrics } from "./metrics.ts";
import { registerProcessMetrics } from "./process-metrics.ts";
import { createRequestMetrics } from "./request-metrics.ts";

const OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";

test("render() writes counters, gauges and histograms as OpenMetrics 1.0", () => {
  const metrics = createMetrics();
  metrics.counter("a_requests", 'Said "hi"\\\nbye.', ["route"]).with('b"\\\nc').inc(2);
  metrics.gauge("b_open", "Open.").with().set(-1.5);
  const seconds = metrics.histogram("c_seconds", "How long.", { buckets: [0.1, 1] }).with();
  for (const value of [0.1, 0.5, 7]) seconds.observe(value);
  metrics.sampled("d_bytes", "Read when scraped.", () => 12);
  const { body, contentType } = metrics.render(OPENMETRICS);
  assert.equal(contentType, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  assert.equal(
    body,
    [
      "# TYPE a_requests counter",
      '# HELP a_requests Said \\"hi\\"\\\\\\nbye.',
      'a_requests_total{route="b\\"\\\\\\nc"} 2',
      "# TYPE b_open gauge",
      "# HELP b_open Open.",
      "b_open -1.5",
      "# TYPE c_seconds histogram",
      "# UNIT c_seconds seconds",
      "# HELP c_seconds How long.",
      'c_seconds_bucket{le="0.1"} 1',
      'c_seconds_bucket{le="1.0"} 2',
      'c_seconds_bucket{le="+Inf"} 3',
      "c_seconds_sum 7.6",
      "c_seconds_count 3",
      "# TYPE d_bytes gauge",
      "# UNIT d_bytes bytes",
      "# HELP d_bytes Read when scraped.",
      "d_bytes 12",
      "# EOF",
      "",
    ].join("\n"),
  );
});

test("render() answers in the format that Accept asks for", () => {
  const metrics = createMetrics();
  const typeFor = (accept?: string): string => metrics.render(accept).contentType.slice(0, 11);
  assert.equal(typeFor(OPENMETRICS), "application");
  assert.equal(typeFor("application/openmetrics-text"), "application");
  for (const accept of [
    undefined,
    "*/*",
    "text/plain",
    "application/openmetrics-text;q=0",
    "application/openmetrics-text;q=0.2, text/plain;q=0.5",
    "text/html,application/xml",
  ]) {
    assert.equal(typeFor(accept), "text/plain;", accept ?? "no Accept");
  }
});

test("promtool finds nothing wrong with what a proxy exposes", (context) => {
  if (spawnSync("promtool", ["--version"]).error !== undefined) {
    return context.diagnostic("skipped: there is no promtool here (Debian: prometheus)");
  }
  const { body } = busyProxy().render();
  const result = spawnSync("promtool", ["check", "metrics"], { input: body, encoding: "utf8" });
  assert.equal(result.stdout + result.stderr, "");
  assert.equal(result.status, 0);
});

test("counter() hands out one handle per combination of labels, also to a second registration", () => {
  const metrics = createMetrics();
  metrics.counter("hits_total", "Hits.", ["a", "b"]).with("1", "2").inc();
  metrics.counter("hits", "Hits.", ["a", "b"]).with("1", "2").inc();
  assert.match(metrics.render().body, /^hits_total\{a="1",b="2"\} 2$/m);
});

test("counter() throws TypeError on a wrong name, label, arity, kind or a negative step", () => {
  const metrics = createMetrics();
  const wrong: (() => void)[] = [
    () => metrics.counter("Hits", "Hits."),
    () => metrics.counter("9hits", "Hits."),
    () => metrics.counter("hits", "Hits.", ["le"]),
    () => metrics.counter("hits", "Hits.", ["a-b"]),
    () => metrics.counter("one", "One.", ["a"]).with(),
    () => metrics.gauge("one", "One.", ["a"]),
    () => metrics.counter("one", "One.", ["b"]),
    () => metrics.histogram("h", "H.", { buckets: [] }),
    () => metrics.histogram("h", "H.", { buckets: [2, 1] }),
    () => metrics.histogram("h", "H.", { buckets: [1, Infinity] }),
    () => metrics.counter("down", "Down.").with().inc(-1),
    () => metrics.counter("nan", "NaN.").with().inc(Number.NaN),
  ];
  for (const call of wrong) assert.throws(call, TypeError, String(call));
});

test("with() counts as `other` what goes beyond the limit of a family, and says so", () => {
  const metrics = createMetrics({ maxSeries: 3 });
  const family = metrics.counter("hits", "Hits.", ["a", "b"]);
  for (let index = 0; index < 10; index++) family.with(`a${index}`, "x").inc();
  family.with("a0", "x").inc();
  const { body } = metrics.render();
  assert.equal(body.match(/^hits_total\{/gm)?.length, 4);
  assert.match(body, /^hits_total\{a="other",b="other"\} 7$/m);
  assert.match(body, /^hits_total\{a="a0",b="x"\} 2$/m);
  assert.match(body, /^sallyport_metrics_overflow_total\{metric="hits"\} 7$/m);
});

test("handles stay right when there are more of them than one array holds", () => {
  const metrics = createMetrics();
  const family = metrics.counter("hits", "Hits.", ["n"]);
  const handles = Array.from({ length: 3000 }, (_, index) => family.with(String(index)));
  for (const [index, handle] of handles.entries()) handle.inc(index);
  const { body } = metrics.render();
  for (const index of [0, 1023, 1024, 2999]) {
    assert.match(body, new RegExp(`^hits_total\\{n="${index}"\\} ${index}$`, "m"));
  }
});

test("sampled() reads the newest reader", () => {
  const metrics = createMetrics();
  metrics.sampled("open", "Open.", () => 1);
  metrics.sampled("open", "Open.", () => 2);
  assert.match(metrics.render().body, /^open 2$/m);
});

test("createRequestMetrics() counts what we answer as it is on record: a login is no refusal", () => {
  const metrics = createMetrics();
  const requests = createRequestMetrics(metrics);
  requests.decided(undefined, "logged-in", 0.01);
  requests.decided(undefined, "login-refused", 0.01);
  const text = metrics.render().body;
  for (const series of [
    'sallyport_decisions_total{route="(none)",decision="permit",reason="logged-in"} 1',
    'sallyport_decisions_total{route="(none)",decision="deny",reason="login-refused"} 1',
    'sallyport_requests_total{route="(none)",decision="permit",reason="logged-in",status="303"} 1',
    'sallyport_requests_total{route="(none)",decision="deny",reason="login-refused",status="403"} 1',
    'sallyport_gate_seconds_count{decision="permit"} 1',
  ]) {
    assert.ok(text.split("\n").includes(series), text);
  }
});

test("createRequestMetrics() counts a denial when it is decided and a permit when it has ended", () => {
  const metrics = createMetrics();
  const requests = createRequestMetrics(metrics);
  requests.decided("billing", "permitted", 0.03);
  requests.decided("billing", "no-permit", 0.03);
  requests.decided(undefined, "no-route", 0.01);
  const outcome = { status: 200, requestBytes: 10, responseBytes: 20, upstreamMs: 4 };
  requests.completed("billing", { ...outcome, end: "complete" });
  requests.completed("billing", {
    ...outcome,
    status: 504,
    upstreamMs: undefined,
    end: "upstream-timeout",
  });
  requests.completed("billing", { ...outcome, status: 799, end: "complete" });
  requests.decided("calls", "no-permit", 0.01, true);
  requests.completed("calls", { ...outcome, grpcStatus: 14, end: "upstream-unreachable" });
  const { body } = metrics.render();
  const lines = [
    'sallyport_requests_total{route="billing",decision="permit",reason="permitted",status="200"} 1',
    'sallyport_requests_total{route="billing",decision="permit",reason="permitted",status="other"} 1',
    'sallyport_requests_total{route="billing",decision="permit",reason="upstream-timeout",status="504"} 1',
    'sallyport_requests_total{route="billing",decision="deny",reason="no-permit",status="403"} 1',
    'sallyport_requests_total{route="(none)",decision="deny",reason="no-route",status="404"} 1',
    'sallyport_requests_total{route="calls",decision="deny",reason="no-permit",status="200"} 1',
    'sallyport_grpc_calls_total{route="calls",grpc_status="PERMISSION_DENIED"} 1',
    'sallyport_grpc_calls_total{route="calls",grpc_status="UNAVAILABLE"} 1',
    'sallyport_decisions_total{route="billing",decision="permit",reason="permitted"} 1',
    'sallyport_gate_seconds_count{decision="permit"} 1',
    'sallyport_gate_seconds_count{decision="deny"} 3',
    'sallyport_upstream_seconds_bucket{route="billing",le="0.005"} 2',
    'sallyport_request_body_bytes_total{route="billing"} 30',
    'sallyport_response_body_bytes_total{route="billing"} 60',
  ];
  for (const line of lines) assert.ok(body.includes(`\n${line}\n`), `${line}\n${body}`);
});

test("registerProcessMetrics() tells memory, CPU and how late timers come", () => {
  const metrics = createMetrics();
  let now = 0;
  let cpu = 1;
  let tick: () => void = () => assert.fail("nothing was asked for");
  let ended = false;
  let measuring = true;
  const stop = registerProcessMetrics(metrics, {
    rss: () => 4096,
    cpuSeconds: () => cpu,
    timers: () => 3,
    heapUsed: () => 2048,
    openFiles: () => 12,
    maxOpenFiles: () => undefined,
    stalls: () => ({ longest: () => 300, end: () => (measuring = false) }),
    version: "1.2.3",
    runtime: "node 26.10.0",
    startedAt: () => 1000,
    monotonic: () => now,
    every(ms, run) {
      tick = () => {
        now += ms;
        run();
      };
      return () => {
        ended = true;
      };
    },
  });
  tick();
  now += 300;
  cpu = 3;
  tick();
  const { body } = metrics.render();
  for (const line of [
    "process_resident_memory_bytes 4096",
    "sallyport_timers 3",
    "process_start_time_seconds 1000",
    "process_cpu_seconds_total 3",
    'sallyport_event_loop_lag_seconds_bucket{le="0.001"} 1',
    'sallyport_event_loop_lag_seconds_bucket{le="0.25"} 1',
    'sallyport_event_loop_lag_seconds_bucket{le="1.0"} 2',
    'sallyport_event_loop_stall_seconds_bucket{le="0.25"} 0',
    'sallyport_event_loop_stall_seconds_bucket{le="0.5"} 2',
    "sallyport_heap_bytes 2048",
    "process_open_fds 12",
    'sallyport_build_info{version="1.2.3",runtime="node 26.10.0"} 1',
  ]) {
    assert.ok(body.includes(`\n${line}\n`), `${line}\n${body}`);
  }
  assert.doesNotMatch(body, /process_max_fds/, "the system does not say");
  stop();
  assert.ok(ended && !measuring);
});

function busyProxy(): RunningMetrics {
  const metrics = createMetrics();
  registerProcessMetrics(metrics)();
  const requests = createRequestMetrics(metrics);
  requests.decided("billing", "permitted", 1);
  requests.completed("billing", {
    status: 200,
    requestBytes: 0,
    responseBytes: 1,
    upstreamMs: 1,
    end: "complete",
  });
  return metrics;
}
