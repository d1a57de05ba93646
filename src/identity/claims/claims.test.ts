import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { corpora } from "../../../test/corpora.ts";
import { isJsonObject, parseJson } from "../../model/json.ts";
import type { Principal } from "../../model/principal.ts";
import { createClaimMapper, isClaimFault, type ClaimFault } from "./claims.ts";
import { jwtOptionsSchema } from "../jwt-options.ts";

/** Maps claims given as JSON text or as an object, by `principal:` as a user would write it. */
function map(principal: object, claims: object | string): Principal | ClaimFault {
  const options = jwtOptionsSchema.parse({
    type: "jwt",
    issuer: "https://login.example.com",
    principal,
  });
  const json = parseJson(typeof claims === "string" ? claims : JSON.stringify(claims));
  assert.ok(isJsonObject(json));
  return createClaimMapper("corp", options.principal).principal(json);
}

function good(principal: object, claims: object | string): Principal {
  const result = map(principal, claims);
  assert.ok(!isClaimFault(result), "it should have been taken");
  return result;
}

function fault(principal: object, claims: object | string): string {
  const result = map(principal, claims);
  assert.ok(isClaimFault(result), "it should have been refused");
  return result.fault;
}

const user = { kind: "user" };

test("claim mapper makes a frozen principal with names scoped to its authenticator", () => {
  const principal = good(
    {
      ...user,
      roles: { claim: "roles", allow: ["Admin"] },
      groups: { claim: "groups" },
      attributes: { tenant: { claim: "t", type: "string" } },
    },
    { sub: "alice", roles: ["Admin", "Reader", "Admin"], groups: ["staff"], t: "x" },
  );
  assert.deepEqual(
    { ...principal, attributes: { ...principal.attributes } },
    {
      kind: "user",
      authenticator: "corp",
      subject: "alice",
      roles: ["Admin", "corp/Reader"],
      groups: ["corp/staff"],
      attributes: { tenant: "x" },
    },
  );
  for (const part of [principal, principal.roles, principal.groups, principal.attributes]) {
    assert.ok(Object.isFrozen(part));
  }
});

test("claim mapper gives no roles and groups where none are configured or present", () => {
  const claims = { sub: "a", roles: ["Admin"] };
  assert.deepEqual(good(user, claims).roles, []);
  const principal = good(
    { ...user, roles: { claim: "r" }, groups: { claim: "g" } },
    { sub: "a", g: null },
  );
  assert.deepEqual([principal.roles, principal.groups], [[], []]);
});

test("claim mapper takes a text for one role, spaces and all", () => {
  const roles = { claim: "roles", allow: ["admin"] };
  assert.deepEqual(good({ ...user, roles }, { sub: "a", roles: "user admin" }).roles, [
    "corp/user admin",
  ]);
  assert.deepEqual(good({ ...user, roles }, { sub: "a", roles: "admin" }).roles, ["admin"]);
});

test("claim mapper refuses roles and groups that are not names", async (t) => {
  const cases: readonly [name: string, roles: unknown][] = [
    ["number", 7],
    ["true", true],
    ["object", { Admin: true }],
    ["number within", ["Admin", 7]],
    ["null within", [null]],
    ["list within", [["Admin"]]],
    ["empty text", [""]],
    ["line end", ["Admin\n"]],
    ["control character", ["Ad\u0000min"]],
    ["line separator", ["Ad\u2028min"]],
    ["long", ["x".repeat(257)]],
    ["many", Array.from({ length: 501 }, (_, index) => `r${index}`)],
  ];
  for (const [name, roles] of cases) {
    await t.test(name, () => {
      const claims = { sub: "a", roles };
      assert.equal(fault({ ...user, roles: { claim: "roles" } }, claims), "invalid-claim");
      assert.equal(fault({ ...user, groups: { claim: "roles" } }, claims), "invalid-claim");
    });
  }
});

test("claim mapper requires a subject that is a name", async (t) => {
  const cases: readonly [claims: object, fault: string][] = [
    [{}, "missing-claim"],
    [{ sub: null }, "missing-claim"],
    [{ sub: "" }, "invalid-claim"],
    [{ sub: 7 }, "invalid-claim"],
    [{ sub: ["alice"] }, "invalid-claim"],
    [{ sub: "a\tb" }, "invalid-claim"],
    [{ sub: "x".repeat(513) }, "invalid-claim"],
  ];
  for (const [claims, expected] of cases) {
    await t.test(JSON.stringify(claims).slice(0, 30), () => {
      assert.equal(fault(user, claims), expected);
    });
  }
  assert.equal(good({ ...user, subject: "client.id" }, { client: { id: "pay" } }).subject, "pay");
});

test("claim mapper tells the kind by a claim", async (t) => {
  const kind = {
    claim: "gty",
    is: { workload: ["client-credentials", true, 7], user: "password" },
  };
  const cases: readonly [value: unknown, kind: string | undefined][] = [
    ["client-credentials", "workload"],
    [true, "workload"],
    [7, "workload"],
    ["password", "user"],
  ];
  for (const [value, expected] of cases) {
    await t.test(String(value), () => {
      assert.equal(good({ kind }, { sub: "a", gty: value }).kind, expected);
    });
  }
  for (const value of ["Password", "toString", "__proto__", false, 8, {}, ["password"]]) {
    assert.equal(fault({ kind }, { sub: "a", gty: value }), "invalid-claim");
  }
  assert.equal(fault({ kind }, { sub: "a" }), "missing-claim");
});

test("claim mapper reads declared attributes of their type and converts nothing", async (t) => {
  const max = "9223372036854775807";
  const cases: readonly [type: string, json: string, value: unknown][] = [
    ["string", '""', ""],
    ["string", '"a"', "a"],
    ["string", "1", undefined],
    ["string", "true", undefined],
    ["string", '["a"]', undefined],
    ["bool", "true", true],
    ["bool", "false", false],
    ["bool", '"true"', undefined],
    ["bool", "1", undefined],
    ["long", "0", 0],
    ["long", "-5", -5],
    ["long", "9007199254740993", 9_007_199_254_740_993n],
    ["long", max, 9_223_372_036_854_775_807n],
    ["long", "9223372036854775808", undefined],
    ["long", "-9223372036854775809", undefined],
    ["long", "1.5", undefined],
    ["long", "1e300", undefined],
    ["long", "-0", undefined],
    ["long", '"1"', undefined],
    ["strings", "[]", []],
    ["strings", '["a","b"]', ["a", "b"]],
    ["strings", '"a"', undefined],
    ["strings", '["a",1]', undefined],
    ["strings", "{}", undefined],
  ];
  for (const [type, json, value] of cases) {
    await t.test(`${type} ${json}`, () => {
      const principal = { ...user, attributes: { x: { claim: "x", type } } };
      const claims = `{"sub":"a","x":${json}}`;
      if (value === undefined) assert.equal(fault(principal, claims), "invalid-claim");
      else assert.deepEqual(good(principal, claims).attributes["x"], value);
    });
  }
});

test("claim mapper uses a default for an absent or null claim, never for one of a wrong type", () => {
  const attributes = { external: { claim: "ext", type: "bool", default: true } };
  assert.equal(good({ ...user, attributes }, { sub: "a" }).attributes["external"], true);
  assert.equal(good({ ...user, attributes }, { sub: "a", ext: null }).attributes["external"], true);
  assert.equal(
    good({ ...user, attributes }, { sub: "a", ext: false }).attributes["external"],
    false,
  );
  assert.equal(fault({ ...user, attributes }, { sub: "a", ext: "no" }), "invalid-claim");
  const required = { external: { claim: "ext", type: "bool" } };
  assert.equal(fault({ ...user, attributes: required }, { sub: "a" }), "missing-claim");
});

test("claim mapper reaches nested claims, URL names and names with dots", () => {
  const claims = {
    sub: "a",
    realm_access: { roles: ["nested"] },
    "https://example.com/roles": ["url"],
    "realm_access.roles": ["literal"],
    "a.b": { "c.d": ["deep"] },
  };
  const roles = (claim: unknown) => good({ ...user, roles: { claim } }, claims).roles;
  assert.deepEqual(roles("realm_access.roles"), ["corp/nested"]);
  assert.deepEqual(roles("https://example.com/roles"), ["corp/url"]);
  assert.deepEqual(roles(["realm_access.roles"]), ["corp/literal"]);
  assert.deepEqual(roles(["a.b", "c.d"]), ["corp/deep"]);
  assert.deepEqual(roles("sub.length"), []);
  assert.deepEqual(roles("realm_access.roles.0"), []);
});

test("claim mapper is not led to a prototype by a name in config or token", () => {
  for (const claim of ["constructor.name", "__proto__.roles", "toString", "hasOwnProperty"]) {
    assert.deepEqual(good({ ...user, roles: { claim } }, { sub: "a" }).roles, []);
  }
  const text = '{"sub":"a","__proto__":{"roles":["Admin"]},"constructor":{"prototype":{"x":1}}}';
  assert.deepEqual(good({ ...user, roles: { claim: "roles" } }, text).roles, []);
  assert.equal(({} as Record<string, unknown>)["roles"], undefined);
  const attributes = { constructor: { claim: "c", type: "string" } };
  assert.equal(good({ ...user, attributes }, { sub: "a", c: "v" }).attributes["constructor"], "v");
});

test("claim mapper describes what its principals can be", () => {
  const options = jwtOptionsSchema.parse({
    type: "jwt",
    issuer: "https://login.example.com",
    principal: {
      kind: { claim: "k", is: { workload: "w", user: "u" } },
      roles: { claim: "roles", allow: ["Admin"] },
      attributes: { tenant: { claim: "t", type: "string" }, level: { claim: "l", type: "long" } },
    },
  });
  const { vocabulary } = createClaimMapper("corp", options.principal);
  assert.deepEqual(
    { ...vocabulary, attributes: { ...vocabulary.attributes } },
    {
      name: "corp",
      kinds: ["workload", "user"],
      attributes: { tenant: "string", level: "long" },
      bareRoles: ["Admin"],
    },
  );
});

test("claim mapper's faults hold no value of the token", () => {
  const canary = "CANARY-41";
  const principal = {
    kind: { claim: "k", is: { user: "u" } },
    roles: { claim: "roles" },
    attributes: { a: { claim: "a", type: "long" } },
  };
  const hostile = [
    { k: canary, sub: "a" },
    { k: "u", sub: [canary] },
    { k: "u", sub: "a", roles: [canary, 1] },
    { k: "u", sub: "a", a: canary },
  ];
  for (const claims of hostile) {
    const result = map(principal, claims);
    assert.ok(isClaimFault(result));
    assert.ok(!JSON.stringify(result).includes(canary));
  }
});

const istio = corpora("jose/istio-jwt.json");

test("claim mapper reads Istio's claims", { skip: istio === undefined }, () => {
  const { tokens } = JSON.parse(readFileSync(istio ?? "", "utf8")) as {
    readonly tokens: readonly { readonly name: string; readonly claims: object }[];
  };
  const groupsOf = (name: string, claim: unknown) => {
    const claims = tokens.find((token) => token.name === name)?.claims ?? assert.fail(name);
    return good({ ...user, groups: { claim } }, claims).groups;
  };
  assert.deepEqual(groupsOf("TokenIssuer1", "groups"), ["corp/group-1"]);
  assert.deepEqual(groupsOf("TokenIssuer1WithNestedClaims1", "nested.nested-2.key1"), [
    "corp/valueA",
    "corp/valueB",
  ]);
  const collisionResistant = "TokenIssuer1WithCollisionResistantName";
  assert.deepEqual(groupsOf(collisionResistant, ["test-issuer-1@istio.io/simple"]), [
    "corp/valueC",
  ]);
  assert.deepEqual(groupsOf(collisionResistant, ["test-issuer-1@istio.io/nested", "key1"]), [
    "corp/valueC",
  ]);
});

/** The device of claims, by `principal.device:` as a user would write it. */
function device(options: object, claims: object): Principal | undefined | ClaimFault {
  const { principal } = jwtOptionsSchema.parse({
    type: "jwt",
    issuer: "https://login.example.com",
    principal: { ...user, device: options },
  });
  const json = parseJson(JSON.stringify(claims));
  assert.ok(isJsonObject(json));
  return createClaimMapper("corp", principal).device(json);
}

const MANAGED = {
  claim: "device.id",
  attributes: { managed: { claim: "device.managed", type: "bool" } },
};

test("claim mapper names the device beside the principal, where the token does", () => {
  const named = device(MANAGED, { device: { id: "d1", managed: true } });
  assert.ok(named !== undefined && !isClaimFault(named));
  assert.deepEqual(
    { ...named, attributes: { ...named.attributes } },
    {
      kind: "device",
      authenticator: "corp",
      subject: "d1",
      roles: [],
      groups: [],
      attributes: { managed: true },
    },
  );
  assert.equal(device(MANAGED, { sub: "alice" }), undefined);
  assert.equal(device(MANAGED, { device: { id: null, managed: true } }), undefined);
});

for (const [name, claims, expected] of [
  ["an id that is no name", { device: { id: 7, managed: true } }, "invalid-claim"],
  ["an empty id", { device: { id: "", managed: true } }, "invalid-claim"],
  ["an attribute that is absent", { device: { id: "d1" } }, "missing-claim"],
  ["an attribute of another type", { device: { id: "d1", managed: "yes" } }, "invalid-claim"],
] as const) {
  test(`claim mapper refuses a device with ${expected}: ${name}`, () => {
    const result = device(MANAGED, claims);
    assert.ok(result !== undefined && isClaimFault(result));
    assert.equal(result.fault, expected);
  });
}

test("claim mapper's limits are what they say, to the last one", () => {
  const named = { ...user, roles: { claim: "roles" }, attributes: {} };
  const text = { ...user, attributes: { a: { claim: "a", type: "string" } } };
  const texts = { ...user, attributes: { a: { claim: "a", type: "strings" } } };
  const long = { ...user, attributes: { a: { claim: "a", type: "long" } } };
  const many = (count: number) => Array.from({ length: count }, (_, index) => `r${index}`);
  for (const [principal, right, wrong] of [
    [user, { sub: "s".repeat(512) }, { sub: "s".repeat(513) }],
    [named, { sub: "s", roles: many(500) }, { sub: "s", roles: many(501) }],
    [named, { sub: "s", roles: ["r".repeat(256)] }, { sub: "s", roles: ["r".repeat(257)] }],
    [text, { sub: "s", a: "x".repeat(4096) }, { sub: "s", a: "x".repeat(4097) }],
    [texts, { sub: "s", a: many(500) }, { sub: "s", a: many(501) }],
    [texts, { sub: "s", a: ["x".repeat(4096)] }, { sub: "s", a: ["x".repeat(4097)] }],
    [long, '{"sub":"s","a":9223372036854775807}', '{"sub":"s","a":9223372036854775808}'],
    [long, '{"sub":"s","a":-9223372036854775808}', '{"sub":"s","a":-9223372036854775809}'],
  ] as const) {
    good(principal, right);
    assert.equal(fault(principal, wrong), "invalid-claim");
  }
});
