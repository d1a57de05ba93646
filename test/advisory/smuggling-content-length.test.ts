/**
 * CL.CL and CL.0: lengths that two readers count differently. Repeated fields, lists, signs, hex,
 * padding, numbers beyond what integers hold; and a GET with a body that a service may ignore, so
 * that it reads the body as the next request.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, assertRefused, statusesOf } from "../e2e/expect.ts";
import { PROTOCOLS } from "../e2e/protocols.ts";
import { startStage } from "../e2e/stage.ts";

for (const upstream of PROTOCOLS) {
  const stage = await startStage({ upstream });
  after(() => stage.close());

  const LENGTHS: readonly [name: string, lines: string][] = [
    ["two different lengths", "Content-Length: 5\r\nContent-Length: 0"],
    ["the same length twice", "Content-Length: 5\r\nContent-Length: 5"],
    ["a list", "Content-Length: 5, 5"],
    ["a plus sign", "Content-Length: +5"],
    ["a minus sign", "Content-Length: -5"],
    ["hex", "Content-Length: 0x5"],
    ["an exponent", "Content-Length: 5e0"],
    ["a fraction", "Content-Length: 5.0"],
    ["an underscore in the number", "Content-Length: 0_5"],
    ["a space in the number", "Content-Length: 0 5"],
    ["an empty value", "Content-Length:"],
    ["a space before the colon", "Content-Length : 5"],
    ["2^53", "Content-Length: 9007199254740993"],
    ["2^64 + 5", "Content-Length: 18446744073709551621"],
    ["a folded value", "Content-Length:\r\n 5"],
    ["a vertical tab before it", "Content-Length: \u000B5"],
  ];

  for (const [name, lines] of LENGTHS) {
    test(`to ${upstream}: the proxy refuses a Content-Length with ${name}`, async () => {
      assertRefused(
        await stage.attack(`POST /open HTTP/1.1\r\nHost: api.example\r\n${lines}\r\n\r\nhello`),
        400,
      );
    });
  }

  test(`to ${upstream}: a GET's body stays that GET's body`, async () => {
    const body = "GET /secret HTTP/1.1\r\nHost: api.example\r\n\r\n";
    const evidence = await stage.attack(
      `GET /open HTTP/1.1\r\nHost: api.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    assertHarmless(evidence);
    assert.deepEqual(statusesOf(evidence), [200, 200]);
    assert.equal(arrivalsOf(evidence)[0]?.body, body);
  });

  test(`to ${upstream}: an underscore spelling of Content-Length frames nothing`, async () => {
    const evidence = await stage.attack(
      "POST /open HTTP/1.1\r\nHost: api.example\r\nContent_Length: 50\r\nContent-Length: 5\r\n\r\nhello",
    );
    assertHarmless(evidence);
    const forwarded = arrivalsOf(evidence)[0];
    assert.equal(forwarded?.fields.some(([name]) => name === "content_length") ?? false, false);
  });

  test(`to ${upstream}: a body that ends before its length is never completed by the next caller`, async () => {
    const evidence = await stage.attack(
      "POST /open HTTP/1.1\r\nHost: api.example\r\nContent-Length: 500\r\n\r\nhello",
      { cutOff: true },
    );
    assertHarmless(evidence);
    assert.deepEqual(statusesOf(evidence), []);
  });
}
