/** Every way in which an API key can be bad, each with its own reason, and what a good one becomes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedMetrics } from "../../test/ports.ts";
import { CREATED, directoryOf, MAC, madeEntry, told } from "../../test/keys/api-keys.ts";
import { isFailure, type Verified } from "../model/facts.ts";
import type { Reason } from "../model/reason.ts";
import { ManualClock } from "../platform/clock.ts";
import { apiKeyMapper, createApiKeyAuthenticator } from "./api-key.ts";
import { apiKeyOptionsSchema } from "./api-key-options.ts";
import { createBearerSet, hashCredential } from "./bearer.ts";
import { checkFacts } from "./checks.ts";
import { createFactsCache } from "./facts-cache.ts";

const NOW = CREATED + 86_400_000;
const OPTIONS = apiKeyOptionsSchema.parse({
  type: "api-key",
  principal: {
    roles: { allow: ["Reader"] },
    attributes: {
      tenant: { type: "string" },
      tier: { type: "long", default: 1 },
      external: { type: "bool", default: true },
      regions: { type: "strings", default: [] },
    },
  },
});

const attributes = { tenant: "acme" };
const GOOD = madeEntry({
  subject: "acme/billing",
  scopes: ["invoices:read"],
  roles: ["Reader", "Writer"],
  groups: ["emea"],
  attributes: { ...attributes, tier: 3, regions: ["eu"] },
});
const OTHERS = madeEntry({ authenticator: "others", attributes });
const REVOKED = madeEntry({ attributes, revoked: true });
const EXPIRED = madeEntry({ attributes, expiresMs: NOW });
const BARE = madeEntry();
const WRONG = madeEntry({ attributes: { tenant: 1 } });
const UNREADABLE = madeEntry({ attributes });
const LATER = {
  ...UNREADABLE.entry,
  profile: UNREADABLE.entry.profile.replace("{", '{"networks":["10.0.0.0/8"],'),
};

function scene() {
  const clock = new ManualClock(NOW);
  const directory = directoryOf(GOOD, OTHERS, REVOKED, EXPIRED, BARE, WRONG);
  told(directory, [LATER]);
  const deps = { apiKeys: directory, clock, metrics: recordedMetrics() };
  const partners = createApiKeyAuthenticator({ ...OPTIONS, name: "partners" }, deps);
  const verify = (token: string): Verified =>
    partners.verify({ token, credentialHash: hashCredential(token) });
  return { clock, directory, partners, verify };
}

const { text } = GOOD;
const body = text.slice(3);
const turned = text.replace(/[A-Za-z](?=[0-9A-Za-z]{8})/, (letter) =>
  letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
);

const HOSTILE: readonly (readonly [what: string, key: string, reason: Reason, costly: boolean])[] =
  [
    ["another prefix", `sk_${body}`, "malformed-credential", false],
    ["no prefix", body, "malformed-credential", false],
    ["the prefix alone", "sp_", "malformed-credential", false],
    ["an upper-case prefix", `SP_${body}`, "malformed-credential", false],
    ["one character less", text.slice(0, -1), "malformed-credential", false],
    ["one character more", `${text}0`, "malformed-credential", false],
    ["a blank at its end", `${text} `, "malformed-credential", false],
    [
      "a wrong checksum",
      text.slice(0, -1) + (text.endsWith("0") ? "1" : "0"),
      "malformed-credential",
      false,
    ],
    ["the case of one letter changed", turned, "malformed-credential", false],
    ["all lower-case", text.toLowerCase(), "malformed-credential", false],
    [
      "characters of another alphabet",
      `${text.slice(0, 20)}-_${text.slice(22)}`,
      "malformed-credential",
      false,
    ],
    ["a key that was never made", madeEntry().text, "unknown-credential", true],
    ["a key of another authenticator", OTHERS.text, "unknown-credential", true],
    ["a key that may what a later version knows", UNREADABLE.text, "unknown-credential", true],
    ["a revoked key", REVOKED.text, "credential-revoked", false],
    ["an expired key", EXPIRED.text, "token-expired", false],
    ["a key without a declared attribute", BARE.text, "missing-claim", false],
    ["a key with an attribute of another type", WRONG.text, "invalid-claim", false],
  ];

for (const [what, key, reason, costly] of HOSTILE) {
  test(`verify() refuses ${what}: ${reason}`, () => {
    const { verify } = scene();
    const result = verify(key);
    assert.ok(isFailure(result));
    assert.equal(result.failure, reason);
    assert.equal(result.costly, costly);
    assert.equal(result.authenticator, "partners");
    const secret = key.trim().slice(3, 30);
    if (secret !== "") assert.ok(!JSON.stringify(result).includes(secret), "nothing of the key");
  });
}

test("verify() makes the key's owner the principal, with what the key may", () => {
  const { verify } = scene();
  const facts = verify(text);
  assert.ok(!isFailure(facts));
  assert.deepEqual(
    { ...facts.principal, attributes: { ...facts.principal.attributes } },
    {
      kind: "workload",
      authenticator: "partners",
      subject: "acme/billing",
      roles: ["Reader", "partners/Writer"],
      groups: ["partners/emea"],
      attributes: { tenant: "acme", tier: 3, external: true, regions: ["eu"] },
    },
  );
  assert.deepEqual(facts.scopes, ["invoices:read"]);
  assert.equal(facts.tokenId, GOOD.id);
  assert.equal(facts.kind, "api-key");
  assert.equal(facts.expiresAt, GOOD.entry.expiresMs / 1000);
  assert.equal(facts.issuedAt, CREATED / 1000);
  assert.equal(facts.audience, undefined);
  assert.equal(checkFacts(facts, NOW, ["https://api.example.com"]), undefined);
  assert.equal(checkFacts(facts, GOOD.entry.expiresMs, undefined), "token-expired");
});

test("facts count no more once the authority says something else of the key", () => {
  const { directory, verify } = scene();
  const facts = verify(text);
  assert.ok(!isFailure(facts));
  const other = madeEntry({ attributes });
  told(directory, [other.entry]);
  assert.equal(facts.valid(), true, "of another key");
  told(directory, [{ ...GOOD.entry, expiresMs: NOW + 60_000 }]);
  assert.equal(facts.valid(), false);
  assert.equal(facts.ended?.(), false);
  const anew = verify(text);
  assert.ok(!isFailure(anew));
  assert.equal(anew.expiresAt, (NOW + 60_000) / 1000);
  told(directory, [{ ...GOOD.entry, revoked: true }]);
  assert.deepEqual([anew.valid(), anew.ended?.()], [false, true]);
  directory.apply({ entries: [], gone: [GOOD.id], mac: undefined }, { reset: false });
  assert.deepEqual([anew.valid(), anew.ended?.()], [false, true]);
  const gone = verify(text);
  assert.equal(isFailure(gone) && gone.failure, "unknown-credential");
  // What is not good any more is not good again because the same is said once more.
  told(directory, [{ ...GOOD.entry, expiresMs: NOW + 60_000 }]);
  assert.equal(facts.valid(), false);
});

test("a key that lets somebody in is noted as used, at most once a minute", () => {
  const { directory, verify } = scene();
  const facts = verify(text);
  assert.ok(!isFailure(facts));
  assert.deepEqual(directory.takeUses(), [], "not by being verified");
  facts.used?.(NOW);
  assert.deepEqual(directory.takeUses(), [{ id: GOOD.id, atMs: NOW }]);
  facts.used?.(NOW + 59_999);
  assert.deepEqual(directory.takeUses(), []);
  facts.used?.(NOW + 60_000);
  assert.deepEqual(directory.takeUses(), [{ id: GOOD.id, atMs: NOW + 60_000 }]);
});

test("without the MAC key no API key is good, and those that were are no more", () => {
  const { directory, verify } = scene();
  const facts = verify(text);
  assert.ok(!isFailure(facts));
  directory.apply({ entries: [], gone: [], mac: "" }, { reset: false });
  assert.equal(facts.valid(), false);
  const result = verify(text);
  assert.equal(isFailure(result) && result.failure, "unknown-credential");
  directory.apply({ entries: [], gone: [], mac: MAC }, { reset: false });
  assert.ok(!isFailure(verify(text)));
});

test("a key made by a clock that is ahead of ours is good, and a cut-off after it denies it", () => {
  const { clock, directory, verify } = scene();
  const made = madeEntry({ attributes, createdMs: clock.now() + 4000 });
  told(directory, [made.entry]);
  const facts = verify(made.text);
  assert.ok(!isFailure(facts));
  assert.equal(checkFacts(facts, clock.now(), undefined), undefined);
});

test("a route's set gives the key to the authenticator of its prefix, and remembers what is good", () => {
  const { partners, directory, clock } = scene();
  const metrics = recordedMetrics();
  const deps = { apiKeys: directory, clock, metrics };
  const other = { ...apiKeyOptionsSchema.parse({ type: "api-key", prefix: "ops_" }), name: "ops" };
  const cache = createFactsCache({}, { clock, metrics });
  const set = createBearerSet([partners, createApiKeyAuthenticator(other, deps)], cache);
  const facts = set.verify(text);
  assert.ok(!(facts instanceof Promise) && !isFailure(facts));
  assert.equal(facts.authenticator, "partners");
  assert.equal(set.recall(text), facts);
  told(directory, [{ ...GOOD.entry, revoked: true }]);
  assert.equal(set.recall(text), undefined);
  const stranger = set.verify(madeEntry({ prefix: "ops_" }).text);
  assert.ok(!(stranger instanceof Promise) && isFailure(stranger));
  assert.deepEqual([stranger.authenticator, stranger.failure], ["ops", "unknown-credential"]);
  const same = createApiKeyAuthenticator({ ...OPTIONS, name: "twin" }, deps);
  assert.throws(() => createBearerSet([partners, same], cache), /prefix/);
});

test("a route's set shows no provider an API key of another route, be it mistyped", () => {
  const { clock } = scene();
  const metrics = recordedMetrics();
  const cache = createFactsCache({}, { clock, metrics });
  const shown: string[] = [];
  const provider = {
    name: "legacy",
    proves: "token" as const,
    takes: { by: "rest" as const, issuer: undefined },
    configHash: "legacy",
    vocabulary: { name: "legacy", kinds: [], attributes: {}, bareRoles: [] },
    start: () => Promise.resolve(),
    keys: () => undefined,
    close: () => undefined,
    verify: ({ token }: { readonly token: string }): Verified => {
      shown.push(token);
      return { failure: "inactive-token", detail: "", costly: true };
    },
  };
  const set = createBearerSet([provider], cache, ["sp_", "ops_"]);
  const reason = (token: string) => {
    const result = set.verify(token);
    return !(result instanceof Promise) && isFailure(result) ? result.failure : undefined;
  };
  assert.equal(reason(text), "unknown-credential");
  assert.equal(reason(turned), "unknown-credential");
  assert.equal(reason(madeEntry({ prefix: "ops_" }).text), "unknown-credential");
  assert.deepEqual(shown, []);
  const opaque = ["opaque", "sp_of-the-provider", madeEntry({ prefix: "other_" }).text];
  for (const token of opaque) assert.equal(reason(token), "inactive-token");
  assert.deepEqual(shown, opaque);
});

test("apiKeyMapper() says what a key may not have, before it is made", () => {
  const fault = apiKeyMapper(OPTIONS);
  const key = { subject: "ann", roles: [], groups: [] };
  assert.equal(fault({ ...key, attributes: { tenant: "acme" } }), undefined);
  assert.match(fault({ ...key, attributes: {} }) ?? "", /attributes\.tenant is absent/);
  assert.match(fault({ ...key, attributes: { tenant: 1 } }) ?? "", /not of type string/);
  assert.match(
    fault({ ...key, attributes: { tenant: "a", more: 1 } }) ?? "",
    /more is not declared/,
  );
});

const BAD_OPTIONS: readonly (readonly [object, string])[] = [
  [{ prefix: "sp" }, "prefix"],
  [{ prefix: "SP_" }, "prefix"],
  [{ prefix: "a_b_" }, "prefix"],
  [{ field: "Authorization" }, "field"],
  [{ field: "Cookie" }, "field"],
  [{ field: "x-forwarded-for" }, "field"],
  [{ field: "x-sallyport-key" }, "field"],
  [{ field: "x key" }, "field"],
  [{ maxLifetime: "1m" }, "maxLifetime"],
  [{ maxLifetime: "never" }, "maxLifetime"],
  [{ principal: { kind: "anonymous" } }, "kind"],
  [{ principal: { roles: { allow: ["corp/Reader"] } } }, "roles"],
  [{ principal: { attributes: { tier: { type: "long", default: "one" } } } }, "attributes"],
  [{ audience: ["https://api.example.com"] }, "audience"],
];
for (const [options, place] of BAD_OPTIONS) {
  test(`apiKeyOptionsSchema refuses ${JSON.stringify(options)}`, () => {
    const { error } = apiKeyOptionsSchema.safeParse({ type: "api-key", ...options });
    assert.match(JSON.stringify(error?.issues), new RegExp(place));
  });
}
