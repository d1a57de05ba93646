/**
 * Chunk tricks: a line feed or quote within a chunk extension, sizes with signs, padding or
 * overflow, data longer than its size, a terminator without CR. A reader that skips to the next LF
 * and one that looks for CR LF disagree about where the body ends ("TERM.EXT" and "EXT.TERM",
 * CVE-2025-4366 among them), and the rest of the body becomes a request.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, statusesOf } from "../e2e/expect.ts";
import { PROTOCOLS } from "../e2e/protocols.ts";
import { startStage } from "../e2e/stage.ts";

for (const upstream of PROTOCOLS) {
  const stage = await startStage({ upstream });
  after(() => stage.close());

  const HIDDEN = "GET /secret HTTP/1.1\r\nHost: api.example\r\n\r\n";
  const CHUNKS: readonly [name: string, body: string][] = [
    ["a bare LF in an extension", `2;\nxx\r\n${HIDDEN.length.toString(16)}\r\n${HIDDEN}0\r\n\r\n`],
    ["a bare CR in an extension", `2;a\rb\r\nxx\r\n0\r\n\r\n${HIDDEN}`],
    ["a quoted CR LF in an extension", `2;a="\r\n${HIDDEN}"\r\nxx\r\n0\r\n\r\n`],
    ["a bare LF after the size", `2\nxx\r\n0\r\n\r\n${HIDDEN}`],
    ["a bare LF after the data", `2\r\nxx\n0\r\n\r\n${HIDDEN}`],
    ["data longer than its size", `2\r\nxxx\r\n0\r\n\r\n${HIDDEN}`],
    ["no CR LF after the data", `2\r\nxx0\r\n\r\n${HIDDEN}`],
    ["a plus sign", `+2\r\nxx\r\n0\r\n\r\n${HIDDEN}`],
    ["a minus sign", `-1\r\nxx\r\n0\r\n\r\n${HIDDEN}`],
    ["0x", `0x2\r\nxx\r\n0\r\n\r\n${HIDDEN}`],
    ["a space before the size", ` 2\r\nxx\r\n0\r\n\r\n${HIDDEN}`],
    ["a size of 2^64 + 2", `10000000000000002\r\nxx\r\n0\r\n\r\n${HIDDEN}`],
    ["a bare LF as last line", `0\n\n${HIDDEN}`],
    ["a bare LF in the trailers", `0\r\nA: b\n\r\n${HIDDEN}`],
    ["a folded trailer", `0\r\nA: b\r\n c\r\n\r\n${HIDDEN}`],
  ];

  for (const [name, body] of CHUNKS) {
    test(`to ${upstream}: the proxy breaks off at a chunk with ${name}`, async () => {
      const evidence = await stage.attack(
        `POST /open HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
      );
      assertHarmless(evidence);
      assert.deepEqual(statusesOf(evidence), [400]);
      assert.deepEqual(arrivalsOf(evidence), []);
    });
  }

  const TRAILERS: readonly [name: string, line: string][] = [
    ["Content-Length", "Content-Length: 99"],
    ["Transfer-Encoding", "Transfer-Encoding: chunked"],
    ["Host", "Host: trailer.example"],
    ["Authorization", "Authorization: Bearer trailer"],
    ["Cookie", "Cookie: a=trailer"],
    ["X-Sallyport-Subject", "X-Sallyport-Subject: trailer"],
    ["x_sallyport_subject", "x_sallyport_subject: trailer"],
    ["X-Forwarded-For", "X-Forwarded-For: trailer"],
  ];

  for (const [name, line] of TRAILERS) {
    test(`to ${upstream}: ${name} as a trailer is refused or dropped`, async () => {
      const evidence = await stage.attack(
        `POST /open HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n0\r\n${line}\r\n\r\n`,
      );
      assertHarmless(evidence);
      assert.ok([200, 400].includes(statusesOf(evidence)[0] ?? 0));
      assert.doesNotMatch(evidence.arrived.join(""), /trailer|content-length: 99/i);
    });
  }

  test(`to ${upstream}: the proxy does not pass on chunk extensions`, async () => {
    const evidence = await stage.attack(
      'POST /open HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n2;name="value"\r\nxx\r\n0\r\n\r\n',
    );
    assertHarmless(evidence);
    assert.deepEqual(statusesOf(evidence), [200, 200]);
    assert.doesNotMatch(evidence.arrived.join(""), /name=/);
  });
}
