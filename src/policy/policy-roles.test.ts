import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyPolicies } from "./compile-policies.ts";
import { policyRoles } from "./policy-roles.ts";

const VOCABULARY = {
  authenticators: [
    { name: "keys", kinds: ["workload" as const], attributes: {}, bareRoles: ["Biller", "Reader"] },
  ],
  services: [{ name: "billing", attributes: {} }],
  routes: [{ name: "billing", service: "billing", attributes: {}, params: [] }],
};

test("policyRoles() knows the roles that scopes, conditions and data files name, and no other", async () => {
  const { verified, problems } = await verifyPolicies({
    files: [
      {
        name: "billing.cedar",
        text: `@id("scope")
permit (principal in Sallyport::Role::"Biller", action, resource);
@id("condition")
forbid (principal, action, resource) when { principal in Sallyport::Role::"keys/Suspended" };
`,
      },
      { name: "teams.yaml", text: 'roles:\n  Reader: [Workload::"keys/job"]\n' },
    ],
    vocabulary: VOCABULARY,
  });
  assert.ok(verified !== undefined, JSON.stringify(problems));
  const roles = policyRoles(verified);
  assert.deepEqual([...roles.named].toSorted(), ["Biller", "keys/Suspended"]);
  assert.ok(roles.has("Biller") && roles.has("keys/Suspended"));
  assert.ok(roles.has("Reader"), "of a data file");
  assert.ok(!roles.has("Biler") && !roles.has("Suspended"));
});
