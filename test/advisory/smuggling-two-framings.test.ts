/**
 * CL.TE and TE.CL: a request with both Content-Length and Transfer-Encoding. Whoever is in front
 * believes one of them and whoever is behind the other, and the difference is a second request that
 * only one of them saw: it passes no check and gets somebody else's answer. RFC 9112 section 6.1
 * lets a server repair such a request; we refuse it, because nobody sends both by accident.
 */
import test, { after } from "node:test";
import { assertRefused } from "../e2e/expect.ts";
import { PROTOCOLS } from "../e2e/protocols.ts";
import { startStage } from "../e2e/stage.ts";

for (const upstream of PROTOCOLS) {
  const stage = await startStage({ upstream });
  after(() => stage.close());

  const HIDDEN = "GET /secret HTTP/1.1\r\nHost: api.example\r\n\r\n";
  const BOTH: readonly [name: string, bytes: string][] = [
    [
      "CL.TE: the length covers the hidden request, the chunks do not",
      `POST /open HTTP/1.1\r\nHost: api.example\r\nContent-Length: ${5 + HIDDEN.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    [
      "TE.CL: the chunks cover the hidden request, the length does not",
      `POST /open HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`,
    ],
    [
      "a length of nought beside chunks",
      `POST /open HTTP/1.1\r\nHost: api.example\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
    ],
    [
      "a length beside an unknown coding",
      `POST /open HTTP/1.1\r\nHost: api.example\r\nContent-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello`,
    ],
  ];

  for (const [name, bytes] of BOTH) {
    test(`to ${upstream}: the proxy refuses ${name}`, async () => {
      assertRefused(await stage.attack(bytes), 400);
    });
  }
}
