import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ACCESS_DETAIL_TYPE, type AccessDetail } from "../model/access-detail.ts";
import type { CredentialFacts } from "../model/facts.ts";
import { KEY_KIND } from "../model/issued-keys.ts";
import type { Principal } from "../model/principal.ts";
import {
  type AskedKey,
  deriveKey,
  type DerivedKey,
  type KeyFault,
  type KeyLimits,
} from "./derive-key.ts";

const NOW_S = 1_800_000_000;
const LIMITS: KeyLimits = {
  issuer: "https://sallyport.example.com",
  nowMs: NOW_S * 1000,
  defaultSeconds: 300,
  mostSeconds: 3600,
  id: "key-1",
};
const ASKED: AskedKey = {
  services: ["billing"],
  scopes: undefined,
  lifetimeSeconds: undefined,
  details: undefined,
  boundTo: undefined,
};
const THUMBPRINT = "0".repeat(42) + "A";
const DPOP = { by: "dpop", thumbprint: THUMBPRINT } as const;

function principal(authenticator: string, subject: string): Principal {
  return {
    kind: "workload",
    authenticator,
    subject,
    roles: ["Reader"],
    groups: [],
    attributes: { big: 2n ** 60n },
  };
}

function facts(given: Partial<CredentialFacts> = {}): CredentialFacts {
  return {
    principal: principal("corp", "alice"),
    authenticator: "corp",
    kind: "jwt",
    credentialHash: "hash",
    expiresAt: NOW_S + 1000,
    notBefore: undefined,
    issuedAt: NOW_S - 10,
    clockSkew: 60,
    audience: [],
    acceptedAudience: [],
    scopes: [],
    tokenId: "token-1",
    clientId: undefined,
    acr: undefined,
    amr: [],
    authenticatedAt: undefined,
    confirmation: undefined,
    actor: undefined,
    device: undefined,
    valid: () => true,
    ...given,
  };
}

/** The facts that our own authenticator makes of a key. */
function read({ claims, services, scopes, details, ancestors }: DerivedKey): CredentialFacts {
  const act = claims.act as { sub: string; act?: unknown } | undefined;
  const behind: string[] = [];
  for (let inner = act?.act as typeof act; inner !== undefined; inner = inner.act as typeof act) {
    behind.push(inner.sub);
  }
  const said = claims.principal;
  const slash = act?.sub.indexOf("/") ?? 0;
  return facts({
    principal: principal(said["authenticator"] as string, said["subject"] as string),
    authenticator: "keys",
    kind: KEY_KIND,
    expiresAt: claims.exp,
    issuedAt: claims.iat,
    services,
    scopes,
    tokenId: claims.jti,
    clientId: claims.client_id,
    narrowed: details,
    ancestors,
    confirmation:
      claims.cnf === undefined
        ? undefined
        : {
            keyThumbprint: claims.cnf.jkt,
            certificateThumbprint: claims.cnf["x5t#S256"],
            other: false,
          },
    actor:
      act === undefined
        ? undefined
        : {
            authenticator: act.sub.slice(0, slash),
            subject: act.sub.slice(slash + 1),
            issuer: undefined,
            clientId: undefined,
            behind,
          },
  });
}

function derive(
  subject: CredentialFacts,
  asked: Partial<AskedKey> = {},
  given: { readonly actor?: CredentialFacts; readonly limits?: Partial<KeyLimits> } = {},
): DerivedKey | KeyFault {
  const actors = given.actor === undefined ? [] : [given.actor];
  const parents = { subject, actors, clientId: "client" };
  return deriveKey(parents, { ...ASKED, ...asked }, { ...LIMITS, ...given.limits });
}

function good(result: DerivedKey | KeyFault): DerivedKey {
  if ("error" in result) assert.fail(`${result.error}: ${result.description}`);
  return result;
}

function refused(result: DerivedKey | KeyFault, error: KeyFault["error"], words: RegExp): void {
  assert.ok("error" in result, "it was derived");
  assert.equal(result.error, error);
  assert.match(result.description, words);
}

test("deriveKey() says who it is for, from whom it comes and how long when nothing else is asked", () => {
  const { claims } = good(derive(facts({ amr: ["pwd"], acr: "2", authenticatedAt: NOW_S - 20 })));
  assert.deepEqual(JSON.parse(JSON.stringify(claims)), {
    iss: LIMITS.issuer,
    sub: "corp/alice",
    aud: "billing",
    client_id: "client",
    iat: NOW_S,
    exp: NOW_S + 300,
    jti: "key-1",
    acr: "2",
    amr: ["pwd"],
    auth_time: NOW_S - 20,
    principal: {
      kind: "workload",
      authenticator: "corp",
      subject: "alice",
      roles: ["Reader"],
      attributes: { big: String(2n ** 60n) },
    },
    ancestors: [{ authenticator: "corp", id: "token-1" }],
  });
});

test("deriveKey() keeps a device beside the subject", () => {
  const device: Principal = { ...principal("corp", "laptop"), kind: "device", roles: [] };
  const { claims } = good(derive(facts({ device })));
  assert.equal(claims.device?.["subject"], "laptop");
});

test("deriveKey() refuses a service that a parent is not for, whichever parent it is", () => {
  const other = facts({ services: ["orders"] });
  refused(derive(other), "invalid_target", /not for that service/);
  refused(derive(facts(), {}, { actor: other }), "invalid_target", /not for that service/);
  const apart = { actor: facts({ services: ["billing"] }) };
  refused(derive(other, { services: [] }, apart), "invalid_target", /share no service/);
});

test("deriveKey() is for the services of its parents when none is asked for, and asks where they have none", () => {
  const parent = facts({ services: ["billing", "orders"] });
  assert.deepEqual(good(derive(parent, { services: [] })).claims.aud, ["billing", "orders"]);
  refused(derive(facts(), { services: [] }), "invalid_request", /for which service/);
  const many = Array.from({ length: 9 }, (_, index) => `s${index}`);
  refused(derive(facts(), { services: many }), "invalid_target", /more than 8/);
});

test("deriveKey() refuses a scope that a key or an API key does not have, and takes those of others", () => {
  for (const kind of [KEY_KIND, "api-key"]) {
    const parent = facts({ kind, scopes: ["read"] });
    refused(derive(parent, { scopes: ["write"] }), "invalid_scope", /does not have that scope/);
    assert.deepEqual(good(derive(parent)).scopes, ["read"]);
    const actor = { actor: parent };
    refused(derive(facts(), { scopes: ["write"] }, actor), "invalid_scope", /does not have/);
  }
  assert.equal(good(derive(facts({ scopes: ["openid"] }), { scopes: ["w"] })).claims.scope, "w");
  assert.deepEqual(good(derive(facts({ scopes: ["openid"] }))).scopes, []);
});

test("deriveKey() refuses what is no scope, and too many", () => {
  for (const scope of ['a"b', "a b", "", "ä", "a".repeat(129)]) {
    refused(derive(facts(), { scopes: [scope] }), "invalid_scope", /characters/);
  }
  const many = Array.from({ length: 65 }, (_, index) => `s${index}`);
  refused(derive(facts(), { scopes: many }), "invalid_scope", /more than 64/);
});

test("deriveKey() ends with the first of its parents, and never later than keys may", () => {
  const lifetime = (result: DerivedKey | KeyFault): number => good(result).lifetimeSeconds;
  assert.equal(lifetime(derive(facts(), { lifetimeSeconds: 5000 })), 1000);
  const actor = { actor: facts({ expiresAt: NOW_S + 7.9 }) };
  assert.equal(lifetime(derive(facts(), {}, actor)), 7);
  const long = facts({ expiresAt: NOW_S + 1e6 });
  assert.equal(lifetime(derive(long, { lifetimeSeconds: 5000 })), 3600);
  assert.equal(lifetime(derive(long, { lifetimeSeconds: 60 })), 60);
  refused(derive(long, { lifetimeSeconds: 0 }), "invalid_request", /less than a second/);
  refused(derive(facts({ expiresAt: NOW_S + 0.5 })), "invalid_request", /within a second/);
});

test("deriveKey() binds where a parent is bound, and to what is shown", () => {
  const confirmation = {
    keyThumbprint: THUMBPRINT,
    certificateThumbprint: undefined,
    other: false,
  };
  const bound = facts({ confirmation });
  refused(derive(bound), "invalid_request", /is bound, so the key has to be/);
  refused(derive(facts(), {}, { actor: bound }), "invalid_request", /is bound/);
  assert.deepEqual(good(derive(bound, { boundTo: DPOP })).claims.cnf, { jkt: THUMBPRINT });
  const byCertificate = { by: "mtls", thumbprint: THUMBPRINT } as const;
  assert.deepEqual(good(derive(facts(), { boundTo: byCertificate })).claims.cnf, {
    "x5t#S256": THUMBPRINT,
  });
  const other = facts({ confirmation: { ...confirmation, other: true } });
  refused(derive(other, { boundTo: DPOP }), "invalid_request", /cannot be proven/);
});

test("deriveKey() names the actor outermost and those before it behind", () => {
  const actor = facts({ principal: principal("mesh", "spiffe://a/b"), authenticator: "mesh" });
  const former = {
    authenticator: "corp",
    subject: "first",
    issuer: undefined,
    clientId: undefined,
    behind: ["zeroth"],
  };
  const once = good(derive(facts({ actor: former }), {}, { actor }));
  assert.deepEqual(once.claims.act, {
    sub: "mesh/spiffe://a/b",
    act: { sub: "corp/first", act: { sub: "corp/zeroth" } },
  });
  // What is in our own keys already is not written anew.
  assert.deepEqual(good(derive(read(once))).claims.act, once.claims.act);
  assert.deepEqual(once.ancestors, [
    { authenticator: "corp", id: "token-1" },
    {
      authenticator: "mesh",
      id: "token-1",
      principal: { authenticator: "mesh", subject: "spiffe://a/b" },
    },
  ]);
  const delegated = facts({ actor: former });
  refused(derive(facts(), {}, { actor: delegated }), "invalid_request", /another acts/);
  const long = facts({ actor: { ...former, behind: Array.from({ length: 8 }, () => "x") } });
  refused(derive(long), "invalid_request", /too many actors/);
});

test("deriveKey() says whose the actor's own ancestors are", () => {
  const actor = facts({
    principal: principal("mesh", "m"),
    authenticator: "keys",
    kind: KEY_KIND,
    scopes: [],
    ancestors: [{ authenticator: "mesh", id: "svid" }],
  });
  const { ancestors } = good(derive(facts(), {}, { actor }));
  const owner = { authenticator: "mesh", subject: "m" };
  assert.deepEqual(ancestors[2], { authenticator: "mesh", id: "svid", principal: owner });
});

test("deriveKey() refuses more ancestors than are asked about, and longer ones", () => {
  const ancestors = Array.from({ length: 16 }, (_, index) => ({
    authenticator: "keys",
    id: `k${index}`,
  }));
  refused(derive(facts({ ancestors })), "invalid_request", /too many credentials/);
  refused(derive(facts({ tokenId: "x".repeat(5000) })), "invalid_request", /too many credentials/);
});

test("deriveKey() refuses a key that would be larger than a token can be", () => {
  const groups = Array.from({ length: 500 }, (_, index) => `corp/group-number-${index}`);
  const large = facts({ principal: { ...principal("corp", "alice"), groups } });
  refused(derive(large), "invalid_request", /too large/);
});

test("deriveKey() refuses details that leave nothing, and too many", () => {
  const only = (detail: Omit<AccessDetail, "type">): AccessDetail => ({
    type: ACCESS_DETAIL_TYPE,
    ...detail,
  });
  const parent = facts({ kind: KEY_KIND, narrowed: [only({ methods: ["GET"] })] });
  const post = { details: [only({ methods: ["POST"] })] };
  refused(derive(parent, post), "invalid_authorization_details", /no request would be left/);
  const elsewhere = { details: [only({ services: ["orders"] })] };
  refused(derive(facts(), elsewhere), "invalid_authorization_details", /no request would be left/);
  const routes = (name: string) =>
    Array.from({ length: 16 }, (_, index) => only({ [name]: [`n${index}`] }));
  refused(
    derive(facts({ narrowed: routes("routes") }), { details: routes("operations") }),
    "invalid_authorization_details",
    /too long/,
  );
});

test("deriveKey() narrows to one route, one method, one minute", () => {
  const first = read(good(derive(facts())));
  const details: AccessDetail[] = [
    { type: ACCESS_DETAIL_TYPE, routes: ["invoices"], methods: ["GET"] },
  ];
  const second = good(derive(first, { details, lifetimeSeconds: 60 }));
  assert.deepEqual(second.details, details);
  assert.equal(second.lifetimeSeconds, 60);
  assert.deepEqual(good(derive(read(second))).details, details);
});

// Chains of derivations, of which each step asks for whatever it likes.

const NAMES = ["a", "b", "c"];
/** All of them often enough that chains do not end at once. */
const names = fc.oneof(
  { weight: 2, arbitrary: fc.constant(NAMES) },
  { weight: 1, arbitrary: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 }) },
);
const detail = fc
  .record(
    { services: names, routes: names, methods: names, operations: names },
    { requiredKeys: [] },
  )
  .map((members): AccessDetail => ({ type: ACCESS_DETAIL_TYPE, ...members }));
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const details = optional(fc.array(detail, { minLength: 1, maxLength: 3 }));
const confirmation = fc.constantFrom(undefined, {
  keyThumbprint: THUMBPRINT,
  certificateThumbprint: undefined,
  other: false,
});
const parent = fc
  .record({
    kind: fc.constantFrom("jwt", "mtls", KEY_KIND, "api-key"),
    services: optional(names),
    scopes: names,
    narrowed: details,
    expiresAt: fc.double({ min: NOW_S + 1, max: NOW_S + 5000, noNaN: true }),
    confirmation,
    tokenId: optional(fc.uuid()),
    subject: fc.constantFrom("x", "y"),
  })
  .map(({ subject, ...given }) => facts({ ...given, principal: principal("corp", subject) }));
const step = fc.record({
  actor: optional(parent),
  asked: fc.record({
    services: fc.oneof(names, fc.constant([])),
    scopes: fc.oneof(fc.constant(undefined), names),
    lifetimeSeconds: optional(fc.double({ min: 0, max: 1e5, noNaN: true })),
    details,
    boundTo: fc.constantFrom(undefined, DPOP, DPOP, DPOP),
  }),
  id: fc.uuid(),
});

interface Asked {
  readonly services: string;
  readonly routes: string;
  readonly methods: string;
  readonly operations: string;
}
const REQUESTS: readonly Asked[] = NAMES.flatMap((services) =>
  NAMES.flatMap((routes) =>
    NAMES.flatMap((methods) =>
      NAMES.map((operations) => ({ services, routes, methods, operations })),
    ),
  ),
);

/** What a key is for, said as plainly as it can be. */
function fits(given: readonly AccessDetail[] | undefined, request: Asked): boolean {
  if (given === undefined) return true;
  const members = ["services", "routes", "methods", "operations"] as const;
  return given.some((one) =>
    members.every((name) => one[name] === undefined || one[name].includes(request[name])),
  );
}

test("deriveKey() never gives more than any credential before it, over any chain", () => {
  let derived = 0;
  fc.assert(
    fc.property(parent, fc.array(step, { minLength: 1, maxLength: 5 }), (root, steps) => {
      let subject = root;
      const before: CredentialFacts[] = [];
      for (const { actor, asked, id } of steps) {
        const result = derive(
          subject,
          asked,
          // A key that says that another acts cannot act.
          { ...(actor === undefined ? {} : { actor }), limits: { id } },
        );
        if ("error" in result) continue;
        derived += 1;
        before.push(subject, ...(actor === undefined ? [] : [actor]));
        const key = read(result);
        for (const one of before) narrower(key, one);
        askedFor(key, asked);
        assert.equal(
          key.principal.subject,
          root.principal.subject,
          "the subject stays who it was, whoever acts",
        );
        subject = key;
      }
    }),
    { numRuns: 400 },
  );
  assert.ok(derived > 50, `only ${derived} keys were derived`);
});

function narrower(key: CredentialFacts, before: CredentialFacts): void {
  assert.ok(key.expiresAt <= before.expiresAt, "longer");
  if (before.services !== undefined) {
    assert.ok(key.services?.every((name) => before.services?.includes(name)) === true, "services");
  }
  if (before.kind === KEY_KIND || before.kind === "api-key") {
    assert.ok(
      key.scopes.every((scope) => before.scopes.includes(scope)),
      "scopes",
    );
  }
  if (before.confirmation !== undefined) assert.ok(key.confirmation !== undefined, "unbound");
  for (const request of REQUESTS) {
    if (key.services?.includes(request.services) !== true) continue;
    if (fits(key.narrowed, request)) assert.ok(fits(before.narrowed, request), "requests");
  }
  const named = [...(before.ancestors ?? []), { authenticator: before.authenticator }];
  for (const { authenticator } of named) {
    assert.ok(key.ancestors?.some((one) => one.authenticator === authenticator) === true);
  }
  const ids = new Set(key.ancestors?.map(({ id }) => id));
  for (const { id } of before.ancestors ?? []) assert.ok(ids.has(id), "an ancestor was lost");
  assert.ok(ids.has(before.tokenId), "its parent is not named");
}

/** Nothing is lost either: what all allow and was asked for is there. */
function askedFor(key: CredentialFacts, asked: Pick<AskedKey, "scopes" | "services">): void {
  if (asked.scopes !== undefined) assert.deepEqual([...key.scopes], [...asked.scopes]);
  if (asked.services.length > 0) assert.deepEqual(key.services, asked.services);
}

test("deriveKey() leaves exactly the requests that all lists of details allow", () => {
  fc.assert(
    fc.property(details, details, (narrowed, asked) => {
      const services = NAMES;
      const result = derive(facts({ kind: KEY_KIND, narrowed }), { services, details: asked });
      for (const request of REQUESTS) {
        const allowed = fits(narrowed, request) && fits(asked, request);
        const left = "error" in result ? false : fits(result.details, request);
        assert.equal(left, allowed);
      }
    }),
    { numRuns: 300 },
  );
});
