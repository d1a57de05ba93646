/**
 * The same traces whatever is spoken, and whoever answers: HTTP/2, gRPC, WebSockets, requests that are sent
 * again, the sidecar, and the token endpoint.
 */
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import test, { after, type TestContext } from "node:test";
import { websocketAccept } from "../../src/wire/websocket.ts";
import { fetchOver } from "../authority/oauth-client.ts";
import { serverAuthority, startTokenStage, SECRET } from "../authority/token-stage.ts";
import { openCaller, type Protocol } from "../e2e/protocols.ts";
import {
  ask as askSidecar,
  json,
  numberedKeys,
  startServer,
  startSidecar,
} from "../e2e/sidecar.ts";
import { requestBytes, type Stage, startStage, type StageOptions, until } from "../e2e/stage.ts";
import { readRequests, readResponses, valuesOf } from "../e2e/strict-http1.ts";
import { type ReceivedSpan, startOtlpReceiver } from "./otlp-receiver.ts";

const SERVER = 2;
const CLIENT = 3;

const collector = await startOtlpReceiver();
after(() => collector.close());

const TRACING = `tracing:
  otlp: { endpoint: "${collector.url}", interval: 100ms }
  sample: 100%
`;

async function stageOf(t: TestContext, options: StageOptions): Promise<Stage> {
  const stage = await startStage({ ...options, config: TRACING });
  t.after(() => stage.close());
  return stage;
}

/** Sends one request; what the answer says of its trace, and its spans once they are there. */
async function traced(stage: Stage, bytes: string, over: Protocol) {
  const connection = await openCaller(stage.proxy, { over, tls: false });
  connection.write(bytes);
  const [method = ""] = bytes.split(" ");
  const answers = () => readResponses(connection.text, [method], connection.closed).messages;
  await connection.until(() => answers().length > 0, 60_000);
  const [answer] = answers();
  connection.destroy();
  assert.ok(answer !== undefined, connection.text);
  const told = valuesOf(answer, "traceresponse")[0] ?? assert.fail("no traceresponse");
  return { answer, spans: await spansOf(told.split("-")[1] ?? "") };
}

async function spansOf(traceId: string): Promise<readonly ReceivedSpan[]> {
  const found = () => collector.spans.filter((span) => span.traceId === traceId);
  await until(() => found().some(({ kind }) => kind === SERVER));
  assert.deepEqual(collector.faults, []);
  return found();
}

function of(spans: readonly ReceivedSpan[], kind: number): readonly ReceivedSpan[] {
  return spans
    .filter((span) => span.kind === kind)
    .toSorted((a, b) => (a.start < b.start ? -1 : 1));
}

test("over HTTP/2, to a service over HTTP/2", async (t) => {
  const stage = await stageOf(t, { upstream: "h2" });
  const { spans } = await traced(stage, requestBytes("/a"), "h2");
  const [server] = of(spans, SERVER);
  const [client, ...more] = of(spans, CLIENT);
  assert.deepEqual(more, []);
  assert.equal(server?.attributes["network.protocol.version"], "2");
  assert.equal(client?.attributes["network.protocol.version"], "2");
  const [request] = stage.service.connections.flatMap(({ text }) => readRequests(text).messages);
  assert.ok(request !== undefined);
  const expected = `00-${server?.traceId}-${client?.spanId}-01`;
  assert.deepEqual(valuesOf(request, "traceparent"), [expected]);
});

test("a gRPC call that is refused, with its status", async (t) => {
  const stage = await stageOf(t, { upstream: "h2" });
  const fields = ["Host: api.example", "Content-Type: application/grpc", "TE: trailers"];
  const bytes = ["POST /guarded/Get HTTP/1.1", ...fields, "Content-Length: 0", "", ""].join("\r\n");
  const { spans } = await traced(stage, bytes, "h2");
  const [server] = of(spans, SERVER);
  assert.equal(server?.attributes["rpc.system"], "grpc");
  assert.equal(server?.attributes["rpc.grpc.status_code"], 16);
  assert.equal(server?.attributes["sallyport.reason"], "missing-credential");
  assert.equal(server?.failed, false);
});

/** Says 503 to every other request. */
async function startFlaky(t: TestContext): Promise<{ origin: string; seen: string[] }> {
  const seen: string[] = [];
  const server: Server = createServer((request, response) => {
    seen.push(String(request.headers["traceparent"]));
    response.writeHead(seen.length % 2 === 1 ? 503 : 200).end("x");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

test("a request that is sent again is an attempt more, and each has its own parent for the service", async (t) => {
  const { origin, seen } = await startFlaky(t);
  const stage = await stageOf(t, {
    services: `  flaky: { endpoints: ["${origin}"], retries: { on: [503], backoff: 1ms } }`,
    routes: `  - { name: flaky, path: /flaky, service: flaky, authenticate: [anonymous] }`,
  });
  const { answer, spans } = await traced(stage, requestBytes("/flaky"), "http/1.1");
  assert.equal(answer.status, 200);
  const [server] = of(spans, SERVER);
  const [first, second, ...more] = of(spans, CLIENT);
  assert.ok(first !== undefined && second !== undefined && more.length === 0);
  assert.equal(server?.failed, false);
  assert.deepEqual(
    [first, second].map(({ attributes, failed }) => [
      attributes["http.response.status_code"],
      attributes["http.request.resend_count"],
      attributes["error.type"],
      failed,
    ]),
    [
      [503, undefined, "503", true],
      [200, 1, undefined, false],
    ],
  );
  assert.ok(first.end <= second.start);
  const expected = [first, second].map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`);
  assert.deepEqual(seen, expected);
});

test("a WebSocket is one span from its handshake to its end", async (t) => {
  const stage = await stageOf(t, {
    routes: `  - { name: socket, path: /socket, service: recorder, authenticate: [anonymous], upgrades: [websocket] }`,
  });
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  stage.service.script(() => ({
    bytes: `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${websocketAccept(key)}\r\n\r\n`,
    close: true,
  }));
  const fields = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  const { spans } = await traced(
    stage,
    requestBytes("/socket", [...fields, `Sec-WebSocket-Key: ${key}`]),
    "http/1.1",
  );
  assert.equal(of(spans, SERVER)[0]?.attributes["http.response.status_code"], 101);
  assert.equal(of(spans, CLIENT)[0]?.attributes["http.response.status_code"], 101);
});

test("a sidecar's trace goes on to the service, and its refusals are in it", async (t) => {
  const tokens = await startServer(t, numberedKeys("Bearer"));
  const service = await startServer(t, (response) => json(response, 200, { fine: true }));
  const { out, found } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: `    billing: { host: billing.internal, endpoints: ["${service.origin}"], bind: none }`,
    config: TRACING,
  });
  const caller = "6".repeat(32);
  const parent = "7".repeat(16);
  const headers = { traceparent: `00-${caller}-${parent}-01`, tracestate: "a=1" };
  const answer = await askSidecar(out, { headers });
  assert.equal(answer.status, 200);
  const spans = await spansOf(caller);
  const [server] = of(spans, SERVER);
  const [client] = of(spans, CLIENT);
  assert.equal(server?.parentSpanId, parent);
  assert.equal(answer.headers["traceresponse"], `00-${caller}-${server?.spanId}-01`);
  assert.equal(client?.parentSpanId, server?.spanId);
  const [got] = service.received;
  assert.equal(got?.headers["traceparent"], `00-${caller}-${client?.spanId}-01`);
  assert.equal(got?.headers["tracestate"], "a=1");
  const decision = answer.headers["sallyport-decision"];
  const record = await found(({ decisionId }) => decisionId === decision);
  assert.equal(record["trace"], caller);

  const refused = await askSidecar(out, { host: "elsewhere.internal" });
  const { trace } = JSON.parse(refused.body) as Record<string, unknown>;
  const [denied] = of(await spansOf(String(trace)), SERVER);
  assert.equal(denied?.attributes["http.response.status_code"], refused.status);
});

test("the token endpoint has spans, and none of them holds a secret", async (t) => {
  const stage = await startTokenStage({ config: TRACING });
  t.after(() => stage.close());
  const form = (secret: string): URLSearchParams =>
    new URLSearchParams({
      grant_type: "client_credentials",
      client_id: "old",
      client_secret: secret,
      resource: "recorder",
      scope: "read",
    });
  const reach = fetchOver({ address: stage.proxy, ca: serverAuthority, certificate: undefined });
  const endpoint = "https://api.example/.sallyport/token";
  for (const secret of [SECRET, `${SECRET}-wrong`]) {
    const answer = await reach(endpoint, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: form(secret),
      redirect: "manual",
    });
    const told = answer.headers.get("traceresponse")?.split("-")[1] ?? assert.fail("no trace");
    const [server] = of(await spansOf(told), SERVER);
    assert.equal(server?.attributes["http.response.status_code"], answer.status);
    assert.equal(server?.attributes["url.path"], "/.sallyport/token");
    const decision = answer.headers.get("sallyport-decision");
    assert.equal(server?.attributes["sallyport.decision_id"], decision);
    const record = await stage.found(({ decisionId }) => decisionId === decision);
    assert.equal(record["trace"], told);
    assert.equal(record["reason"], server?.attributes["sallyport.reason"]);
  }
  assert.ok(!collector.texts.join("").includes(SECRET));
});
