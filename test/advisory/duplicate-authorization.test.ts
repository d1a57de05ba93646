/**
 * Two Authorization fields: the proxy checks the first, the service reads the last. Any request with
 * more than one is refused, whatever the route wants.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const stage = await startStage();
after(() => stage.close());

const good = `Authorization: Bearer ${stage.issuer.token({ roles: ["Admin"] })}`;
const PAIRS: readonly [name: string, target: string, fields: readonly string[]][] = [
  ["a good and a bad one", "/guarded/x", [good, "Authorization: Bearer bad"]],
  ["a bad and a good one", "/guarded/x", ["authorization: Bearer bad", good]],
  ["the same twice", "/guarded/x", [good, good]],
  ["two on an open route", "/open", ["Authorization: Basic YTpi", "Authorization: Basic YTpj"]],
];

for (const [name, target, fields] of PAIRS) {
  testOverEach(stage, `the proxy refuses ${name}`, async ({ attack }) => {
    const evidence = await attack(requestBytes(target, fields));
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 400);
    assert.equal(reasonsOf(evidence)[0], "duplicate-authorization");
    assert.equal(
      arrivalsOf(evidence).some((request) => request.target === target),
      false,
    );
  });
}

testOverEach(
  stage,
  "an underscore spelling is no second Authorization and does not reach the service",
  async ({ attack }) => {
    const evidence = await attack(
      requestBytes("/guarded/x", [good, "Authorization_: x", "Proxy-Authorization: Basic YTpi"]),
    );
    assertHarmless(evidence);
    assert.doesNotMatch(evidence.arrived.join(""), /YTpi/);
  },
);
