/**
 * A caller writes the fields in which a proxy tells a service who is calling, in any spelling that a
 * service may take for them: another case, `_` for `-` (CGI, WSGI and PHP read both as one), twice,
 * in a trailer. oauth2-proxy passed underscore spellings on (GHSA-vjrc-mh2v-45x6), Oathkeeper
 * believed the caller's forwarded fields (2026). Whatever the caller says of itself is dropped.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const stage = await startStage();
after(() => stage.close());

const NAMES = [
  "X-Sallyport-Subject",
  "x-sallyport-assertion",
  "X_Sallyport_Assertion",
  "x-sallyport_roles",
  "X_SALLYPORT_SUBJECT",
  "Sallyport-Decision",
  "sallyport_decision",
  "X-Forwarded-For",
  "X_Forwarded_For",
  "X-Forwarded_Host",
  "X-Forwarded-Proto",
  "X-Forwarded-Host",
  "X-Forwarded-Anything",
  "Forwarded",
  "X-Real-IP",
  "X_Real_Ip",
];
const SPOOF = "for=192.0.2.66";

for (const name of NAMES) {
  testOverEach(
    stage,
    `the service never sees what a caller writes into ${name}`,
    async ({ attack }) => {
      const evidence = await attack(requestBytes("/open", [`${name}: ${SPOOF}`]), {
        spoofed: [SPOOF],
      });
      assertHarmless(evidence);
      assert.deepEqual(statusesOf(evidence), [200, 200]);
      assert.doesNotMatch(evidence.arrived.join(""), /192\.0\.2\.66/);
    },
  );
}

testOverEach(
  stage,
  "what the proxy says of the caller stands there once, from the connection",
  async ({ attack }) => {
    const evidence = await attack(
      requestBytes("/open", ["X-Forwarded-For: 192.0.2.66", "x-forwarded-for: 192.0.2.67"]),
    );
    const forwarded = arrivalsOf(evidence)[0];
    assert.ok(forwarded !== undefined);
    const values = forwarded.fields.filter(([name]) => name === "x-forwarded-for");
    assert.deepEqual(values, [["x-forwarded-for", "127.0.0.1"]]);
  },
);

testOverEach(stage, "the caller's credentials do not reach the service", async ({ attack }) => {
  const token = stage.issuer.token({ roles: ["Admin"] });
  const evidence = await attack(requestBytes("/guarded/x", [`Authorization: Bearer ${token}`]), {
    spoofed: [`Bearer ${token}`],
  });
  assertHarmless(evidence);
  assert.deepEqual(statusesOf(evidence), [200, 200]);
  assert.equal(evidence.arrived.join("").includes(token), false);
});
