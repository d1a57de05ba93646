import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { recordedLog } from "../../test/ports.ts";
import { factsOf } from "../../test/identity/facts.ts";
import { generateSigningKey } from "../crypto/signing-key.ts";
import { readJws, verifyJws } from "../crypto/jws.ts";
import { readKeySet } from "../crypto/jwk.ts";
import { ASSERTION_CLAIMS, assertionSchema, type IdentityField } from "../gate/identity-options.ts";
import type { Permit } from "../gate/decision.ts";
import type { AssertionSigner } from "../model/assertion.ts";
import { SallyportError } from "../model/errors.ts";
import type { CredentialFacts } from "../model/facts.ts";
import type { Signer } from "../model/signing.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { ASSERTION_LIMITS, assertionSpec, makeAssertion } from "./assertion.ts";
import { IdentityCache } from "./identity-cache.ts";
import { createIdentityFields } from "./identity-fields.ts";

const NOW = 1_800_000_000;
const KEY = generateSigningKey("EdDSA");
const ISSUER = "https://sallyport.example/assertions";

function said(facts: CredentialFacts, options: object = {}): Record<string, unknown> {
  const spec = assertionSpec(assertionSchema.parse(options), {
    issuer: ISSUER,
    service: "billing",
  });
  const made = makeAssertion(facts, spec, { signer: KEY, nowMs: NOW * 1000 });
  assert.ok(made);
  return claimsOf(made.token);
}

function claimsOf(token: string): Record<string, unknown> {
  const jws = readJws(token);
  assert.ok(!("fault" in jws));
  const [key] = readKeySet({ keys: [KEY.jwk] }).keys;
  assert.ok(key && verifyJws(jws, "EdDSA", key));
  return JSON.parse(JSON.stringify(jws.claims, exact)) as Record<string, unknown>;
}

/** As text: to compare with `deepEqual`, and with all digits. */
function exact(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

test("makeAssertion() says who is calling, to one service, for a minute", () => {
  const facts = factsOf({ scopes: ["read", "write"], clientId: "app", acr: "gold", amr: ["otp"] });
  assert.deepEqual(said(facts), {
    iss: ISSUER,
    aud: "billing",
    sub: "corp/alice",
    iat: NOW,
    exp: NOW + 60,
    kind: "user",
    authenticator: "corp",
    subject: "alice",
    roles: ["Admin", "corp/Reader"],
    groups: ["corp/staff"],
    scope: "read write",
    client_id: "app",
    acr: "gold",
    amr: ["otp"],
  });
});

test("makeAssertion() has its own type and the kid of its key", () => {
  const spec = assertionSpec(assertionSchema.parse({}), { issuer: ISSUER, service: "billing" });
  const made = makeAssertion(factsOf(), spec, { signer: KEY, nowMs: NOW * 1000 });
  const [header = ""] = made?.token.split(".") ?? [];
  assert.deepEqual(JSON.parse(Buffer.from(header, "base64url").toString()), {
    alg: "EdDSA",
    kid: KEY.kid,
    typ: "sallyport-assertion+jwt",
  });
});

test("makeAssertion() nests who acts for the caller, each by whom it is known", () => {
  const actor = {
    authenticator: "corp",
    subject: "agent",
    issuer: "https://agents.example",
    clientId: undefined,
    behind: ["planner", "cron"],
  };
  assert.deepEqual(said(factsOf({ actor }))["act"], {
    sub: "corp/agent",
    iss: "https://agents.example",
    act: { sub: "corp/planner", act: { sub: "corp/cron" } },
  });
});

test("makeAssertion() leaves out what is not asked for, and carries attributes that are", () => {
  const base = factsOf();
  const facts = factsOf({
    principal: { ...base.principal, attributes: { tenant: "a", level: 2n ** 60n, secret: "no" } },
    scopes: ["read"],
  });
  const lean = said(facts, { claims: [], attributes: ["tenant", "level", "absent"] });
  for (const name of ["roles", "groups", "scope"]) assert.ok(!(name in lean), name);
  const attributes = lean["attributes"] as Record<string, unknown>;
  assert.deepEqual({ ...attributes }, { tenant: "a", level: `${2n ** 60n}n` });
});

for (const claim of ASSERTION_CLAIMS) {
  test(`makeAssertion() without the claim ${claim} says nothing of it`, () => {
    const device = { ...factsOf().principal, kind: "device" as const, subject: "laptop" };
    const actor = {
      authenticator: "corp",
      subject: "agent",
      issuer: undefined,
      clientId: undefined,
      behind: [],
    };
    const facts = factsOf({ device, actor, scopes: ["read"], acr: "gold" });
    const all = said(facts);
    const others = ASSERTION_CLAIMS.filter((other) => other !== claim);
    const name = claim === "authn" ? "acr" : claim;
    assert.ok(name in all);
    assert.ok(!(name in said(facts, { claims: others })));
  });
}

test("makeAssertion() never lives longer than the credential is taken", () => {
  assert.equal(said(factsOf({ expiresAt: NOW + 7.5, clockSkew: 5 }))["exp"], NOW + 13);
  assert.equal(said(factsOf({ expiresAt: Number.POSITIVE_INFINITY }))["exp"], NOW + 60);
});

test("makeAssertion() gives nothing that services would lose for its length", () => {
  const groups = Array.from({ length: 500 }, (_, index) => `corp/${"g".repeat(30)}${index}`);
  const facts = factsOf({ principal: { ...factsOf().principal, groups } });
  const spec = assertionSpec(assertionSchema.parse({}), { issuer: ISSUER, service: "billing" });
  assert.equal(makeAssertion(facts, spec, { signer: KEY, nowMs: 0 }), undefined);
});

// ---- the fields that go with a request

interface Ground {
  readonly clock: ManualClock;
  readonly timers: ManualTimers;
  readonly signer: { issuer: string; key: Signer | undefined; asked: number };
  readonly cache: IdentityCache;
  readonly fields: (
    facts: CredentialFacts | undefined,
    options?: Partial<Options>,
  ) => readonly string[];
  readonly refused: (facts: CredentialFacts, options?: Partial<Options>) => string;
}

interface Options {
  readonly service: string;
  readonly assertion: object | undefined;
  readonly plain: readonly IdentityField[];
}

function ground(): Ground {
  const clock = new ManualClock(NOW * 1000);
  const timers = new ManualTimers();
  const cache = new IdentityCache();
  const state = { issuer: ISSUER, key: KEY as Signer | undefined, asked: 0 };
  const counting = (key: Signer): Signer => ({
    ...key,
    kid: key.kid,
    algorithm: key.algorithm,
    sign(bytes) {
      state.asked += 1;
      return key.sign(bytes);
    },
  });
  let shown: { readonly of: Signer; readonly as: Signer } | undefined;
  const signer: AssertionSigner = {
    issuer: ISSUER,
    current() {
      if (state.key === undefined) throw new SallyportError("signing-unavailable", "no key");
      if (shown?.of !== state.key) shown = { of: state.key, as: counting(state.key) };
      return shown.as;
    },
  };
  const run = (facts: CredentialFacts | undefined, options: Partial<Options> = {}) => {
    const { service = "billing", plain = [] } = options;
    const assertion = "assertion" in options ? options.assertion : {};
    const make = createIdentityFields(
      { service, assertion: assertion && assertionSchema.parse(assertion), plain },
      { signer, cache, clock, timers, log: recordedLog() },
    );
    return make?.({ facts } as Permit) ?? [];
  };
  return {
    clock,
    timers,
    cache,
    signer: state,
    fields(facts, options) {
      const fields = run(facts, options);
      assert.ok(!("reason" in fields), JSON.stringify(fields));
      return fields;
    },
    refused(facts, options) {
      const fields = run(facts, options);
      assert.ok("reason" in fields);
      return fields.reason;
    },
  };
}

test("identity fields sign once for a credential, whatever comes between", () => {
  const { fields, signer, clock } = ground();
  const alice = factsOf();
  const first = fields(alice);
  clock.advance(29_000);
  assert.deepEqual(fields(alice), first);
  assert.equal(signer.asked, 1);
});

test("identity fields are made anew ahead of their end, behind the request that noticed", () => {
  const { fields, signer, clock, timers } = ground();
  const alice = factsOf();
  const first = fields(alice);
  clock.advance(31_000);
  assert.deepEqual(fields(alice), first);
  assert.deepEqual(fields(alice), first);
  assert.equal(signer.asked, 1);
  timers.runAll();
  assert.equal(signer.asked, 2);
  const second = fields(alice);
  assert.notDeepEqual(second, first);
  assert.equal(claimsOf(second[1] ?? "")["exp"], NOW + 91);
});

test("identity fields are never sent within 15 s of their end", () => {
  const { fields, clock } = ground();
  const alice = factsOf();
  fields(alice);
  clock.advance(45_000);
  assert.equal(claimsOf(fields(alice)[1] ?? "")["iat"], NOW + 45);
});

test("identity fields are made anew where the clock was set back", () => {
  const { fields, clock } = ground();
  const alice = factsOf();
  fields(alice);
  clock.advance(-3_600_000);
  assert.equal(claimsOf(fields(alice)[1] ?? "")["iat"], NOW - 3600);
});

test("identity fields by a key that was replaced are sent no more", () => {
  const { fields, signer } = ground();
  const alice = factsOf();
  fields(alice);
  const next = generateSigningKey("EdDSA");
  signer.key = next;
  const [header = ""] = (fields(alice)[1] ?? "").split(".");
  assert.match(Buffer.from(header, "base64url").toString(), new RegExp(next.kid));
});

test("identity fields are refused where nobody may sign, and not left out", () => {
  const { fields, refused, signer } = ground();
  const alice = factsOf();
  fields(alice);
  signer.key = undefined;
  assert.equal(refused(factsOf()), "assertion-unavailable");
  assert.equal(refused(alice), "assertion-unavailable");
});

test("identity fields of another credential, service, audience or choice are their own", () => {
  const { fields } = ground();
  const alice = factsOf();
  const scoped = factsOf({ scopes: ["admin"] });
  const each = [
    fields(alice),
    fields(scoped),
    fields(alice, { service: "orders" }),
    fields(alice, { assertion: { audience: "other" } }),
    fields(alice, { assertion: { claims: ["roles"] } }),
    fields(alice, { plain: ["subject"] }),
  ].map((list) => list.join("\n"));
  assert.equal(new Set(each).size, each.length);
  // Asked again, each gets its own.
  assert.equal(fields(scoped).join("\n"), each[1]);
  assert.equal(fields(alice).join("\n"), each[0]);
});

test("identity fields say nothing of callers that nobody knows", () => {
  const { fields, signer } = ground();
  assert.deepEqual(fields(undefined, { plain: ["subject", "kind"] }), []);
  assert.equal(signer.asked, 0);
});

test("identity fields without an assertion need no key", () => {
  const { fields, signer } = ground();
  signer.key = undefined;
  const plain = fields(factsOf(), { assertion: undefined, plain: ["subject", "kind"] });
  assert.deepEqual(plain, ["x-sallyport-subject", "corp/alice", "x-sallyport-kind", "user"]);
});

test("identity fields encode whatever a provider puts into names", () => {
  const { fields } = ground();
  const principal = {
    ...factsOf().principal,
    subject: "ali ce\r\nx-evil: 1",
    roles: ["a,b", "c", "100%", "Ärzte", "\u{1F600}", "\ud800"],
    groups: [],
  };
  assert.deepEqual(
    fields(factsOf({ principal }), {
      assertion: undefined,
      plain: ["subject", "roles", "groups"],
    }),
    [
      "x-sallyport-subject",
      "corp/ali%20ce%0D%0Ax-evil:%201",
      "x-sallyport-roles",
      "a%2Cb,c,100%25,%C3%84rzte,%F0%9F%98%80,%EF%BF%BD",
    ],
  );
});

test("identity fields give back every name that goes into them", () => {
  const { fields } = ground();
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 40 }), {
        minLength: 1,
        maxLength: 8,
      }),
      (roles) => {
        const facts = factsOf({ principal: { ...factsOf().principal, roles } });
        const list = fields(facts, { assertion: undefined, plain: ["roles"] });
        assert.match(list[1] ?? "", /^[\x21-\x7e]+$/);
        const back = (list[1] ?? "").split(",").map(decodeURIComponent);
        assert.deepEqual(
          back,
          roles.map((role) => role.toWellFormed()),
        );
      },
    ),
  );
});

test("identity fields that a service's head cannot hold are refused", () => {
  const { refused } = ground();
  const roles = Array.from({ length: 400 }, () => "r".repeat(200));
  const facts = factsOf({ principal: { ...factsOf().principal, roles } });
  assert.equal(refused(facts, { assertion: undefined, plain: ["roles"] }), "unfit-value");
  assert.equal(refused(facts), "unfit-value");
  assert.ok(ASSERTION_LIMITS.chars <= 8192);
});

test("IdentityCache holds a bounded number, and what is in use", () => {
  const cache = new IdentityCache();
  const used = factsOf();
  const kept = { fields: [], signer: undefined, fromMs: 0, renewMs: Infinity, endMs: Infinity };
  cache.put(used, "a", kept);
  for (let index = 0; index < 50_000; index++) {
    cache.put(factsOf(), "a", kept);
    assert.equal(cache.get(used, "a"), kept);
  }
  assert.ok(cache.size <= 2 * 8192);
  assert.equal(cache.get(used, "b"), undefined);
  assert.equal(cache.get(factsOf(), "a"), undefined);
});
