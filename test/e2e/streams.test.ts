/**
 * WebSockets and endless responses through `sallyport run`: what passes, how they end, and that each
 * is decided about again when a new configuration is in force or its identity expires.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import {
  NotSwitched,
  startEchoService,
  WebSocketClient,
} from "../../examples/websocket-service.ts";
import type { AuditRecord } from "./judge.ts";
import { RawConnection } from "./raw-connection.ts";
import { requestBytes, startStage, type StageOptions, until } from "./stage.ts";

const CHAT = '@id("chat") permit (principal, action, resource == Sallyport::Route::"chat");';
const EVENTS = '@id("events") permit (principal, action, resource == Sallyport::Route::"events");';

const STRANGERS =
  '@id("no-strangers") forbid (principal is Sallyport::Anonymous, action, resource) unless { context.path like "/good*" };';

const echo = await startEchoService({ answer: answerTo });
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
  policies: `${CHAT}\n${EVENTS}`,
} satisfies StageOptions;
const stage = await startStage(OPTIONS);
after(async () => {
  await stage.close();
  await echo.close();
  await events.close();
});

test("a WebSocket echoes, and its record has the bytes both ways", async () => {
  const client = await WebSocketClient.open(stage.proxy, "/chat/a");
  assert.equal(await client.echo("hello"), "hello");
  assert.equal(echo.heads.at(-1)?.includes("upgrade: websocket"), true);
  await untilMetric('sallyport_open_streams{kind="upgrade"} 1');
  client.close();
  assert.equal((await client.ended)?.code, 1000);
  const completion = await completionOf(client.head);
  assert.equal(completion["status"], 101);
  assert.equal(completion["end"], "complete");
  // A masked message of five and a masked Close of two bytes; both come back without a mask.
  assert.equal(completion["requestBytes"], 6 + 5 + (6 + 2));
  assert.equal(completion["responseBytes"], 2 + 5 + (2 + 2));
  await untilMetric('sallyport_streams_closed_total{kind="upgrade",reason="complete"} 1');
});

test("the WebSocket of this runtime gets through", async () => {
  const socket = new WebSocket(`ws://${stage.proxy}/chat/own`);
  const said = await new Promise((resolve, reject) => {
    socket.addEventListener("open", () => socket.send("hello"));
    socket.addEventListener("message", ({ data }) => resolve(data));
    socket.addEventListener("error", () => reject(new Error("no WebSocket")));
  });
  assert.equal(said, "hello");
  socket.close();
});

test("large messages wait for a client that does not read, and arrive whole", async () => {
  const client = await WebSocketClient.open(stage.proxy, "/chat/large");
  const message = Buffer.alloc(1024 * 1024, "0123456789abcdef");
  client.socket.pause();
  for (let count = 0; count < 16; count++) client.send(message);
  client.socket.resume();
  for (let count = 0; count < 16; count++) {
    assert.equal((await client.next())?.payload.equals(message), true);
  }
  client.socket.destroy();
});

test("what a service answers instead of 101 is passed on; a wrong 101 is a 502", async () => {
  const refused = await notSwitched("/chat/refuse");
  assert.equal(refused.status, 418);
  assert.match(refused.head, /\r\n\r\nrather not$/);
  assert.match(refused.head, /\r\nconnection: close\r\n/);
  const wrong = await notSwitched("/chat/wrong-accept");
  assert.equal(wrong.status, 502);
  assert.equal((await completionOf(wrong.head))["end"], "upstream-protocol");
});

test("an upgrade is refused where the route does not list it, and where it is no handshake", async () => {
  const arrived = echo.heads.length;
  const elsewhere = await notSwitched("/events");
  assert.equal(elsewhere.status, 403);
  assert.match(elsewhere.head, /"reason":"upgrade-not-allowed"/);
  const old = await notSwitched("/chat/a", ["Sec-WebSocket-Version: 8"]);
  assert.equal(old.status, 400);
  assert.match(old.head, /\r\nsec-websocket-version: 13\r\n/);
  assert.match(old.head, /"reason":"invalid-upgrade"/);
  assert.equal(echo.heads.length, arrived);
  const connection = await RawConnection.open(stage.proxy);
  connection.write(requestBytes("/chat/a", ["Connection: upgrade", "Upgrade: spdy/3"]));
  await connection.until(() => connection.closed);
  assert.match(connection.text, /^HTTP\/1.1 403 /);
});

test("a caller that vanishes frees the service, and a service that vanishes frees the caller", async () => {
  const client = await WebSocketClient.open(stage.proxy, "/chat/vanish");
  const open = echo.sockets.size;
  client.socket.resetAndDestroy();
  await until(() => echo.sockets.size === open - 1);
  assert.equal((await completionOf(client.head))["end"], "caller-gone");
  const other = await WebSocketClient.open(stage.proxy, "/chat/vanish");
  for (const socket of echo.sockets) socket.resetAndDestroy();
  assert.equal(await other.ended, undefined);
  assert.equal((await completionOf(other.head))["end"], "upstream-unreachable");
});

test("events go out one by one, beyond the timeout, to a caller that stays", async () => {
  const stream = await listen();
  const began = performance.now();
  for (let count = 0; performance.now() - began < 1500; count++) {
    events.say(`data: ${count}\n\n`);
    await stream.until(() => stream.text.includes(`data: ${count}\n\n`));
  }
  assert.equal(stream.closed, false);
  stream.destroy();
  assert.equal((await completionOf(stream.text))["end"], "caller-gone");
});

test("a new policy closes the streams that it denies, and no others", async () => {
  const admin = [`Authorization: Bearer ${stage.issuer.token({ roles: ["Admin"] })}`];
  const stranger = await WebSocketClient.open(stage.proxy, "/chat/stranger");
  const kept = await WebSocketClient.open(stage.proxy, "/chat/admin", admin);
  const strangersEvents = await listen();
  const keptEvents = await listen(admin);
  await stage.reload({
    ...OPTIONS,
    policies: `${CHAT}${EVENTS}${STRANGERS}`,
  });
  assert.deepEqual(await stranger.ended, { code: 1008, reason: "forbidden" });
  await until(() =>
    echo.closes.some(({ code, reason }) => code === 1008 && reason === "forbidden"),
  );
  await strangersEvents.until(() => strangersEvents.closed);
  assert.doesNotMatch(strangersEvents.text, /\r\n0\r\n\r\n$/, "cut off, not ended");
  for (const head of [stranger.head, strangersEvents.text]) {
    const completion = await completionOf(head);
    assert.equal(completion["end"], "forbidden");
    const denial = await stage.found(
      (record) => record["type"] === "decision" && record["stream"] === completion["decisionId"],
    );
    assert.equal(denial["decision"], "deny");
    assert.equal(denial["reason"], "forbidden");
  }
  assert.equal(await kept.echo("still here"), "still here");
  events.say("data: still here\n\n");
  await keptEvents.until(() => keptEvents.text.includes("still here"));
  // The catch-all takes the path, and it leads to another service and allows no upgrade.
  await stage.reload({ ...OPTIONS, routes: "", policies: "" });
  assert.deepEqual(await kept.ended, { code: 1008, reason: "upgrade-not-allowed" });
  await keptEvents.until(() => keptEvents.closed);
  assert.equal((await completionOf(keptEvents.text))["end"], "no-route");
  await stage.reload(OPTIONS);
});

test("an identity that expires closes its streams", async () => {
  const exp = Math.floor(Date.now() / 1000) + 2;
  const token = stage.issuer.token({ iss: "https://exact.example", exp });
  const fields = [`Authorization: Bearer ${token}`];
  const client = await WebSocketClient.open(stage.proxy, "/chat/expiry", fields);
  const stream = await listen(fields);
  assert.deepEqual(await client.ended, { code: 1008, reason: "token-expired" });
  assert.ok(Date.now() / 1000 >= exp);
  await stream.until(() => stream.closed);
  assert.equal((await completionOf(client.head))["end"], "token-expired");
  assert.equal((await completionOf(stream.text))["end"], "token-expired");
  assert.equal(stage.auditText().includes(token), false);
});

/** What the echo service answers by path. */
function answerTo(head: string, switching: string): string | undefined {
  if (head.startsWith("GET /chat/refuse ")) {
    return "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 10\r\n\r\nrather not";
  }
  if (!head.startsWith("GET /chat/wrong-accept ")) return undefined;
  return switching.replace(/Accept: .*/, "Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

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

/** A caller of `/events` that has got the beginning. */
async function listen(fields: readonly string[] = []): Promise<RawConnection> {
  const connection = await RawConnection.open(stage.proxy);
  connection.write(requestBytes("/events", fields));
  await connection.until(() => connection.text.includes(": open\n\n"));
  return connection;
}

async function notSwitched(target: string, fields: readonly string[] = []): Promise<NotSwitched> {
  const outcome = await WebSocketClient.open(stage.proxy, target, fields).catch(
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof NotSwitched);
  return outcome;
}

function completionOf(answer: string): Promise<AuditRecord> {
  const id = /^sallyport-decision: (\S+)/im.exec(answer)?.[1];
  return stage.found((record) => record["type"] === "completion" && record["decisionId"] === id);
}

async function untilMetric(line: string): Promise<void> {
  for (;;) {
    const response = await fetch(`http://${stage.admin}/metrics`);
    if ((await response.text()).includes(line)) return;
  }
}
