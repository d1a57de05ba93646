/**
 * TE.TE: a Transfer-Encoding in a disguise that one reader sees through and another does not. The
 * one takes the body as chunks, the other takes it as the next request. The disguises are those of
 * the published collections: odd spellings, white space, repeated fields, lists, control bytes.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { assertHarmless, arrivalsOf, statusesOf } from "../e2e/expect.ts";
import { PROTOCOLS } from "../e2e/protocols.ts";
import { startStage } from "../e2e/stage.ts";

for (const upstream of PROTOCOLS) {
  const stage = await startStage({ upstream });
  after(() => stage.close());

  const DISGUISES: readonly [name: string, lines: string][] = [
    ["xchunked", "Transfer-Encoding: xchunked"],
    ["chunked in quotes", 'Transfer-Encoding: "chunked"'],
    ["a space before the colon", "Transfer-Encoding : chunked"],
    ["a tab before the colon", "Transfer-Encoding\t: chunked"],
    ["a leading space", " Transfer-Encoding: chunked"],
    ["a folded value", "Transfer-Encoding:\r\n chunked"],
    ["a folded line before it", "X-A: b\r\n Transfer-Encoding: chunked"],
    ["a vertical tab", "Transfer-Encoding: \u000Bchunked"],
    ["a NUL after it", "Transfer-Encoding: chunked\u0000"],
    ["a bare CR after it", "Transfer-Encoding: chunked\r\r\n"],
    ["a bare LF before it", "X-A: b\nTransfer-Encoding: chunked"],
    ["a bare CR before it", "X-A: b\rTransfer-Encoding: chunked"],
    ["two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"],
    ["two different fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"],
    ["a list with identity", "Transfer-Encoding: identity, chunked"],
    ["a list after chunked", "Transfer-Encoding: chunked, identity"],
    ["chunked twice in a list", "Transfer-Encoding: chunked, chunked"],
    ["gzip before chunked", "Transfer-Encoding: gzip, chunked"],
    ["an empty member", "Transfer-Encoding: ,chunked"],
    ["a parameter", "Transfer-Encoding: chunked;q=1"],
    ["an empty value", "Transfer-Encoding:"],
    ["an underscore", "Transfer_Encoding: chunked"],
    ["a byte above ASCII in the name", "Transfer-Encod\u00EFng: chunked"],
    ["the Kelvin sign's place", "Transfer-Encoding: chun\u00E2\u0084\u00AAed"],
  ];
  const HIDDEN = "GET /secret HTTP/1.1\r\nHost: api.example\r\nX-Rest: ";

  for (const [name, lines] of DISGUISES) {
    test(`to ${upstream}: the proxy lets nothing through under Transfer-Encoding with ${name}`, async () => {
      const evidence = await stage.attack(
        `POST /open HTTP/1.1\r\nHost: api.example\r\n${lines}\r\n\r\n0\r\n\r\n${HIDDEN}`,
      );
      assertHarmless(evidence);
      assert.equal(
        arrivalsOf(evidence).some(({ target }) => target.startsWith("/secret")),
        false,
      );
    });
  }

  test(`to ${upstream}: the proxy takes one plain chunked in any case`, async () => {
    const evidence = await stage.attack(
      "POST /open HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assertHarmless(evidence);
    assert.deepEqual(statusesOf(evidence), [200, 200]);
    assert.equal(arrivalsOf(evidence)[0]?.body, "abc");
  });

  test(`to ${upstream}: the proxy refuses chunks in HTTP/1.0`, async () => {
    const evidence = await stage.attack(
      "POST /open HTTP/1.0\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    assertHarmless(evidence);
    assert.deepEqual(statusesOf(evidence), [400]);
  });
}
