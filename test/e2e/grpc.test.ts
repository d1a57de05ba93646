/**
 * gRPC through `sallyport run`, frame by frame: what passes, how calls are refused, what bounds them, how
 * streams end that may not go on, and what is recorded.
 */
import { strict as assert } from "node:assert";
import { createServer, type AddressInfo } from "node:net";
import test, { after } from "node:test";
import type { Fields } from "../../src/model/http.ts";
import { H2_ERROR } from "../../src/wire/http2/codes.ts";
import { getAllFields, getField } from "../../src/wire/fields.ts";
import { GrpcCaller, message, type ServiceCall, startGrpcService } from "./grpc-ends.ts";
import type { AuditRecord } from "./judge.ts";
import { RawConnection } from "./raw-connection.ts";
import { startStage, type StageOptions } from "./stage.ts";

const service = await startGrpcService();
const OPTIONS = {
  // Every call here that pauses shows that it may.
  listener: "    limits: { bodyTimeout: 300ms }",
  authenticators: `  exact:
    type: jwt
    issuer: https://exact.example
    jwks: file:jwks.json
    audience: [https://api.example]
    algorithms: [ES256]
    clockSkew: 0s
    principal: { kind: workload, subject: sub }`,
  services: `  shop: { endpoints: ["h2c://127.0.0.1:${service.port}"] }
  twice:
    endpoints: ["h2c://127.0.0.1:${service.port}"]
    retries: { on: [grpc-unavailable], attempts: 2, backoff: 1ms, bodyBytes: 1KiB }
  frail:
    endpoints: ["h2c://127.0.0.1:${service.port}"]
    outliers: { consecutive: 2, maxEjected: 100 }
    panic: 0
  dead: { endpoints: ["h2c://127.0.0.1:${await closedPort()}"] }`,
  routes: `  - { name: shop, path: "/shop.Orders/*", service: shop, authenticate: [test, exact], lifetime: none }
  - { name: open, path: "/open.Orders/{method}", methods: [POST], service: shop, authenticate: [anonymous] }
  - { name: short, path: "/short.Orders/*", service: shop, authenticate: [anonymous], timeout: 1s }
  - { name: rare, path: "/rare.Orders/*", service: shop, authenticate: [anonymous], limit: { requests: 1, per: 1h } }
  - { name: twice, path: "/twice.Orders/*", service: twice, authenticate: [anonymous] }
  - { name: frail, path: "/frail.Orders/*", service: frail, authenticate: [anonymous] }
  - { name: plain, path: "/plain.Orders/*", service: recorder, authenticate: [anonymous] }
  - { name: dead, path: "/dead.Orders/*", service: dead, authenticate: [anonymous] }`,
  policies: `
@id("lookers") permit (principal, action, resource == Sallyport::Route::"shop")
when { ["/shop.Orders/Get", "/shop.Orders/Watch"].contains(context.path) };
@id("no-burning") forbid (principal, action, resource == Sallyport::Route::"open")
when { context.params has method && context.params.method == "Burn" };`,
  catchAll: false,
} satisfies StageOptions;
const stage = await startStage(OPTIONS);
const caller = await GrpcCaller.open(stage.proxy);
after(async () => {
  caller.close();
  await stage.close();
  service.close();
});

const TOKEN = ["authorization", `Bearer ${stage.issuer.token()}`];

test("a call passes with its fields, its messages both ways and its trailers", async () => {
  const fields = ["grpc-encoding", "identity", "grpc-accept-encoding", "gzip", "x-tag-bin", "AAE="];
  const id = caller.call("/shop.Orders/Watch", [...TOKEN, "grpc-timeout", "20S", ...fields], "one");
  const call = await service.next();
  await call.peer.until("data", (seen) => seen.id === call.id && seen.end);
  assert.equal(getField(call.fields, ":path"), "/shop.Orders/Watch");
  assert.equal(getField(call.fields, "content-type"), "application/grpc");
  assert.deepEqual(getAllFields(call.fields, "te"), ["trailers"]);
  assert.equal(getField(call.fields, "authorization"), undefined);
  for (let index = 0; index < fields.length; index += 2) {
    assert.equal(getField(call.fields, fields[index] ?? ""), fields[index + 1]);
  }
  assert.match(getField(call.fields, "grpc-timeout") ?? "", /^(20S|\d+[um])$/);
  call.begin();
  call.message("uno");
  call.message("due");
  call.end(["grpc-status", "5", "grpc-message", "no such order", "x-left", "3"]);
  const answer = await caller.answer(id);
  assert.equal(getField(answer.fields, ":status"), "200");
  assert.equal(answer.body, Buffer.concat([message("uno"), message("due")]).toString("latin1"));
  assert.deepEqual(answer.trailers, [
    "grpc-status",
    "5",
    "grpc-message",
    "no such order",
    "x-left",
    "3",
  ]);
  const completion = await completionOf(answer.fields);
  assert.deepEqual([completion["status"], completion["grpcStatus"]], [200, 5]);
  assert.equal(completion["end"], "complete");
  await untilMetric('sallyport_grpc_calls_total{route="shop",grpc_status="NOT_FOUND"} 1');
});

test("a service's trailers-only answer stays one", async () => {
  const id = caller.call("/open.Orders/Get", [], "one");
  const call = await service.next();
  call.end(["grpc-status", "9", "grpc-message", "closed"]);
  const fields = await caller.trailersOnly(id);
  assert.equal(getField(fields, "grpc-status"), "9");
  assert.equal((await completionOf(fields))["grpcStatus"], 9);
});

test("refusals of the gate are trailers-only, name the decision, and reach no service", async () => {
  const arrived = service.count;
  const cases: readonly (readonly [string, Fields, number, string])[] = [
    ["/shop.Orders/Get", [], 16, "missing-credential"],
    ["/shop.Orders/Get", ["authorization", "Bearer x.y.z"], 16, "malformed-credential"],
    ["/shop.Orders/Place", TOKEN, 7, "no-permit"],
    ["/open.Orders/Burn", [], 7, "forbidden"],
    ["/other.Service/Get", [], 12, "no-route"],
  ];
  for (const [path, sent, status, reason] of cases) {
    const fields = await caller.trailersOnly(caller.call(path, sent, "one"));
    assert.equal(getField(fields, ":status"), "200", reason);
    assert.equal(getField(fields, "content-type"), "application/grpc");
    assert.equal(getField(fields, "grpc-status"), String(status), reason);
    assert.equal(getField(fields, "content-length"), undefined);
    const decision = getField(fields, "sallyport-decision") ?? "";
    const text = getField(fields, "grpc-message") ?? "";
    assert.ok(text.includes(reason) && text.includes(decision), text);
    const record = await stage.found(
      (one) => one["type"] === "decision" && one["decisionId"] === decision,
    );
    assert.equal(record["reason"], reason);
    const completion = await completionOf(fields);
    assert.deepEqual([completion["status"], completion["grpcStatus"]], [200, status]);
  }
  assert.equal(service.count, arrived);
  await untilMetric(
    'sallyport_requests_total{route="shop",decision="deny",reason="no-permit",status="200"} 1',
  );
  await untilMetric('sallyport_grpc_calls_total{route="shop",grpc_status="PERMISSION_DENIED"} 1');
});

test("a refusal does not wait for a caller that goes on sending", async () => {
  const id = caller.call("/shop.Orders/Get");
  assert.equal(getField(await caller.trailersOnly(id), "grpc-status"), "16");
  const reset = await caller.peer.until("rst", (seen) => seen.id === id);
  assert.equal(reset.code, H2_ERROR.noError);
});

test("limits answer RESOURCE_EXHAUSTED and say when to come back", async () => {
  caller.call("/rare.Orders/Get", [], "one");
  (await service.next()).end(["grpc-status", "0"]);
  const fields = await caller.trailersOnly(caller.call("/rare.Orders/Get", [], "two"));
  assert.equal(getField(fields, "grpc-status"), "8");
  const pushback = Number(getField(fields, "grpc-retry-pushback-ms"));
  assert.ok(pushback > 3_500_000 && pushback <= 3_600_000, String(pushback));
  assert.ok(getField(fields, "ratelimit") !== undefined);
});

test("gRPC-Web over HTTP/2 and gRPC's type over HTTP/1.1 are answered as HTTP", async () => {
  const web = caller.call(
    "/other.Service/Get",
    ["content-type", "application/grpc-web+proto"],
    "x",
  );
  const answer = await caller.answer(web);
  assert.equal(getField(answer.fields, ":status"), "404");
  assert.equal(getField(answer.fields, "content-type"), "application/problem+json");
  const connection = await RawConnection.open(stage.proxy);
  connection.write(
    "POST /other.Service/Get HTTP/1.1\r\nHost: api.example\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
  );
  await connection.until(() => connection.closed);
  assert.match(connection.text, /^HTTP\/1.1 404 [^]*application\/problem\+json/);
});

test("gRPC-Web passes as the plain POST that it is", async () => {
  const id = caller.call("/open.Orders/Get", ["content-type", "application/grpc-web+proto"], "one");
  const call = await service.next();
  call.peer.section(
    call.id,
    [":status", "200", "content-type", "application/grpc-web+proto"],
    false,
  );
  call.peer.send(call.id, "message and trailers", true);
  const answer = await caller.answer(id);
  assert.equal(answer.body, "message and trailers");
  assert.equal((await completionOf(answer.fields))["grpcStatus"], undefined);
});

test("a deadline that cannot be read is refused before anything is sent", async () => {
  const arrived = service.count;
  for (const timeout of [["1s"], ["-1S"], ["1S", "1S"]]) {
    const sent = timeout.flatMap((value) => ["grpc-timeout", value]);
    const fields = await caller.trailersOnly(caller.call("/open.Orders/Get", sent, "one"));
    assert.equal(getField(fields, "grpc-status"), "3");
    assert.equal((await completionOf(fields))["end"], "invalid-deadline");
  }
  const passed = caller.call("/open.Orders/Get", ["grpc-timeout", "0n"], "one");
  assert.equal(getField(await caller.trailersOnly(passed), "grpc-status"), "4");
  assert.equal(service.count, arrived);
});

test("a deadline ends a call that has no answer yet, and the service is told", async () => {
  const id = caller.call("/open.Orders/Get", ["grpc-timeout", "1S"], "one");
  const call = await service.next();
  const fields = await caller.trailersOnly(id);
  assert.equal(getField(fields, "grpc-status"), "4");
  const reset = await call.peer.until("rst", (seen) => seen.id === call.id);
  assert.equal(reset.code, H2_ERROR.cancel);
  const completion = await completionOf(fields);
  assert.deepEqual([completion["end"], completion["grpcStatus"]], ["deadline-exceeded", 4]);
});

test("a deadline ends an answer that streams with trailers, on a route without any bound too", async () => {
  const id = caller.call("/shop.Orders/Watch", [...TOKEN, "grpc-timeout", "1S"], "one");
  const call = await service.next();
  call.begin();
  call.message("uno");
  const { fields, body, trailers } = await caller.answer(id);
  assert.equal(getField(fields, ":status"), "200");
  assert.equal(body, message("uno").toString("latin1"));
  assert.equal(getField(trailers, "grpc-status"), "4");
  await call.peer.until("rst", (seen) => seen.id === call.id);
  const completion = await completionOf(fields);
  assert.deepEqual([completion["end"], completion["grpcStatus"]], ["deadline-exceeded", 4]);
});

test("a route's own timeout is DEADLINE_EXCEEDED, whatever the caller would wait", async () => {
  const id = caller.call("/short.Orders/Get", ["grpc-timeout", "1H"], "one");
  const call = await service.next();
  assert.match(getField(call.fields, "grpc-timeout") ?? "", /^(1H|\d+[Sm])$/);
  const fields = await caller.trailersOnly(id);
  assert.equal(getField(fields, "grpc-status"), "4");
  assert.equal((await completionOf(fields))["end"], "upstream-timeout");
});

test("a service that cannot be reached, or breaks off, is UNAVAILABLE", async () => {
  const dead = await caller.trailersOnly(caller.call("/dead.Orders/Get", [], "one"));
  assert.equal(getField(dead, "grpc-status"), "14");
  const early = caller.call("/open.Orders/Get", [], "one");
  const first = await service.next();
  first.peer.rst(first.id, H2_ERROR.internalError);
  assert.equal(getField(await caller.trailersOnly(early), "grpc-status"), "14");

  const late = caller.call("/open.Orders/Get", [], "one");
  const second = await service.next();
  second.begin();
  second.message("half of a list");
  await caller.peer.until("data", (seen) => seen.id === late);
  second.peer.socket.destroy();
  const { fields, trailers } = await caller.answer(late);
  assert.equal(getField(trailers, "grpc-status"), "14");
  const completion = await completionOf(fields);
  assert.deepEqual([completion["end"], completion["grpcStatus"]], ["upstream-protocol", 14]);
});

test("a caller may pause as long as its route allows; what is no call may not", async () => {
  const id = caller.call("/open.Orders/Get");
  const call = await service.next();
  const plain = caller.call("/open.Orders/Get", ["content-type", "text/plain"]);
  await service.next();
  const late = await caller.answer(plain);
  assert.equal(getField(late.fields, ":status"), "408");
  caller.peer.send(id, message("at last"), true);
  assert.equal(await received(call), message("at last").toString("latin1"));
  call.end(["grpc-status", "0"]);
  assert.equal(getField(await caller.trailersOnly(id), "grpc-status"), "0");
});

test("to a service over HTTP/1.1 the type of a call does not let a body trickle", async () => {
  const fields = await caller.trailersOnly(caller.call("/plain.Orders/Get"));
  assert.equal(getField(fields, "grpc-status"), "4");
  assert.equal((await completionOf(fields))["end"], "request-timeout");
});

test("a caller that has stopped reading is reset: trailers would wait behind what it does not take", async () => {
  const slow = await GrpcCaller.open(stage.proxy);
  slow.peer.reading = false;
  const id = slow.call("/shop.Orders/Watch", [...TOKEN, "grpc-timeout", "2S"], "one");
  const call = await service.next();
  call.begin();
  // More than its window and what waits for it here, and never more than the window that we give.
  const given = (): number => call.peer.seen.filter(({ type }) => type === "windowUpdate").length;
  for (let batch = 1; batch <= 3; batch++) {
    const before = given();
    for (let sent = 0; sent < 3; sent++) call.message("x".repeat(16_000));
    if (batch < 3) await call.peer.until("windowUpdate", () => given() > before);
  }
  const [last] = (await slow.ended(id)).slice(-1);
  assert.deepEqual(last, { type: "rst", id, code: H2_ERROR.internalError });
  const head = await slow.peer.until("headers", (seen) => seen.id === id);
  const completion = await completionOf(head.fields);
  assert.deepEqual([completion["end"], completion["grpcStatus"]], ["deadline-exceeded", undefined]);
  slow.close();
});

test("a caller that cancels is heard by the service", async () => {
  const id = caller.call("/shop.Orders/Watch", TOKEN);
  const call = await service.next();
  call.begin();
  await caller.peer.until("headers", (seen) => seen.id === id);
  caller.peer.rst(id, H2_ERROR.cancel);
  const reset = await call.peer.until("rst", (seen) => seen.id === call.id);
  assert.equal(reset.code, H2_ERROR.cancel);
});

test("a call that its service refused unprocessed is sent again; what it may have seen is not", async () => {
  const id = caller.call("/open.Orders/Get", [], "one");
  const refused = await service.next();
  refused.peer.rst(refused.id, H2_ERROR.refusedStream);
  (await service.next()).end(["grpc-status", "0"]);
  assert.equal(getField(await caller.trailersOnly(id), "grpc-status"), "0");
});

const UNAVAILABLE = ["grpc-status", "14", "grpc-message", "busy"];

test("a call that is answered UNAVAILABLE is sent again where the service says so, with its messages", async () => {
  const id = caller.call("/twice.Orders/Get", [], "one");
  (await service.next()).end(UNAVAILABLE);
  const second = await service.next();
  assert.equal(await received(second), message("one").toString("latin1"));
  second.begin();
  second.end(["grpc-status", "0"]);
  assert.equal(getField((await caller.answer(id)).trailers, "grpc-status"), "0");
});

test("such a call is not sent again when that is spent, begun, too large, or told to wait", async () => {
  const spent = caller.call("/twice.Orders/Get", [], "one");
  for (let attempt = 0; attempt < 3; attempt++) (await service.next()).end(UNAVAILABLE);
  assert.equal(getField(await caller.trailersOnly(spent), "grpc-message"), "busy");

  const begun = caller.call("/twice.Orders/Get", [], "one");
  const call = await service.next();
  call.begin();
  call.end(UNAVAILABLE);
  assert.equal(getField((await caller.answer(begun)).trailers, "grpc-status"), "14");

  const large = caller.call("/twice.Orders/Get", [], "x".repeat(2000));
  const taken = await service.next();
  await received(taken);
  taken.end(UNAVAILABLE);
  assert.equal(getField(await caller.trailersOnly(large), "grpc-status"), "14");

  const pushed = caller.call("/twice.Orders/Get", [], "one");
  (await service.next()).end([...UNAVAILABLE, "grpc-retry-pushback-ms", "50"]);
  const fields = await caller.trailersOnly(pushed);
  assert.equal(getField(fields, "grpc-retry-pushback-ms"), "50");
});

test("a call is not sent again where the service does not say so, nor for another status", async () => {
  const plain = caller.call("/open.Orders/Get", [], "one");
  (await service.next()).end(UNAVAILABLE);
  assert.equal(getField(await caller.trailersOnly(plain), "grpc-status"), "14");
  const other = caller.call("/twice.Orders/Get", [], "one");
  (await service.next()).end(["grpc-status", "13"]);
  assert.equal(getField(await caller.trailersOnly(other), "grpc-status"), "13");
  const web = caller.call("/twice.Orders/Get", ["content-type", "application/grpc-web"], "one");
  (await service.next()).end(UNAVAILABLE);
  await caller.trailersOnly(web);
  assert.equal(service.waiting, 0);
});

test("an endpoint that answers UNAVAILABLE again and again is put out", async () => {
  for (const _ of [1, 2]) {
    const id = caller.call("/frail.Orders/Get", [], "one");
    (await service.next()).end(UNAVAILABLE);
    assert.equal(getField(await caller.trailersOnly(id), "grpc-message"), "busy");
  }
  const fields = await caller.trailersOnly(caller.call("/frail.Orders/Get", [], "one"));
  assert.equal(getField(fields, "grpc-status"), "14");
  assert.match(getField(fields, "grpc-message") ?? "", /no-endpoint/);
  assert.equal(getField(fields, "grpc-retry-pushback-ms"), "5000");
});

test("a new policy ends the streams that it denies with PERMISSION_DENIED", async () => {
  const id = caller.call("/shop.Orders/Watch", TOKEN);
  const call = await service.next();
  call.begin();
  call.message("uno");
  await caller.peer.until("data", (seen) => seen.id === id);
  await stage.reload({
    ...OPTIONS,
    policies: '@id("closed") forbid (principal, action, resource == Sallyport::Route::"shop");',
  });
  const { fields, trailers } = await caller.answer(id);
  assert.equal(getField(trailers, "grpc-status"), "7");
  await call.peer.until("rst", (seen) => seen.id === call.id);
  const completion = await completionOf(fields);
  assert.deepEqual([completion["end"], completion["grpcStatus"]], ["forbidden", 7]);
  await stage.reload(OPTIONS);
});

test("an identity that expires ends its streams, also where only the caller has sent", async () => {
  const exp = Math.floor(Date.now() / 1000) + 4;
  const token = stage.issuer.token({ iss: "https://exact.example", exp });
  const fields = ["authorization", `Bearer ${token}`];
  const answering = caller.call("/shop.Orders/Watch", fields);
  (await service.next()).begin();
  const sending = caller.call("/shop.Orders/Get", fields);
  const call = await service.next();
  const { trailers } = await caller.answer(answering);
  assert.equal(getField(trailers, "grpc-status"), "16");
  assert.match(getField(trailers, "grpc-message") ?? "", /token-expired/);
  assert.equal(getField(await caller.trailersOnly(sending), "grpc-status"), "16");
  await call.peer.until("rst", (seen) => seen.id === call.id);
  assert.ok(Date.now() / 1000 >= exp);
});

/** The messages of a call, once its caller has ended. */
async function received({ peer, id }: ServiceCall): Promise<string> {
  await peer.until("data", (seen) => seen.id === id && seen.end);
  return peer.seen
    .flatMap((seen) =>
      seen.type === "data" && seen.id === id ? [seen.bytes.toString("latin1")] : [],
    )
    .join("");
}

function completionOf(fields: Fields): Promise<AuditRecord> {
  const id = getField(fields, "sallyport-decision");
  return stage.found((record) => record["type"] === "completion" && record["decisionId"] === id);
}

async function untilMetric(line: string): Promise<void> {
  for (;;) {
    const response = await fetch(`http://${stage.admin}/metrics`);
    if ((await response.text()).includes(line)) return;
  }
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
