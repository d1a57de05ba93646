import assert from "node:assert/strict";
import { test } from "node:test";
import { clientPrincipalSchema, clientWords, createClientPrincipals } from "./client-principal.ts";

const options = clientPrincipalSchema.parse({
  roles: { allow: ["Biller"] },
  attributes: { tenant: { type: "string" }, tier: { type: "long", default: 1 } },
});
const profile = { id: "billing-job", roles: [], groups: [], attributes: { tenant: "acme" } };

test("createClientPrincipals() makes a workload of the client's id, with defaults filled in", () => {
  const principals = createClientPrincipals("keys", options);
  assert.deepEqual(
    { ...principals({ ...profile, roles: ["Biller", "Reader"], groups: ["night"] }) },
    {
      kind: "workload",
      authenticator: "keys",
      subject: "billing-job",
      roles: ["Biller", "keys/Reader"],
      groups: ["keys/night"],
      attributes: Object.assign(Object.create(null), { tenant: "acme", tier: 1 }),
    },
  );
});

test("createClientPrincipals() refuses an attribute that is missing, undeclared or of another type", () => {
  const principals = createClientPrincipals("keys", options);
  for (const [attributes, detail] of [
    [{}, /tenant/],
    [{ tenant: 3 }, /tenant/],
    [{ tenant: "acme", region: "eu" }, /attribute region is not declared .*"keys"/],
    [{ tenant: "acme", tier: 1.5 }, /tier/],
  ] as const) {
    const found = principals({ ...profile, attributes: { ...attributes } });
    assert.ok("detail" in found, JSON.stringify(attributes));
    assert.match(found.detail, detail);
  }
});

test("clientWords() says of what type attributes are and which roles go bare", () => {
  assert.deepEqual(clientWords(options), {
    kinds: ["workload"],
    attributes: { tenant: "string", tier: "long" },
    bareRoles: ["Biller"],
  });
});

test("clientPrincipalSchema refuses a default of another type, and a role with a slash", () => {
  assert.equal(
    clientPrincipalSchema.safeParse({ attributes: { tier: { type: "long", default: "x" } } })
      .success,
    false,
  );
  assert.equal(
    clientPrincipalSchema.safeParse({ roles: { allow: ["corp/Reader"] } }).success,
    false,
  );
});
