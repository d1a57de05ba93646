/**
 * Servers that hand fields on as CGI variables write `_` for `-`, and some (lighttpd among them) for
 * every sign: `X.Forwarded.For`, `X!Sallyport!Assertion` and `x_team` become the variables of the
 * real ones. Others honour fields that name another host or method than the one that policy saw, or
 * send their own requests to whom `Proxy` names (httpoxy, CVE-2016-5385). None of them passes, and
 * neither does a lookalike of what a route sets or removes.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const stage = await startStage({
  routes: `  - name: team
    path: "/team"
    service: recorder
    authenticate: [anonymous]
    request: { headers: { set: { x-team: payments }, remove: [x-debug] } }`,
});
after(() => stage.close());

const SPOOF = "192.0.2.66";

const NAMES = [
  "X.Forwarded.For",
  "x!sallyport!assertion",
  "X~Real~IP",
  "sallyport.decision",
  "Content.Length",
  "Proxy",
  "X-Host",
  "X-Original-Host",
  "X-HTTP-Host-Override",
  "X-Original-Method",
  "X-Original-URI",
  "X-Envoy-Original-Path",
  "Client-IP",
  "X-Originating-IP",
];

for (const name of NAMES) {
  testOverEach(
    stage,
    `the service never sees what a caller writes into ${name}`,
    async ({ attack }) => {
      const evidence = await attack(requestBytes("/open", [`${name}: ${SPOOF}`]));
      assertHarmless(evidence);
      assert.deepEqual(statusesOf(evidence), [200, 200]);
      assert.doesNotMatch(evidence.arrived.join(""), /192\.0\.2\.66/);
    },
  );
}

for (const name of ["X-Team", "x_team", "X.Team", "x_debug", "X-Debug", "x~debug"]) {
  testOverEach(
    stage,
    `${name} is no way around what the route sets and removes`,
    async ({ attack }) => {
      const evidence = await attack(requestBytes("/team", [`${name}: ${SPOOF}`]));
      assertHarmless(evidence);
      assert.doesNotMatch(evidence.arrived.join(""), /192\.0\.2\.66/);
      const fields = arrivalsOf(evidence)[0]?.fields ?? [];
      assert.deepEqual(
        fields.filter(([field]) => field.includes("team")),
        [["x-team", "payments"]],
      );
    },
  );
}

testOverEach(stage, "a harmless name with a sign in it passes", async ({ attack }) => {
  const evidence = await attack(requestBytes("/open", ["X.Trace_Note: kept"]));
  assertHarmless(evidence);
  assert.match(evidence.arrived.join(""), /x\.trace_note: kept/);
});
