import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { jwtOptionsSchema } from "./jwt-options.ts";

const minimal = {
  type: "jwt",
  issuer: "https://login.example.com",
  principal: { kind: "workload" },
};

test("jwt options have defaults for all but issuer and kind", () => {
  const options = jwtOptionsSchema.parse(minimal);
  assert.deepEqual(options.algorithms, ["RS256", "ES256", "EdDSA"]);
  assert.deepEqual(options.types, ["at+jwt", "JWT", "absent"]);
  assert.equal(options.clockSkew, 30_000);
  assert.equal(options.principal.subject, "sub");
  assert.equal(options.insecureHttp, false);
  assert.equal(options.insecureIdTokens, false);
  assert.deepEqual(options.keys, {
    minRefresh: 60_000,
    maxRefresh: 900_000,
    cooldown: 10_000,
    keep: 43_200_000,
    timeout: 5000,
  });
});

test("jwt options take what the design shows", () => {
  jwtOptionsSchema.parse({
    type: "jwt",
    issuer: "https://login.example.com",
    jwks: "file:keys/jwks.json",
    audience: ["https://api.example.com"],
    algorithms: ["RS256", "ES256", "EdDSA"],
    principal: {
      kind: "workload",
      subject: "sub",
      roles: { claim: "roles", allow: ["AdminService", "Reader"] },
      groups: { claim: "groups" },
      attributes: {
        tenant: { claim: "tenant_id", type: "string" },
        external: { claim: "ext", type: "bool", default: true },
      },
    },
  });
});

test("jwt options refuse what would be unsafe or mean nothing, at its place", async (t) => {
  const principal = (changes: object) => ({ principal: { kind: "user", ...changes } });
  const attribute = (changes: object) =>
    principal({ attributes: { a: { claim: "a", type: "string", ...changes } } });
  const cases: readonly [name: string, changes: object, path: string][] = [
    ["unknown key", { issuers: [] }, ""],
    ["no kind", { principal: {} }, "principal.kind"],
    ["unknown kind", principal({ kind: "anonymous" }), "principal.kind"],
    ["kind told by nothing", principal({ kind: { claim: "k", is: {} } }), "principal.kind"],
    [
      "value for two kinds",
      principal({ kind: { claim: "k", is: { user: ["a", "b"], device: "b" } } }),
      "principal.kind",
    ],
    ["alg none", { algorithms: ["none"] }, "algorithms.0"],
    ["alg HS256", { algorithms: ["RS256", "HS256"] }, "algorithms.1"],
    ["no algorithm", { algorithms: [] }, "algorithms"],
    ["our own assertions", { types: ["sallyport-assertion+jwt"] }, "types.0"],
    ["our own assertions in other case", { types: ["Sallyport-Assertion+JWT"] }, "types.0"],
    ["DPoP proofs", { types: ["dpop+jwt"] }, "types.0"],
    ["logout tokens", { types: ["logout+jwt"] }, "types.0"],
    ["type with a prefix", { types: ["application/at+jwt"] }, "types.0"],
    ["clock skew beyond five minutes", { clockSkew: "6m" }, "clockSkew"],
    ["empty audience", { audience: [] }, "audience"],
    ["audience that is no list", { audience: "https://api.example.com" }, "audience"],
    ["issuer that cannot be discovered", { issuer: "corp" }, "issuer"],
    ["issuer over http", { issuer: "http://login.example.com" }, "issuer"],
    ["jwks over http", { jwks: "http://login.example.com/jwks" }, "jwks"],
    ["jwks that is a path", { jwks: "keys/jwks.json" }, "jwks"],
    ["jwks that names no file", { jwks: "file:" }, "jwks"],
    [
      "role of another authenticator",
      principal({ roles: { claim: "r", allow: ["corp/Admin"] } }),
      "principal.roles.allow.0",
    ],
    ["claim with an empty name", principal({ subject: "a..b" }), "principal.subject"],
    ["claim that is empty", principal({ subject: "" }), "principal.subject"],
    ["claim path that is empty", principal({ subject: [] }), "principal.subject"],
    [
      "attribute name",
      principal({ attributes: { "a-b": { claim: "a", type: "string" } } }),
      "principal.attributes.a-b",
    ],
    ["attribute type", attribute({ type: "number" }), "principal.attributes.a.type"],
    ["default of another type", attribute({ default: 1 }), "principal.attributes.a.default"],
    [
      "default that is no whole number",
      attribute({ type: "long", default: 1.5 }),
      "principal.attributes.a.default",
    ],
    ["refresh bounds the wrong way", { keys: { minRefresh: "1h", maxRefresh: "1m" } }, "keys"],
    ["keys kept shorter than refreshed", { keys: { maxRefresh: "1h", keep: "30m" } }, "keys"],
  ];
  for (const [name, changes, path] of cases) {
    await t.test(name, () => {
      const result = jwtOptionsSchema.safeParse({ ...minimal, ...changes });
      assert.ok(!result.success, "it should be refused");
      const paths = result.error.issues.map((issue) => issue.path.join("."));
      assert.ok(paths.includes(path), `${path} is not among ${paths.join(", ")}`);
    });
  }
});

test("jwt options let an issuer be any text when its keys are named", () => {
  const named = {
    ...minimal,
    issuer: "test-issuer-1@istio.io",
    jwks: "https://login.example.com/k",
  };
  assert.ok(jwtOptionsSchema.safeParse(named).success);
});

test("jwt options let http through on loopback, or loudly", () => {
  const local = { ...minimal, issuer: "http://127.0.0.1:9000" };
  assert.ok(jwtOptionsSchema.safeParse(local).success);
  const loud = { ...minimal, issuer: "http://login.example.com", insecureHttp: true };
  assert.ok(jwtOptionsSchema.safeParse(loud).success);
});

test("jwt options describe every field in the JSON Schema", () => {
  const schema = z.toJSONSchema(jwtOptionsSchema, { io: "input" });
  const undescribed: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== "object" || node === null) return;
    const { properties } = node as { readonly properties?: Record<string, object> };
    for (const [name, property] of Object.entries(properties ?? {})) {
      if (!("description" in property)) undescribed.push(`${path}.${name}`);
    }
    for (const [name, member] of Object.entries(node)) visit(member, `${path}.${name}`);
  };
  visit(schema, "jwt");
  assert.deepEqual(undescribed, []);
});
