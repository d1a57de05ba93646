/**
 * RFC 8441 against the running engine, as far as it needs no WebSocket behind it: what is announced,
 * and what is no extended CONNECT. What flows then is test/e2e/http2-streams.test.ts. The list is
 * http2.md.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { CODE, FLAGS, SETTINGS } from "../http2/codes.ts";
import { headersFrame, settingsFrame } from "../http2/frames.ts";
import {
  assertAlive,
  assertConnectionError,
  assertMalformed,
  Http2Ground,
} from "../http2/ground.ts";
import { encodeLiterals, type Field } from "../http2/hpack.ts";
import { requestFields, statusOf } from "../http2/peer.ts";
import { connectFields } from "../http2/websocket.ts";

test("the server announces SETTINGS_ENABLE_CONNECT_PROTOCOL", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.get(1);
  assert.equal(caller.settings.get(SETTINGS.enableConnectProtocol), 1);
});

test("SETTINGS_ENABLE_CONNECT_PROTOCOL of 2 ends the connection with PROTOCOL_ERROR", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.send(settingsFrame([[SETTINGS.enableConnectProtocol, 2]]));
  await assertConnectionError(caller, CODE.protocolError);
});

const VALID = [...connectFields("/chat"), ["sec-websocket-version", "13"]] as const;

function without(name: string, ...instead: Field[]): Field[] {
  return [...instead, ...VALID.filter(([field]) => field !== name)];
}

const MALFORMED: readonly [name: string, ...fields: Field[]][] = [
  [
    ":protocol with another method than CONNECT is malformed",
    ...without(":method", [":method", "GET"]),
  ],
  ["an extended CONNECT without :path is malformed", ...without(":path")],
  ["an extended CONNECT without :scheme is malformed", ...without(":scheme")],
  ["an extended CONNECT without :authority is malformed", ...without(":authority")],
  ["two :protocol are malformed", [":protocol", "websocket"], ...VALID],
  ["a late :protocol is malformed", ...without(":protocol"), [":protocol", "websocket"]],
  ["an extended CONNECT with upgrade fields is malformed", ...VALID, ["upgrade", "websocket"]],
];

for (const [name, ...fields] of MALFORMED) {
  test(name, async () => {
    await using ground = await Http2Ground.start();
    const caller = await ground.caller();
    caller.send(headersFrame(1, encodeLiterals(fields), FLAGS.endHeaders));
    await assertMalformed(caller, 1);
    assert.equal(ground.arrived().length, 1);
  });
}

test("an unknown :protocol is refused, whatever stands in it", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  for (const [index, protocol] of ["connect-udp", "", "websocket\r\nx: y"].entries()) {
    const id = index * 2 + 1;
    caller.headers(id, connectFields("/chat", protocol), false);
    const seen = await caller.answer(id);
    const status = statusOf(seen);
    assert.ok(
      [400, 501].includes(status ?? 0) || seen.reset === CODE.protocolError,
      String(status),
    );
  }
  await assertAlive(caller);
  assert.equal(ground.arrived().length, 1);
});

test("an extended CONNECT is to the handler the upgrade that HTTP/1.1 would have asked for", async () => {
  const seen: string[] = [];
  await using ground = await Http2Ground.start({
    handle: (exchange) => {
      const { method, target, host, fields, upgrade } = exchange.head;
      seen.push(method, target, host ?? "", upgrade ?? "", fields.join(" "));
      exchange.reply(403, [], "");
    },
  });
  const caller = await ground.caller();
  caller.headers(1, VALID, false);
  assert.equal(statusOf(await caller.answer(1)), 403);
  assert.deepEqual(seen.slice(0, 4), ["GET", "/chat", "api.example", "websocket"]);
  assert.match(seen[4] ?? "", /sec-websocket-key [A-Za-z0-9+/]{22}==/);
});

test("a sec-websocket-key of the caller's is not what the service is asked with", async () => {
  const keys: string[] = [];
  await using ground = await Http2Ground.start({
    handle: (exchange) => {
      const { fields } = exchange.head;
      for (let at = 0; at < fields.length; at += 2) {
        if (fields[at] === "sec-websocket-key") keys.push(fields[at + 1] ?? "");
      }
      exchange.reply(403, [], "");
    },
  });
  const caller = await ground.caller();
  caller.headers(1, [...VALID, ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="]], false);
  const status = statusOf(await caller.answer(1));
  assert.ok(status === 400 || keys.length === 1, `${status} ${keys.join()}`);
});

test("a GET that only says upgrade is no WebSocket over HTTP/2", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  caller.headers(1, [
    ...requestFields("GET", "/chat"),
    ["sec-websocket-version", "13"],
    ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
  ]);
  assert.equal(statusOf(await caller.answer(1)), 200);
  const [request] = ground.arrived();
  assert.equal(
    request?.fields.some(([name]) => name === "upgrade"),
    false,
  );
});
