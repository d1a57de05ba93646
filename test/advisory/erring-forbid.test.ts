/**
 * Cedar skips a policy that fails while it is evaluated. When the policy was a forbid, the failure
 * has widened access: here by an attribute arithmetic that overflows. The gate denies instead.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const stage = await startStage({
  policies: `
@id("erring")
forbid (principal, action, resource)
when { context.path like "/erring*" && 9223372036854775807 + 1 > 0 };`,
});
after(() => stage.close());

testOverEach(stage, "a forbid that fails denies with policy-error", async ({ attack }) => {
  const evidence = await attack(requestBytes("/erring"));
  assertHarmless(evidence);
  assert.equal(statusesOf(evidence)[0], 403);
  assert.equal(reasonsOf(evidence)[0], "policy-error");
  assert.deepEqual(evidence.decisions[0]?.["erroring"], ["erring"]);
  assert.equal(
    arrivalsOf(evidence).some(({ target }) => target === "/erring"),
    false,
  );
});
