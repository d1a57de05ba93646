/**
 * WebSockets (RFC 8441) and endless responses over HTTP/2 through `sallyport run`: many share one
 * connection, and each is decided about again on its own when a new configuration is in force or its
 * identity expires. What ends one leaves the others of its connection alone.
 */
import { strict as assert } from "node:assert";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test, { after } from "node:test";
import { startEchoService } from "../../examples/websocket-service.ts";
import { CODE } from "../http2/codes.ts";
import { rstStreamFrame } from "../http2/frames.ts";
import type { Field } from "../http2/hpack.ts";
import { answerFields, Http2Peer, requestFields, statusOf } from "../http2/peer.ts";
import { Http2WebSocket } from "../http2/websocket.ts";
import type { AuditRecord } from "./judge.ts";
import { startStage, type StageOptions, until } from "./stage.ts";

const STRANGERS =
  '@id("no-strangers") forbid (principal is Sallyport::Anonymous, action, resource) unless { context.path like "/good*" };';

const echo = await startEchoService();
const events = await startEvents();
const OPTIONS = {
  authenticators: `  exact:
    type: jwt
    issuer: https://exact.example
    jwks: file:jwks.json
    audience: [https://api.example]
    algorithms: [ES256]
    clockSkew: 0s
    principal: { kind: workload, subject: sub }`,
  routes: `  - name: chat
    path: /chat/*
    service: echo
    authenticate: [test, exact, anonymous]
    upgrades: [websocket]
  - name: events
    path: /events
    service: events
    authenticate: [test, exact, anonymous]
    timeout: 1s
    lifetime: none`,
  services: `  echo: { endpoints: ["http://${echo.address}"] }
  events: { endpoints: ["http://${events.address}"] }`,
  policies: `@id("chat") permit (principal, action, resource == Sallyport::Route::"chat");
@id("events") permit (principal, action, resource == Sallyport::Route::"events");`,
} satisfies StageOptions;
const stage = await startStage(OPTIONS);
after(async () => {
  await stage.close();
  await echo.close();
  await events.close();
});

test("a WebSocket over HTTP/2 echoes, beside others and requests on its connection", async () => {
  const caller = await Http2Peer.open(stage.proxy);
  const first = await Http2WebSocket.open(caller, 1, "/chat/a");
  const second = await Http2WebSocket.open(caller, 3, "/chat/b");
  assert.deepEqual([first.status, second.status], [200, 200]);
  assert.equal(await first.echo("hello"), "hello");
  assert.equal(await second.echo("you"), "you");
  assert.equal(statusOf(await caller.get(5, "/open")), 200);
  assert.match(echo.heads.at(-1) ?? "", /^GET \/chat\/b HTTP\/1\.1\r\n[^]*upgrade: websocket\r\n/);
  first.close(1000);
  assert.deepEqual(await first.ended(), { code: 1000, reason: "" });
  await caller.answer(1);
  assert.equal(await second.echo("still here"), "still here");
  const completion = await completionOf(answerFields(first.stream));
  assert.equal(completion["end"], "complete");
  assert.equal(completion["requestBytes"], 6 + 5 + (6 + 2));
  assert.equal(completion["responseBytes"], 2 + 5 + (2 + 2));
  caller.destroy();
});

test("an upgrade over HTTP/2 is refused where the route does not list it", async () => {
  const arrived = echo.heads.length;
  const caller = await Http2Peer.open(stage.proxy);
  const elsewhere = await Http2WebSocket.open(caller, 1, "/events");
  assert.equal(elsewhere.status, 403);
  await caller.answer(1);
  assert.match(String(elsewhere.stream.body), /"reason":"upgrade-not-allowed"/);
  const old = await Http2WebSocket.open(caller, 3, "/chat/a", [["sec-websocket-version", "8"]]);
  assert.equal(old.status, 400);
  assert.equal(statusOf(await caller.get(5, "/open")), 200);
  assert.equal(echo.heads.length, arrived);
  caller.destroy();
});

test("a WebSocket whose caller resets its stream ends at the service", async () => {
  const caller = await Http2Peer.open(stage.proxy);
  const socket = await Http2WebSocket.open(caller, 1, "/chat/reset");
  assert.equal(await socket.echo("hello"), "hello");
  const open = echo.sockets.size;
  caller.send(rstStreamFrame(1, CODE.cancel));
  await until(() => echo.sockets.size === open - 1);
  assert.equal((await completionOf(answerFields(socket.stream)))["end"], "caller-gone");
  assert.equal(statusOf(await caller.get(3, "/open")), 200);
  caller.destroy();
});

test("a WebSocket whose service vanishes ends for its caller", async () => {
  const caller = await Http2Peer.open(stage.proxy);
  const socket = await Http2WebSocket.open(caller, 1, "/chat/vanish");
  assert.equal(await socket.echo("hello"), "hello");
  for (const one of echo.sockets) one.resetAndDestroy();
  await caller.answer(1);
  assert.equal((await completionOf(answerFields(socket.stream)))["end"], "upstream-unreachable");
  assert.equal(statusOf(await caller.get(3, "/open")), 200);
  caller.destroy();
});

test("a new policy closes the streams that it denies, and no others of their connection", async () => {
  const admin: Field = ["authorization", `Bearer ${stage.issuer.token({ roles: ["Admin"] })}`];
  const caller = await Http2Peer.open(stage.proxy);
  const stranger = await Http2WebSocket.open(caller, 1, "/chat/stranger");
  const kept = await Http2WebSocket.open(caller, 3, "/chat/admin", [admin]);
  await listen(caller, 5);
  await listen(caller, 7, [admin]);
  await stage.reload({ ...OPTIONS, policies: `${OPTIONS.policies}${STRANGERS}` });
  assert.deepEqual(await stranger.ended(), { code: 1008, reason: "forbidden" });
  const cut = await caller.answer(5);
  assert.equal(cut.ended, false, "cut off, not ended");
  for (const stream of [stranger.stream, cut]) {
    const completion = await completionOf(answerFields(stream));
    assert.equal(completion["end"], "forbidden");
    const denial = await stage.found(
      (record) => record["type"] === "decision" && record["stream"] === completion["decisionId"],
    );
    assert.equal(denial["reason"], "forbidden");
  }
  assert.equal(await kept.echo("still here"), "still here");
  events.say("data: still here\n\n");
  await caller.until("an event", () => caller.stream(7).body.includes("still here"));
  await stage.reload(OPTIONS);
  caller.destroy();
});

test("an identity that expires closes its streams, and no others of their connection", async () => {
  const exp = Math.floor(Date.now() / 1000) + 2;
  const token = stage.issuer.token({ iss: "https://exact.example", exp });
  const fields: Field[] = [["authorization", `Bearer ${token}`]];
  const caller = await Http2Peer.open(stage.proxy);
  const socket = await Http2WebSocket.open(caller, 1, "/chat/expiry", fields);
  const other = await Http2WebSocket.open(caller, 3, "/chat/anonymous");
  await listen(caller, 5, fields);
  assert.deepEqual(await socket.ended(), { code: 1008, reason: "token-expired" });
  assert.ok(Date.now() / 1000 >= exp);
  const cut = await caller.answer(5);
  assert.equal(cut.ended, false);
  assert.equal((await completionOf(answerFields(cut)))["end"], "token-expired");
  assert.equal(await other.echo("still here"), "still here");
  caller.destroy();
});

test("events go out one by one over HTTP/2, to a caller that then cancels", async () => {
  const caller = await Http2Peer.open(stage.proxy);
  await listen(caller, 1);
  for (let count = 0; count < 20; count += 1) {
    events.say(`data: ${count}\n\n`);
    await caller.until("the event", () => caller.stream(1).body.includes(`data: ${count}\n\n`));
  }
  caller.send(rstStreamFrame(1, CODE.cancel));
  const completion = await completionOf(answerFields(caller.stream(1)));
  assert.equal(completion["end"], "caller-gone");
  assert.equal(statusOf(await caller.get(3, "/open")), 200);
  caller.destroy();
});

test("on SIGTERM streams of HTTP/2 are told, and what is in flight ends", async () => {
  const other = await startStage(OPTIONS);
  const caller = await Http2Peer.open(other.proxy);
  const socket = await Http2WebSocket.open(caller, 1, "/chat/drain");
  caller.headers(3, requestFields("POST", "/open"), false);
  caller.data(3, "begun, ");
  await caller.roundTrip();
  const closed = other.close();
  await caller.until("GOAWAY", () => caller.goaway !== undefined);
  assert.equal((await socket.ended()).code, 1001);
  caller.data(3, "and ended", true);
  const seen = await caller.answer(3);
  assert.equal(statusOf(seen), 200);
  assert.match(String(seen.body), /begun, and ended/);
  await caller.gone();
  caller.destroy();
  await closed;
});

async function startEvents(): Promise<{
  readonly address: string;
  say(text: string): void;
  close(): Promise<void>;
}> {
  const listeners = new Set<ServerResponse>();
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": open\n\n");
    listeners.add(response);
    response.on("close", () => listeners.delete(response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    say: (text) => listeners.forEach((response) => response.write(text)),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Asks for `/events` and waits for the beginning. */
async function listen(caller: Http2Peer, id: number, fields: readonly Field[] = []): Promise<void> {
  caller.headers(id, [...requestFields("GET", "/events"), ...fields]);
  await caller.until("its beginning", () => caller.stream(id).body.includes(": open\n\n"));
}

function completionOf(answer: readonly Field[]): Promise<AuditRecord> {
  const id = answer.find(([name]) => name === "sallyport-decision")?.[1];
  return stage.found((record) => record["type"] === "completion" && record["decisionId"] === id);
}
