/** WebSockets to HTTP/2 services: extended CONNECT (RFC 8441), where the service has said that it takes it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FLAG, FRAME, H2_ERROR, SETTING } from "../../wire/http2/codes.ts";
import { websocketKey } from "../../wire/websocket.ts";
import type { RawPeer } from "../loopback.fixture.ts";
import { answer, type ClientGround, GET, started } from "./client-ground.fixture.ts";
import type { RawHttp2 } from "./raw-service.fixture.ts";

const ASK = [
  "GET /chat HTTP/1.1",
  "Host: a",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Protocol: chat",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "",
  "",
].join("\r\n");
const TAKES = [[SETTING.enableConnectProtocol, 1]] as const;

test("an upgrade is an extended CONNECT, its 200 a 101, and bytes flow both ways", async () => {
  await using ground = await upgrading();
  const { caller, connection, id, fields } = await asked(ground);
  const sent = new Map(pairs(fields));
  assert.deepEqual(
    [":method", ":protocol", ":scheme", ":authority", ":path"].map((name) => sent.get(name)),
    ["CONNECT", "websocket", "http", "a", "/chat"],
  );
  assert.equal(sent.get("sec-websocket-version"), "13");
  assert.equal(sent.get("sec-websocket-protocol"), "chat");
  for (const name of ["sec-websocket-key", "upgrade", "connection"]) assert.ok(!sent.has(name));
  connection.headers(id, [":status", "200", "sec-websocket-protocol", "chat"]);
  connection.data(id, "hello");
  const head = await caller.until("\r\n\r\n");
  assert.match(head, /^HTTP\/1.1 101 Switching Protocols\r\n/);
  assert.match(head, /\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  assert.match(head, /\r\nsec-websocket-protocol: chat\r\n/);
  await caller.until("hello");
  caller.send("and back");
  assert.equal((await connection.next(FRAME.data)).payload.toString(), "and back");
  connection.data(id, "", true);
  await caller.untilEnd();
  // Half-closed: what the caller still has to say is said.
  caller.send("last words");
  assert.equal((await connection.next(FRAME.data)).payload.toString(), "last words");
  caller.end();
  assert.ok(((await connection.next(FRAME.data)).flags & FLAG.endStream) !== 0);
  const outcome = await ground.proxy.outcome(0);
  assert.deepEqual(
    [outcome.end, outcome.status, outcome.requestBytes, outcome.responseBytes],
    ["complete", 101, 18, 5],
  );
  const next = await ground.asked(GET);
  answer(connection, (await connection.request()).id);
  await next.until("ok");
  assert.equal(ground.service.connections.length, 1);
});

test("an answer other than 2xx is passed on", async () => {
  await using ground = await upgrading();
  const { caller, connection, id } = await asked(ground);
  connection.headers(id, [":status", "403", "content-length", "2"]);
  connection.data(id, "no", true);
  assert.match(await caller.until("no"), /^HTTP\/1.1 403 /);
  assert.equal((await ground.proxy.outcome(0)).end, "complete");
});

test("a service that breaks the tunnel ends it, and nothing else", async (t) => {
  const cases: [what: string, breaks: (service: RawHttp2, id: number) => void][] = [
    ["a reset", (s, id) => s.reset(id, H2_ERROR.cancel)],
    ["HEADERS", (s, id) => s.headers(id, [":status", "200"])],
  ];
  for (const [what, breaks] of cases) {
    await t.test(what, async () => {
      await using ground = await upgrading();
      const { caller, connection, id } = await asked(ground);
      connection.headers(id, [":status", "200"]);
      await caller.until("\r\n\r\n");
      breaks(connection, id);
      await caller.untilEnd();
      assert.equal((await ground.proxy.outcome(0)).end, "upstream-unreachable");
      await connection.heard();
      assert.equal(connection.closed, false);
    });
  }
});

test("a caller that breaks the tunnel resets its stream", async () => {
  await using ground = await upgrading();
  const { caller, connection, id } = await asked(ground);
  connection.headers(id, [":status", "200"]);
  await caller.until("\r\n\r\n");
  caller.socket.resetAndDestroy();
  assert.ok(((await connection.next(FRAME.data)).flags & FLAG.endStream) !== 0);
  const { streamId, payload } = await connection.next(FRAME.rstStream);
  assert.deepEqual([streamId, payload.readUInt32BE()], [id, H2_ERROR.noError]);
  assert.equal((await ground.proxy.outcome(0)).end, "caller-gone");
});

test("what is no answer to a CONNECT is 502", async (t) => {
  const cases: [what: string, fields: string[], end: boolean][] = [
    ["a 200 that ends at once", [":status", "200"], true],
    ["a 200 with a length", [":status", "200", "content-length", "3"], false],
    ["101", [":status", "101"], false],
  ];
  for (const [what, fields, end] of cases) {
    await t.test(what, async () => {
      await using ground = await upgrading();
      const { caller, connection, id } = await asked(ground);
      connection.headers(id, fields, end);
      assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
    });
  }
});

test("a WebSocket to a service that did not say that it takes them is 502, and says so", async () => {
  await using ground = await upgrading();
  const caller = await ground.asked(ASK);
  const connection = await ground.service.accepted();
  assert.match(await caller.until("\r\n\r\n"), /^HTTP\/1.1 502 /);
  const { end, detail } = await ground.proxy.outcome(0);
  assert.equal(end, "upstream-protocol");
  assert.match(detail ?? "", /RFC 8441/);
  // Callers who ask for what it does not have must not make an outlier of it.
  assert.doesNotMatch(ground.proxy.metrics.render().body, /failures_total\{[^}]*\} [1-9]/);
  await connection.heard();
  assert.equal(
    connection.frames.some(({ type }) => type === FRAME.headers),
    false,
  );
});

/** A proxy whose requests may be upgrades. */
function upgrading(): Promise<ClientGround> {
  return started({
    handle: (exchange, loopback) => {
      const key = websocketKey(exchange.head.fields);
      const request = { ...loopback.upstreamRequest(exchange), websocketKey: key };
      loopback.upstream.forward(exchange, request, loopback.observer());
    },
  });
}

interface Asked {
  readonly caller: RawPeer;
  readonly connection: RawHttp2;
  readonly id: number;
  readonly fields: readonly string[];
}

/** A caller that asked for a WebSocket, and the stream on which the service hears of it. */
async function asked(ground: ClientGround): Promise<Asked> {
  const caller = await ground.asked(ASK);
  const connection = await ground.service.accepted(TAKES);
  return { caller, connection, ...(await connection.request()) };
}

function pairs(fields: readonly string[]): [string, string][] {
  return Array.from({ length: fields.length / 2 }, (_, index) => [
    fields[index * 2] ?? "",
    fields[index * 2 + 1] ?? "",
  ]);
}
