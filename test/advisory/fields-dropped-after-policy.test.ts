/**
 * A policy wants `x-mode: safe`. The caller writes that field and names it in `Connection`, so the
 * policy reads it, permits, and the proxy then drops it as hop-by-hop: the service works in a mode
 * that no policy has seen. The same with `x-forwarded-for`, which a policy might believe although it
 * is the caller's own word and never reaches the service. Policies see what the service will see.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const stage = await startStage({
  routes: `  - { name: mode, path: "/mode", service: recorder, authenticate: [anonymous] }
  - { name: inside, path: "/inside", service: recorder, authenticate: [anonymous] }`,
  policies: `
@id("safe-mode")
forbid (principal, action, resource == Sallyport::Route::"mode")
unless { context.headers.hasTag("x-mode") && context.headers.getTag("x-mode") == ["safe"] };

@id("inside")
forbid (principal, action, resource == Sallyport::Route::"inside")
unless { context.headers.hasTag("x-forwarded-for") };
`,
});
after(() => stage.close());

testOverEach(
  stage,
  "a field that arrives at the service counts for the policy",
  async ({ attack }) => {
    const evidence = await attack(requestBytes("/mode", ["X-Mode: safe"]));
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 200);
    assert.match(evidence.arrived.join(""), /x-mode: safe/);
  },
);

for (const named of ["x-mode", "keep-alive, X-MODE", "te, x-mode"]) {
  test(`a field that Connection: ${named} takes off does not`, async () => {
    const evidence = await stage.attack(
      requestBytes("/mode", ["X-Mode: safe", `Connection: ${named}`]),
    );
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 403);
    assert.equal(reasonsOf(evidence)[0], "forbidden");
  });
}

testOverEach(
  stage,
  "what a caller writes into our fields is nothing to a policy",
  async ({ attack }) => {
    const evidence = await attack(requestBytes("/inside", ["X-Forwarded-For: 10.0.0.1"]));
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 403);
  },
);
