/**
 * Traces from outside: what a collector that reads strictly gets, and whether callers, services and the
 * audit log are told the same.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { openCaller } from "../e2e/protocols.ts";
import { ordinaryAnswer } from "../e2e/recording-service.ts";
import { requestBytes, startStage, until } from "../e2e/stage.ts";
import { readRequests, readResponses, type StrictResponse, valuesOf } from "../e2e/strict-http1.ts";
import { type ReceivedSpan, startOtlpReceiver } from "./otlp-receiver.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const SERVER = 2;
const CLIENT = 3;

const collector = await startOtlpReceiver();

function tracing(more: string): string {
  return `tracing:
  otlp: { endpoint: "${collector.url}", interval: 100ms, headers: { x-key: "\${file:otlp-key}" } }
  serviceName: edge
  resource: { deployment.environment.name: test }
${more}
`;
}

const given = {
  secrets: { "otlp-key": "the-key-of-the-collector" },
  services: `  nowhere: { endpoints: ["http://127.0.0.1:1"] }`,
  routes: `  - { name: away, path: /away, service: nowhere, authenticate: [anonymous] }
  - name: cors
    path: /cors
    service: recorder
    authenticate: [anonymous]
    cors: { origins: ["https://app.example"] }`,
};

const stage = await startStage({
  ...given,
  config: tracing("  sample: 100%\n  principal: true"),
});
after(async () => {
  await stage.close();
  await collector.close();
});

/** Sends one request, whose bytes are given, and gives its answer. */
async function ask(bytes: string, method = "GET"): Promise<StrictResponse> {
  const connection = await openCaller(stage.proxy, { over: "http/1.1", tls: false });
  connection.write(bytes);
  const answers = () => readResponses(connection.text, [method], connection.closed).messages;
  await connection.until(() => answers().length > 0, 60_000);
  const [answer] = answers();
  connection.destroy();
  assert.ok(answer !== undefined, connection.text);
  return answer;
}

function one(answer: StrictResponse, name: string): string {
  const values = valuesOf(answer, name);
  assert.equal(values.length, 1, `${name}: ${values.join(" ")}`);
  return values[0] ?? "";
}

/** The spans of a trace, once its server span is there: those of one request are sent together. */
async function spansOf(traceId: string): Promise<readonly ReceivedSpan[]> {
  const found = () => collector.spans.filter((span) => span.traceId === traceId);
  await until(() => found().some(({ kind }) => kind === SERVER));
  assert.deepEqual(collector.faults, []);
  return found();
}

function only(spans: readonly ReceivedSpan[], kind: number): ReceivedSpan {
  const found = spans.filter((span) => span.kind === kind);
  assert.equal(found.length, 1, JSON.stringify(spans.map(({ name }) => name)));
  return found[0] as ReceivedSpan;
}

/** What the service got since it last forgot. */
function arrived() {
  const all = stage.service.connections.flatMap(({ text }) => readRequests(text).messages);
  return all.at(-1) ?? assert.fail("nothing reached the service");
}

function traceresponse(answer: StrictResponse): { trace: string; span: string; flags: string } {
  const [version, trace = "", span = "", flags = ""] = one(answer, "traceresponse").split("-");
  assert.equal(version, "00");
  return { trace, span, flags };
}

test("a request is one trace for the caller, the record, the service and the collector", async () => {
  stage.service.forget();
  const token = stage.issuer.token({ roles: ["Admin"], sub: "alice" });
  const fields = [`Authorization: Bearer ${token}`, "User-Agent: secret-agent"];
  const answer = await ask(requestBytes("/guarded/a?user=hidden&t=1", fields));
  const { trace, span, flags } = traceresponse(answer);
  assert.equal(flags, "01");
  const spans = await spansOf(trace);
  const server = only(spans, SERVER);
  const client = only(spans, CLIENT);
  assert.equal(server.spanId, span);
  assert.equal(server.parentSpanId, undefined);
  assert.equal(server.name, "GET /guarded/*");
  const decision = one(answer, "sallyport-decision");
  const [host, port] = stage.proxy.split(":");
  const { "network.peer.port": peerPort, ...attributes } = server.attributes;
  assert.equal(typeof peerPort, "number");
  assert.deepEqual(attributes, {
    "http.request.method": "GET",
    "url.scheme": "http",
    "url.path": "/guarded/a",
    "url.query": "user=*&t=*",
    "http.route": "/guarded/*",
    "http.response.status_code": 200,
    "http.request.body.size": 0,
    "http.response.body.size": answer.body.length,
    "server.address": "api.example",
    "client.address": host,
    "network.peer.address": host,
    "network.protocol.version": "1.1",
    "sallyport.decision_id": decision,
    "sallyport.decision": "permit",
    "sallyport.reason": "permitted",
    "sallyport.listener": "edge",
    "sallyport.route": "guarded",
    "sallyport.service": "recorder",
    "sallyport.principal": "test/alice",
  });
  assert.notEqual(port, undefined);
  assert.equal(server.failed, false);
  assert.equal(server.resource["service.name"], "edge");
  assert.equal(server.resource["deployment.environment.name"], "test");
  assert.equal(client.parentSpanId, server.spanId);
  assert.equal(client.attributes["http.response.status_code"], 200);
  assert.equal(client.attributes["server.address"], stage.service.address.split(":")[0]);
  assert.equal(client.attributes["server.port"], Number(stage.service.address.split(":")[1]));
  assert.deepEqual(valuesOf(arrived(), "traceparent"), [`00-${trace}-${client.spanId}-01`]);
  const record = await stage.found(({ decisionId }) => decisionId === decision);
  assert.equal(record["trace"], trace);
  assert.equal(collector.headers.at(-1)?.["x-key"], "the-key-of-the-collector");
});

test("spans lie within each other, and the gate's holds its slow steps", async () => {
  const answer = await ask(requestBytes("/nested"));
  const spans = await spansOf(traceresponse(answer).trace);
  const server = only(spans, SERVER);
  const gate = spans.find(({ name }) => name === "gate") ?? assert.fail("no span of the gate");
  assert.equal(gate.parentSpanId, server.spanId);
  assert.equal(gate.attributes["sallyport.decision"], "permit");
  assert.deepEqual(gate.attributes["sallyport.policies"], ["anybody"]);
  // The stage's log is strict: each permit waits for its disk.
  const record =
    spans.find(({ name }) => name === "record") ?? assert.fail("no span of the record");
  assert.equal(record.parentSpanId, gate.spanId);
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  assert.equal(byId.size, spans.length);
  for (const span of spans) {
    if (span.parentSpanId === undefined) continue;
    const parent = byId.get(span.parentSpanId) ?? assert.fail(`${span.name} hangs on nothing`);
    assert.ok(parent.start <= span.start && span.end <= parent.end, span.name);
  }
  const client = only(spans, CLIENT);
  assert.ok(gate.end <= client.start, "nothing is sent before the gate has decided");
});

test("a caller's trace goes on, with its state, below its span", async () => {
  stage.service.forget();
  const fields = [`traceparent: 00-${TRACE}-${PARENT}-00`, "tracestate: a=1", "tracestate: b=2"];
  const answer = await ask(requestBytes("/followed", fields));
  assert.equal(traceresponse(answer).trace, TRACE);
  const spans = await spansOf(TRACE);
  const server = only(spans, SERVER);
  assert.equal(server.parentSpanId, PARENT);
  assert.equal(server.flags, 0x301);
  assert.equal(server.traceState, "a=1,b=2");
  const request = arrived();
  assert.deepEqual(valuesOf(request, "traceparent"), [
    `00-${TRACE}-${only(spans, CLIENT).spanId}-01`,
  ]);
  assert.deepEqual(valuesOf(request, "tracestate"), ["a=1,b=2"]);
});

const HOSTILE: readonly (readonly string[])[] = [
  ["traceparent: junk", "tracestate: a=1"],
  [`traceparent: 00-${TRACE}-${PARENT}-01`, `traceparent: 00-${TRACE}-${PARENT}-01`],
  [`traceparent: 00-${"0".repeat(32)}-${PARENT}-01`],
  [`traceparent: 00-${TRACE.toUpperCase()}-${PARENT}-01`],
  [`traceparent: ff-${TRACE}-${PARENT}-01`],
  [`traceparent: 00-${TRACE}-${PARENT}-01-${"x".repeat(3000)}`],
];

for (const fields of HOSTILE) {
  test(`a trace begins anew where ${JSON.stringify(fields[0]?.slice(0, 70))} comes (${fields.length})`, async () => {
    stage.service.forget();
    const answer = await ask(requestBytes("/hostile", fields));
    const { trace } = traceresponse(answer);
    assert.notEqual(trace, TRACE);
    const server = only(await spansOf(trace), SERVER);
    assert.equal(server.parentSpanId, undefined);
    assert.equal(valuesOf(arrived(), "traceparent").length, 1);
    assert.deepEqual(valuesOf(arrived(), "tracestate"), []);
  });
}

for (const state of ["a", "a=1,a=2", "A=1", `a=${"v".repeat(600)}`]) {
  test(`a tracestate that cannot go on is left out: ${state.slice(0, 20)}`, async () => {
    stage.service.forget();
    const id = Buffer.from(state).toString("hex").padEnd(32, "9").slice(0, 32);
    const fields = [`traceparent: 00-${id}-${PARENT}-01`, `tracestate: ${state}`];
    await ask(requestBytes("/state", fields));
    assert.deepEqual(valuesOf(arrived(), "tracestate"), []);
    assert.equal(only(await spansOf(id), SERVER).traceState, undefined);
  });
}

test("a denial names its trace in the problem document, the answer, the record and the span", async () => {
  const answer = await ask(requestBytes("/guarded/a"));
  const { trace, flags } = traceresponse(answer);
  assert.equal(flags, "01");
  const problem = JSON.parse(answer.body) as Record<string, unknown>;
  assert.equal(problem["trace"], trace);
  const server = only(await spansOf(trace), SERVER);
  assert.equal(server.attributes["sallyport.reason"], "missing-credential");
  assert.equal(server.attributes["http.response.status_code"], 401);
  assert.equal(server.failed, false, "what a caller does wrong is no error of ours");
  const record = await stage.found(({ decisionId }) => decisionId === problem["decision"]);
  assert.equal(record["trace"], trace);
});

test("bytes that are no request are a trace of their own", async () => {
  const answer = await ask("GET / HTTP/1.1\r\nHost: a\r\nbad field: x\r\n\r\n");
  const { trace } = traceresponse(answer);
  const server = only(await spansOf(trace), SERVER);
  assert.equal(server.name, "HTTP");
  assert.equal(server.attributes["http.response.status_code"], answer.status);
});

test("a service that cannot be reached is an error of its attempt and of the whole", async () => {
  const answer = await ask(requestBytes("/away"));
  assert.equal(answer.status, 502);
  const spans = await spansOf(traceresponse(answer).trace);
  const server = only(spans, SERVER);
  const client = only(spans, CLIENT);
  assert.equal(server.failed && client.failed, true);
  assert.equal(server.attributes["error.type"], "upstream-unreachable");
  assert.equal(client.attributes["error.type"], "upstream-unreachable");
  assert.equal(client.attributes["server.port"], 1);
  const { trace } = JSON.parse(answer.body) as Record<string, unknown>;
  assert.equal(trace, server.traceId);
});

test("a service's own traceresponse is not passed off as ours, and pages may read ours", async () => {
  stage.service.script((request) => {
    const { bytes } = ordinaryAnswer(request);
    return { bytes: bytes.replace("\r\n", "\r\ntraceresponse: 00-theirs\r\n") };
  });
  const answer = await ask(requestBytes("/cors", ["Origin: https://app.example"]));
  stage.service.script(undefined);
  assert.match(one(answer, "traceresponse"), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.match(one(answer, "access-control-expose-headers"), /\btraceresponse\b/);
});

test("every other query, and nothing that a caller calls itself, is in no export", () => {
  const all = collector.texts.join("\n");
  for (const secret of ["hidden", "secret-agent", "the-key-of-the-collector", "eyJ"]) {
    assert.ok(!all.includes(secret), secret);
  }
});

test("what the audit log redacts is in no span", async () => {
  // Goes on where the stage's own section `audit` ends.
  const redact = "  redact: [clientAddress, peerAddress, path]\n";
  const hiding = await startStage({ ...given, config: redact + tracing("  sample: 100%") });
  try {
    const answer = await fetch(`http://${hiding.proxy}/plain-but-hidden`);
    await answer.arrayBuffer();
    const [, trace = ""] = (answer.headers.get("traceresponse") ?? "").split("-");
    const spans = await spansOf(trace);
    assert.ok(spans.length > 2);
    assert.ok(!collector.texts.join("\n").includes("plain-but-hidden"));
    const named = Object.keys(only(spans, SERVER).attributes);
    assert.ok(named.includes("http.route"));
    const HIDDEN = ["client.address", "network.peer.address", "network.peer.port", "url.path"];
    assert.deepEqual(
      HIDDEN.filter((name) => named.includes(name)),
      [],
    );
  } finally {
    await hiding.close();
  }
});

test("after a reload nothing is sampled but what is always kept", async () => {
  await stage.reload({
    ...given,
    config: tracing("  sample: 0\n  always: [denied, errors]\n  trustIncoming: true"),
  });
  const before = collector.spans.length;
  const plain = await ask(requestBytes("/plain"));
  assert.equal(traceresponse(plain).flags, "00");
  const decision = one(plain, "sallyport-decision");
  const record = await stage.found(({ decisionId }) => decisionId === decision);
  assert.equal(record["trace"], undefined);
  assert.deepEqual(valuesOf(arrived(), "traceparent"), [one(plain, "traceresponse")]);

  const denied = await ask(requestBytes("/guarded/a"));
  assert.equal(traceresponse(denied).flags, "01");
  const refused = only(await spansOf(traceresponse(denied).trace), SERVER);
  assert.equal(refused.attributes["sallyport.reason"], "missing-credential");
  const noted = await stage.found(
    ({ decisionId }) => decisionId === one(denied, "sallyport-decision"),
  );
  assert.equal(noted["trace"], refused.traceId);

  const failed = await ask(requestBytes("/away"));
  const { trace, flags } = traceresponse(failed);
  assert.equal(flags, "01");
  const error = only(await spansOf(trace), SERVER);
  assert.equal(error.attributes["http.response.status_code"], 502);
  assert.equal(error.attributes["sallyport.route"], "away");

  const asked = "5".repeat(32);
  const followed = await ask(requestBytes("/asked", [`traceparent: 00-${asked}-${PARENT}-01`]));
  assert.equal(traceresponse(followed).flags, "01");
  assert.equal((await spansOf(asked)).length > 1, true);
  const seen = new Set(collector.spans.slice(before).map(({ traceId }) => traceId));
  assert.deepEqual(seen, new Set([refused.traceId, error.traceId, asked]));
});

test("a collector that is away costs the spans that do not fit, and no request", async () => {
  await stage.reload({
    ...given,
    config: tracing("  sample: 1").replace("interval: 100ms", "interval: 100ms, queue: 64"),
  });
  collector.answer(503);
  for (let index = 0; index < 60; index++) {
    assert.equal((await ask(requestBytes(`/away-${index}`))).status, 200);
  }
  await until(() => stage.log().includes("traces do not reach the collector"));
  const metrics = await (await fetch(`http://${stage.admin}/metrics`)).text();
  assert.match(metrics, /sallyport_trace_spans_total\{outcome="dropped"\} [1-9]/);
  const waiting = Number(/sallyport_trace_queue_spans (\d+)/.exec(metrics)?.[1]);
  assert.ok(waiting > 0 && waiting <= 64, String(waiting));
  collector.answer(200);
});
