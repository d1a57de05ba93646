/**
 * Pipelining behind an error: what follows a refused request on its connection must not be read as
 * a request, because after a broken one nobody knows where the next begins. What follows a request
 * that was well-formed and denied is a request of its own, with a decision of its own.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, assertRefused, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { PROTOCOLS } from "../e2e/protocols.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

for (const upstream of PROTOCOLS) {
  const stage = await startStage({ upstream });
  after(() => stage.close());

  test(`to ${upstream}: the proxy closes after a broken request and reads nothing behind it`, async () => {
    assertRefused(
      await stage.attack(
        `GET /open HTTP/1.1\r\n\r\n${requestBytes("/secret")}${requestBytes("/a")}`,
      ),
      400,
    );
  });

  test(`to ${upstream}: each pipelined request gets its own decision and its own answer, in order`, async () => {
    const evidence = await stage.attack(
      requestBytes("/a") +
        requestBytes("/secret") +
        requestBytes("/guarded/x") +
        requestBytes("/b"),
    );
    assertHarmless(evidence);
    assert.deepEqual(statusesOf(evidence), [200, 403, 401, 200, 200]);
    assert.deepEqual(
      arrivalsOf(evidence)
        .map(({ target }) => target)
        .slice(0, 2),
      ["/a", "/b"],
    );
    assert.deepEqual(reasonsOf(evidence).slice(0, 4), [
      "permitted",
      "no-permit",
      "missing-credential",
      "permitted",
    ]);
  });

  test(`to ${upstream}: the body of a denied request is not read as a request`, async () => {
    const hidden = requestBytes("/secret");
    const evidence = await stage.attack(
      `POST /guarded/x HTTP/1.1\r\nHost: api.example\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    );
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 401);
    assert.deepEqual(
      reasonsOf(evidence).filter((reason) => reason === "no-permit"),
      [],
    );
  });

  test(`to ${upstream}: a request behind Connection: close is not read`, async () => {
    const evidence = await stage.attack(
      requestBytes("/a", ["Connection: close"]) + requestBytes("/secret"),
    );
    assertHarmless(evidence);
    assert.deepEqual(statusesOf(evidence), [200]);
  });
}
