import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestHead, ResponseHead } from "../model/http.ts";
import {
  DEFAULT_HEAD_LIMITS,
  findHeadEnd,
  isHeadFault,
  parseRequestHead,
} from "./http1/request-head.ts";
import { parseResponseHead } from "./http1/response-head.ts";
import { askedUpgrade, handshakeFault, switchFault, websocketAccept } from "./websocket.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

test("websocketAccept() gives the example of RFC 6455 section 1.3", () => {
  assert.equal(websocketAccept(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

test("askedUpgrade() sees websocket in any case, ignores h2c and TLS, and tells the rest apart", () => {
  const cases: [asked: string, upgrade: string, connection: string][] = [
    ["websocket", "websocket", "Upgrade"],
    ["websocket", "WebSocket", "keep-alive, Upgrade"],
    ["websocket", "h2c, websocket", "upgrade"],
    ["none", "websocket", "keep-alive"],
    ["none", "h2c", "Upgrade, HTTP2-Settings"],
    ["none", "TLS/1.2, HTTP/2.0", "upgrade"],
    ["none", ", ,", "upgrade"],
    ["other", "websocket/13", "upgrade"],
    ["other", "websocket, foo", "upgrade"],
    ["other", "foo, websocket", "upgrade"],
    ["other", "connect-udp", "upgrade"],
  ];
  for (const [asked, upgrade, connection] of cases) {
    const head = request([`Upgrade: ${upgrade}`, `Connection: ${connection}`]);
    assert.equal(askedUpgrade(head), asked, `${upgrade} with ${connection}`);
  }
});

test("handshakeFault() takes the handshake of RFC 6455 and nothing that is not one", () => {
  const good = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${KEY}`,
  ];
  assert.equal(handshakeFault(request(good)), undefined);
  const bad: [title: string, head: RequestHead][] = [
    ["POST", request(good, "POST")],
    ["a body", request([...good, "Content-Length: 3"])],
    ["a chunked body", request([...good, "Transfer-Encoding: chunked"])],
    ["Expect", request([...good, "Content-Length: 0", "Expect: 100-continue"])],
    ["version 12", request(good.with(2, "Sec-WebSocket-Version: 12"))],
    ["no version", request(good.toSpliced(2, 1))],
    ["two versions", request([...good, "Sec-WebSocket-Version: 13"])],
    ["no key", request(good.toSpliced(3, 1))],
    ["a short key", request(good.with(3, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="))],
    [
      "a key that is not canonical",
      request(good.with(3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==")),
    ],
    ["two keys", request([...good, `Sec-WebSocket-Key: ${KEY}`])],
    [
      "a key that Connection drops",
      request(good.with(1, "Connection: upgrade, sec-websocket-key")),
    ],
  ];
  for (const [title, head] of bad) assert.notEqual(handshakeFault(head), undefined, title);
});

test("switchFault() takes the one 101 that answers the key", () => {
  const good = [
    "Upgrade: WebSocket",
    "Connection: upgrade",
    `Sec-WebSocket-Accept: ${websocketAccept(KEY)}`,
  ];
  assert.equal(switchFault(response(good), KEY), undefined);
  const bad: [title: string, fields: string[]][] = [
    ["another protocol", good.with(0, "Upgrade: h2c")],
    ["two protocols", good.with(0, "Upgrade: websocket, h2c")],
    ["no Connection", good.toSpliced(1, 1)],
    ["no accept", good.toSpliced(2, 1)],
    [
      "another accept",
      good.with(2, `Sec-WebSocket-Accept: ${websocketAccept("AAAAAAAAAAAAAAAAAAAAAA==")}`),
    ],
    ["two accepts", [...good, `Sec-WebSocket-Accept: ${websocketAccept(KEY)}`]],
  ];
  for (const [title, fields] of bad) {
    assert.notEqual(switchFault(response(fields), KEY), undefined, title);
  }
});

function request(fields: readonly string[], method = "GET"): RequestHead {
  const text = [`${method} / HTTP/1.1`, "Host: a", ...fields, "", ""].join("\r\n");
  const bytes = Buffer.from(text, "latin1");
  const head = parseRequestHead(bytes, 0, findHeadEnd(bytes, 0, 0), DEFAULT_HEAD_LIMITS);
  assert.ok(!isHeadFault(head));
  return head;
}

function response(fields: readonly string[]): ResponseHead {
  const text = ["HTTP/1.1 101 Switching Protocols", ...fields, "", ""].join("\r\n");
  const bytes = Buffer.from(text, "latin1");
  const head = parseResponseHead(bytes, 0, bytes.length, {
    limits: DEFAULT_HEAD_LIMITS,
    request: { method: "GET", upgrade: true },
  });
  assert.ok(!isHeadFault(head));
  return head;
}
