/**
 * WebSocket smuggling: a caller asks for an upgrade that fails, and a proxy that does not look at the
 * answer believes that the connection is a tunnel now. What the caller then sends goes to the
 * service unread, which takes it for the next request: one that no route, no identity and no policy
 * has seen. Variants that were found in the wild: a version that the service refuses with 426, an
 * `Upgrade` in a spelling that only one side takes for one, a service that answers 101 to a request
 * that asked for nothing, h2c (the service switches to HTTP/2 and the proxy pipes it through), and a
 * request that is pipelined behind the upgrade in the same packet.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, statusesOf } from "../e2e/expect.ts";
import { ordinaryAnswer } from "../e2e/recording-service.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const HIDDEN = requestBytes("/secret");
const HANDSHAKE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${KEY}`,
];

const stage = await startStage({
  routes: `  - { name: chat, path: "/chat", service: recorder, authenticate: [anonymous], upgrades: [websocket] }`,
});
after(() => stage.close());

test("what stands behind a handshake that the service refuses is not read by anybody", async () => {
  answerWith("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  const evidence = await attack(requestBytes("/chat", HANDSHAKE) + HIDDEN);
  assert.deepEqual(statusesOf(evidence), [400]);
  assert.equal(arrivalsOf(evidence).length, 1);
});

test("a handshake that is none does not reach the service, and nothing behind it does", async () => {
  const wrong: [title: string, fields: string[]][] = [
    ["a version that services refuse", HANDSHAKE.with(2, "Sec-WebSocket-Version: 777")],
    ["no version", HANDSHAKE.toSpliced(2, 1)],
    ["no key", HANDSHAKE.toSpliced(3, 1)],
    [
      "a key that is dropped on the way",
      HANDSHAKE.with(0, "Connection: Upgrade, Sec-WebSocket-Key"),
    ],
    ["a body", [...HANDSHAKE, `Content-Length: ${HIDDEN.length}`]],
  ];
  for (const [title, fields] of wrong) {
    const evidence = await attack(requestBytes("/chat", fields) + HIDDEN);
    assert.deepEqual(statusesOf(evidence), [400], title);
    assert.deepEqual(evidence.arrived, [], title);
  }
});

test("an upgrade that the route does not list is refused, in any spelling that a service might take", async () => {
  for (const upgrade of ["websocket", "WebSocket", "websocket/13", "x, websocket", "websocket,"]) {
    const fields = HANDSHAKE.with(1, `Upgrade: ${upgrade}`);
    const evidence = await attack(requestBytes("/open", fields) + HIDDEN);
    assert.deepEqual(statusesOf(evidence), [403], upgrade);
    assert.deepEqual(evidence.arrived, [], upgrade);
  }
});

test("h2c and an Upgrade that Connection does not name never reach the service", async () => {
  const offers: string[][] = [
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
    ["Connection: keep-alive", ...HANDSHAKE.slice(1)],
    HANDSHAKE.slice(1),
  ];
  for (const fields of offers) {
    for (const target of ["/open", "/chat"]) {
      const evidence = await attack(requestBytes(target, fields));
      const [arrived] = arrivalsOf(evidence);
      assert.equal(statusesOf(evidence)[0], 200);
      assert.equal(
        arrived?.fields.some(([name]) => name.toLowerCase() === "upgrade"),
        false,
      );
    }
  }
});

test("a 101 that nobody asked for, or that answers another key, is a 502 and opens nothing", async () => {
  const switching = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
  const attempts: [asked: string, answer: string][] = [
    [requestBytes("/open"), `${switching}Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`],
    [requestBytes("/chat"), `${switching}Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`],
    [requestBytes("/chat", HANDSHAKE), `${switching}\r\n`],
    [requestBytes("/chat", HANDSHAKE), `${switching}Sec-WebSocket-Accept: AAAA\r\n\r\n`],
    [
      requestBytes("/chat", HANDSHAKE),
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
    ],
  ];
  for (const [asked, bytes] of attempts) {
    answerWith(bytes);
    const evidence = await attack(asked + HIDDEN);
    assert.equal(statusesOf(evidence)[0], 502);
    assert.equal(evidence.arrived.join("").includes("/secret"), false);
  }
});

/** To what is asked here; what the stage itself asks afterwards gets the ordinary answer. */
function answerWith(bytes: string): void {
  stage.service.script((request) =>
    ["/open", "/chat"].includes(request.target) ? { bytes } : ordinaryAnswer(request),
  );
}

async function attack(bytes: string) {
  const evidence = await stage.attack(bytes);
  stage.service.script(undefined);
  assertHarmless(evidence);
  return evidence;
}
