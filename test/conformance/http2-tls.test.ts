/**
 * RFC 9113 sections 3.2 and 9.2 against the running engine: HTTP/2 over TLS is what ALPN has chosen,
 * by a handshake that section 9.2 allows; and frames, errors and flow control are the same there. The
 * list is http2.md.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { CLIENT_PREFACE, CODE, FLAGS, SETTINGS, TYPE } from "../http2/codes.ts";
import { dataFrame, headersFrame, settingsFrame } from "../http2/frames.ts";
import {
  assertAlive,
  assertConnectionError,
  assertMalformed,
  Http2Ground,
} from "../http2/ground.ts";
import { encodeLiterals } from "../http2/hpack.ts";
import { Http2Peer, requestFields, statusOf } from "../http2/peer.ts";
import { TlsGround } from "../tls-ground.ts";

const GET = encodeLiterals(requestFields("GET", "/", { scheme: "https" }));
const WHOLE = FLAGS.endHeaders | FLAGS.endStream;

test("a caller whose ALPN chose h2 is answered by HTTP/2 over TLS", async () => {
  await using ground = await Http2Ground.start({ tls: true });
  const caller = await ground.caller();
  await assertAlive(caller);
  assert.equal(caller.frames[0]?.type, TYPE.settings);
});

test("a caller whose ALPN chose h2 and who speaks HTTP/1.1 is refused", async () => {
  await using ground = await Http2Ground.start({ tls: true });
  const caller = await ground.caller({ mute: true });
  caller.send(Buffer.from("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"));
  await assertConnectionError(caller, CODE.protocolError);
  assert.equal(ground.arrived().length, 0);
});

test("a caller whose ALPN chose http/1.1 is not answered by HTTP/2", async () => {
  await using ground = await Http2Ground.start({ tls: true });
  const caller = await Http2Peer.open(ground.address, {
    mute: true,
    tls: { ALPNProtocols: ["http/1.1"] },
  });
  caller.send(CLIENT_PREFACE, settingsFrame([]), headersFrame(1, GET, WHOLE));
  await caller.until("a refusal", () => caller.received > 0 || caller.ended || caller.closed);
  assert.equal(caller.settings.size, 0);
  assert.equal(ground.arrived().length, 0);
  caller.destroy();
});

test("a handshake below TLS 1.2 is refused", async () => {
  await using ground = await new TlsGround().start();
  const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ALPNProtocols: ["h2"] } as const;
  await assert.rejects(ground.caller(old));
});

test("no cipher suite that HTTP/2 prohibits is agreed on, with TLS 1.2", async () => {
  await using ground = await new TlsGround().start();
  // One of each kind that RFC 9113 appendix A lists: no forward secrecy, CBC, both.
  for (const ciphers of ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "AES256-SHA"]) {
    const asked = { maxVersion: "TLSv1.2", ciphers, ALPNProtocols: ["h2"] } as const;
    await assert.rejects(ground.caller(asked), ciphers);
  }
  const caller = await ground.caller({ maxVersion: "TLSv1.2", ALPNProtocols: ["h2"] });
  assert.match(caller.tls.getCipher().name, /^(?:ECDHE|DHE)-.*(?:GCM|CHACHA20)/);
  caller.destroy();
});

test("a connection error over TLS reaches the caller before the end", async () => {
  await using ground = await Http2Ground.start({ tls: true });
  const caller = await ground.caller();
  const other = await ground.caller();
  caller.send(dataFrame(0, "x"));
  await assertConnectionError(caller, CODE.protocolError);
  await assertAlive(other);
});

test("a malformed request over TLS is refused on its stream alone", async () => {
  await using ground = await Http2Ground.start({ tls: true });
  const caller = await ground.caller();
  caller.headers(1, [...requestFields("GET", "/", { scheme: "https" }), ["connection", "close"]]);
  await assertMalformed(caller, 1);
});

test("bodies over TLS keep to the windows, both ways", async () => {
  await using ground = await Http2Ground.start({ tls: true });
  ground.service.script(({ body }) => {
    const answer = body.repeat(50);
    return { bytes: `HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}` };
  });
  const caller = await ground.caller({ settings: [[SETTINGS.initialWindowSize, 1000]] });
  caller.headers(1, requestFields("POST", "/", { scheme: "https" }), false);
  caller.data(1, "0123456789".repeat(1000), true);
  const seen = await caller.answer(1);
  assert.equal(statusOf(seen), 200);
  assert.equal(String(seen.body), "0123456789".repeat(50_000));
  const sizes = caller.frames
    .filter(({ type }) => type === TYPE.data)
    .map((one) => one.payload.length);
  assert.ok(Math.max(...sizes) <= 1000);
});
