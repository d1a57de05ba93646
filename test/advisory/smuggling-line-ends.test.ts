/**
 * Line ends: a bare CR or LF, a NUL, a folded line. RFC 9112 section 2.2 lets a reader take a bare
 * LF as a line end, and old services take a bare CR; a proxy that passes one through inside a value
 * has let the caller write field lines of its own, or a whole second request.
 */
import test, { after } from "node:test";
import { assertRefused } from "../e2e/expect.ts";
import { PROTOCOLS } from "../e2e/protocols.ts";
import { startStage } from "../e2e/stage.ts";

for (const upstream of PROTOCOLS) {
  const stage = await startStage({ upstream });
  after(() => stage.close());

  const SPOOF = "X-Sallyport-Subject: root";
  const HEADS: readonly [name: string, head: string][] = [
    ["a bare LF in a value", `GET /open HTTP/1.1\r\nHost: api.example\r\nA: b\n${SPOOF}\r\n\r\n`],
    ["a bare CR in a value", `GET /open HTTP/1.1\r\nHost: api.example\r\nA: b\r${SPOOF}\r\n\r\n`],
    ["a NUL in a value", "GET /open HTTP/1.1\r\nHost: api.example\r\nA: b\0c\r\n\r\n"],
    ["a folded line", `GET /open HTTP/1.1\r\nHost: api.example\r\nA: b\r\n ${SPOOF}\r\n\r\n`],
    ["a folded first line", `GET /open HTTP/1.1\r\n ${SPOOF}\r\nHost: api.example\r\n\r\n`],
    ["only LFs", "GET /open HTTP/1.1\nHost: api.example\n\n"],
    ["a bare LF in the request line", "GET /open HTTP/1.1\nHost: api.example\r\n\r\n"],
    ["a bare CR in the request line", "GET /open\rX HTTP/1.1\r\nHost: api.example\r\n\r\n"],
    ["a tab in the request line", "GET\t/open HTTP/1.1\r\nHost: api.example\r\n\r\n"],
    ["two spaces in the request line", "GET  /open HTTP/1.1\r\nHost: api.example\r\n\r\n"],
    ["a space in a name", "GET /open HTTP/1.1\r\nHost: api.example\r\nA B: c\r\n\r\n"],
    ["an empty name", "GET /open HTTP/1.1\r\nHost: api.example\r\n: c\r\n\r\n"],
    ["a line without a colon", "GET /open HTTP/1.1\r\nHost: api.example\r\nabc\r\n\r\n"],
    ["a DEL in a value", "GET /open HTTP/1.1\r\nHost: api.example\r\nA: b\u007Fc\r\n\r\n"],
  ];

  for (const [name, head] of HEADS) {
    test(`to ${upstream}: the proxy refuses a head with ${name}`, async () => {
      assertRefused(await stage.attack(head, { spoofed: ["root"] }), 400);
    });
  }
}
