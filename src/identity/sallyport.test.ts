/** Every way in which a provisioning key can be bad, each with its own reason, and what a good one becomes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { publishing } from "../../test/keys/published.ts";
import { recordedMetrics } from "../../test/ports.ts";
import { readJws } from "../crypto/jws.ts";
import { signJws } from "../crypto/sign-jws.ts";
import { generateSigningKey, type SigningKey } from "../crypto/signing-key.ts";
import type { CredentialFacts } from "../model/facts.ts";
import { isFailure, type Verified } from "../model/facts.ts";
import type { JsonObject, JsonValue } from "../model/json.ts";
import type { Reason } from "../model/reason.ts";
import { KEY_USES, type KeyUse, type PublishedKey } from "../model/signing.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";
import { ManualClock } from "../platform/clock.ts";
import { createBearerSet, hashCredential } from "./bearer.ts";
import { checkFacts } from "./checks.ts";
import { createFactsCache } from "./facts-cache.ts";
import { createSallyportAuthenticator } from "./sallyport.ts";
import { sallyportOptionsSchema } from "./sallyport-options.ts";

const NOW_S = 1_800_000_000;
const ISSUER = "https://sallyport.example.com";
const THUMBPRINT = `${"0".repeat(42)}A`;

const CORP: VocabularyAuthenticator = {
  name: "corp",
  kinds: ["user", "workload"],
  attributes: { external: "bool", serial: "long", regions: "strings" },
  bareRoles: ["Reader"],
  device: { managed: "bool" },
};
const MESH: VocabularyAuthenticator = {
  name: "mesh",
  kinds: ["workload"],
  attributes: {},
  bareRoles: ["AdminService"],
};

const PRINCIPAL = {
  kind: "user",
  authenticator: "corp",
  subject: "alice",
  roles: ["Reader", "corp/Writer"],
  groups: ["corp/emea"],
  attributes: { external: true, serial: String(2n ** 60n), regions: ["eu"] },
};
const CLAIMS: JsonObject = {
  iss: ISSUER,
  sub: "corp/alice",
  aud: "billing",
  client_id: "client",
  iat: NOW_S - 10,
  exp: NOW_S + 290,
  jti: "key-1",
  principal: PRINCIPAL,
};

const SIGNERS = new Map<KeyUse, SigningKey>(
  KEY_USES.map((use) => [use, generateSigningKey(use === "tokens" ? "EdDSA" : "ES256")]),
);
const NEXT = generateSigningKey("ES256");
const OF_MACHINE = generateSigningKey("EdDSA");
const TOKENS = SIGNERS.get("tokens") as SigningKey;

function published(use: KeyUse, key: SigningKey, machine?: string): PublishedKey {
  const { kid, jwk, algorithm } = key;
  const times = { activeMs: 0, retiredMs: Infinity, removedMs: Infinity };
  return { kid, use, algorithm, jwk, ...times, ...(machine === undefined ? {} : { machine }) };
}

const PUBLISHED = [
  ...[...SIGNERS].map(([use, key]) => published(use, key)),
  published("tokens", NEXT),
  published("tokens", OF_MACHINE, "edge-1"),
];

function scene({
  keys = PUBLISHED,
  vocabulary = [CORP, MESH],
}: {
  readonly keys?: readonly PublishedKey[];
  readonly vocabulary?: readonly VocabularyAuthenticator[];
} = {}) {
  const clock = new ManualClock(NOW_S * 1000);
  const directory = publishing(keys);
  const metrics = recordedMetrics();
  const options = sallyportOptionsSchema.parse({
    type: "sallyport",
    issuer: ISSUER,
    principal: { roles: { allow: ["Job"] }, attributes: { team: { type: "string" } } },
  });
  const authenticator = createSallyportAuthenticator(
    { ...options, name: "keys" },
    { clock, metrics, publishedKeys: directory, vocabulary },
  );
  const verify = (token: string): Verified => {
    const jws = readJws(token);
    if ("fault" in jws) assert.fail(jws.detail);
    return authenticator.verify({ token, jws, credentialHash: hashCredential(token) });
  };
  return { clock, directory, authenticator, verify };
}

function signed(
  claims: JsonObject = CLAIMS,
  { key = TOKENS, typ = "at+jwt" }: { readonly key?: SigningKey; readonly typ?: string } = {},
): string {
  return signJws(key, { typ }, claims);
}

function changed(change: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  return { ...CLAIMS, ...change };
}

function principal(change: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  return changed({ principal: { ...PRINCIPAL, ...change } });
}

function good(result: Verified): CredentialFacts {
  if (isFailure(result)) assert.fail(`${result.failure}: ${result.detail}`);
  return result;
}

test("verify() makes of a key the principal that it was issued to", () => {
  const { verify } = scene();
  const token = signed();
  const facts = good(verify(token));
  assert.deepEqual(
    { ...facts, valid: undefined, principal: { ...facts.principal, attributes: undefined } },
    {
      principal: {
        kind: "user",
        authenticator: "corp",
        subject: "alice",
        roles: ["Reader", "corp/Writer"],
        groups: ["corp/emea"],
        attributes: undefined,
      },
      authenticator: "keys",
      kind: "sallyport",
      credentialHash: hashCredential(token),
      expiresAt: NOW_S + 290,
      notBefore: undefined,
      issuedAt: NOW_S - 10,
      clockSkew: 30,
      audience: undefined,
      acceptedAudience: [],
      services: ["billing"],
      scopes: [],
      tokenId: "key-1",
      clientId: "client",
      acr: undefined,
      amr: [],
      authenticatedAt: undefined,
      confirmation: undefined,
      actor: undefined,
      device: undefined,
      valid: undefined,
    },
  );
  assert.deepEqual(
    { ...facts.principal.attributes },
    {
      external: true,
      serial: 2n ** 60n,
      regions: ["eu"],
    },
  );
});

test("verify() reads what narrows a key, whose hands it is for, and where it comes from", () => {
  const { verify } = scene();
  const ancestors = [
    { authenticator: "keys", id: "key-0" },
    { authenticator: "mesh", principal: { authenticator: "mesh", subject: "spiffe://a/b" } },
  ];
  const details = [{ type: "sallyport", routes: ["invoices"], methods: ["GET"] }];
  const facts = good(
    verify(
      signed(
        changed({
          aud: ["billing", "orders"],
          scope: "read write",
          cnf: { jkt: THUMBPRINT },
          act: { sub: "mesh/spiffe://a/b", act: { sub: "mesh/spiffe://a/c" } },
          authorization_details: details,
          acr: "2",
          amr: ["pwd"],
          auth_time: NOW_S - 60,
          device: {
            kind: "device",
            authenticator: "corp",
            subject: "laptop",
            attributes: { managed: true },
          },
          ancestors,
        }),
      ),
    ),
  );
  assert.deepEqual(facts.services, ["billing", "orders"]);
  assert.deepEqual(facts.scopes, ["read", "write"]);
  assert.equal(facts.confirmation?.keyThumbprint, THUMBPRINT);
  assert.deepEqual(facts.actor, {
    authenticator: "mesh",
    subject: "spiffe://a/b",
    issuer: undefined,
    clientId: undefined,
    behind: ["mesh/spiffe://a/c"],
  });
  assert.deepEqual(facts.narrowed, details);
  assert.deepEqual(facts.ancestors, ancestors);
  assert.equal(facts.device?.subject, "laptop");
  assert.equal(facts.device?.attributes["managed"], true);
  assert.equal(facts.authenticatedAt, NOW_S - 60);
});

test("verify() takes clients of its own, and what the next key signs", () => {
  const { verify } = scene();
  const claims = changed({
    sub: "keys/billing-job",
    principal: {
      kind: "workload",
      authenticator: "keys",
      subject: "billing-job",
      roles: ["Job"],
      attributes: { team: "payments" },
    },
  });
  const facts = good(verify(signed(claims, { key: NEXT })));
  assert.deepEqual(facts.principal.roles, ["Job"]);
});

const stranger = generateSigningKey("EdDSA");
const BAD: readonly (readonly [what: string, token: string, reason: Reason, costly: boolean])[] = [
  ...KEY_USES.filter((use) => use !== "tokens").map(
    (use) =>
      [
        `a signature of the key of ${use}`,
        signed(CLAIMS, { key: SIGNERS.get(use) as SigningKey }),
        "unknown-key",
        true,
      ] as const,
  ),
  [
    "an assertion's key under the name of one of tokens",
    signJws(
      { ...(SIGNERS.get("assertions") as SigningKey), kid: NEXT.kid },
      { typ: "at+jwt" },
      CLAIMS,
    ),
    "invalid-signature",
    true,
  ],
  ["a key that a machine publishes", signed(CLAIMS, { key: OF_MACHINE }), "unknown-key", true],
  ["a stranger's key", signed(CLAIMS, { key: stranger }), "unknown-key", true],
  [
    "a stranger's key under a known name",
    signed(CLAIMS, { key: { ...stranger, kid: TOKENS.kid } }),
    "invalid-signature",
    true,
  ],
  [
    "no kid",
    signJws({ ...TOKENS, kid: undefined }, { typ: "at+jwt" }, CLAIMS),
    "unknown-key",
    true,
  ],
  [
    "an algorithm that does not fit the key",
    signed(CLAIMS, { key: { ...TOKENS, algorithm: "ES256" } }),
    "algorithm-not-allowed",
    true,
  ],
  [
    "an algorithm that the authority does not sign with",
    signJws({ ...TOKENS, algorithm: "RS256" }, { typ: "at+jwt" }, CLAIMS),
    "algorithm-not-allowed",
    false,
  ],
  ["typ JWT", signed(CLAIMS, { typ: "JWT" }), "invalid-token-type", false],
  ["typ in capitals", signed(CLAIMS, { typ: "AT+JWT" }), "invalid-token-type", false],
  [
    "typ with application/",
    signed(CLAIMS, { typ: "application/at+jwt" }),
    "invalid-token-type",
    false,
  ],
  [
    "typ of an assertion",
    signed(CLAIMS, { typ: "sallyport-assertion+jwt" }),
    "invalid-token-type",
    false,
  ],
  ["no exp", signed(changed({ exp: undefined })), "missing-claim", false],
  ["no iat", signed(changed({ iat: undefined })), "missing-claim", false],
  ["no jti", signed(changed({ jti: undefined })), "missing-claim", false],
  ["an empty jti", signed(changed({ jti: "" })), "missing-claim", false],
  ["no client_id", signed(changed({ client_id: undefined })), "missing-claim", false],
  ["an exp that is text", signed(changed({ exp: "later" })), "invalid-claim", false],
  ["an exp that is past", signed(changed({ exp: NOW_S - 30 })), "token-expired", false],
  ["an iat to come", signed(changed({ iat: NOW_S + 31 })), "token-not-yet-valid", false],
  ["no aud", signed(changed({ aud: undefined })), "missing-claim", true],
  ["an aud that is a URL", signed(changed({ aud: "https://a.example" })), "invalid-claim", true],
  [
    "too many services",
    signed(changed({ aud: Array.from({ length: 17 }, (_, index) => `s${index}`) })),
    "invalid-claim",
    true,
  ],
  ["a claim of a later version", signed(changed({ networks: ["::/0"] })), "invalid-claim", true],
  ["a sub of another", signed(changed({ sub: "corp/bob" })), "invalid-claim", true],
  ["no sub", signed(changed({ sub: undefined })), "invalid-claim", true],
  ["no principal", signed(changed({ principal: undefined })), "missing-claim", true],
  ["a principal that is text", signed(changed({ principal: "corp/alice" })), "invalid-claim", true],
  ["an unknown authenticator", signed(principal({ authenticator: "x" })), "invalid-claim", true],
  ["a kind that it has not", signed(principal({ kind: "device" })), "invalid-claim", true],
  ["anonymous", signed(principal({ kind: "anonymous" })), "invalid-claim", true],
  ["no subject", signed(principal({ subject: undefined })), "missing-claim", true],
  ["an unknown member", signed(principal({ more: 1 })), "invalid-claim", true],
  ["another's role", signed(principal({ roles: ["mesh/Reader"] })), "invalid-claim", true],
  ["another's bare role", signed(principal({ roles: ["AdminService"] })), "invalid-claim", true],
  ["roles that are text", signed(principal({ roles: "Reader" })), "invalid-claim", true],
  ["another's group", signed(principal({ groups: ["emea"] })), "invalid-claim", true],
  ["no attributes", signed(principal({ attributes: undefined })), "missing-claim", true],
  ["attributes as a list", signed(principal({ attributes: [] })), "invalid-claim", true],
  [
    "an attribute of another type",
    signed(principal({ attributes: { ...PRINCIPAL.attributes, external: "no" } })),
    "invalid-claim",
    true,
  ],
  [
    "a long that is none",
    signed(principal({ attributes: { ...PRINCIPAL.attributes, serial: "1e3" } })),
    "invalid-claim",
    true,
  ],
  [
    "a long beyond its bounds",
    signed(principal({ attributes: { ...PRINCIPAL.attributes, serial: "9223372036854775808" } })),
    "invalid-claim",
    true,
  ],
  [
    "an attribute that is not declared",
    signed(principal({ attributes: { ...PRINCIPAL.attributes, admin: true } })),
    "invalid-claim",
    true,
  ],
  ["a cnf that is none", signed(changed({ cnf: { jkt: "x" } })), "invalid-claim", true],
  ["an act without a name", signed(changed({ act: {} })), "invalid-claim", true],
  ["an act that is no principal", signed(changed({ act: { sub: "job" } })), "invalid-claim", true],
  ["an act without a subject", signed(changed({ act: { sub: "mesh/" } })), "invalid-claim", true],
  [
    "details of another type",
    signed(changed({ authorization_details: [{ type: "payment" }] })),
    "invalid-claim",
    true,
  ],
  ["details that are empty", signed(changed({ authorization_details: [] })), "invalid-claim", true],
  ["no ancestors in a list", signed(changed({ ancestors: [] })), "invalid-claim", true],
  [
    "too many ancestors",
    signed(changed({ ancestors: Array.from({ length: 17 }, () => ({ authenticator: "keys" })) })),
    "invalid-claim",
    true,
  ],
  ...[
    { id: "x" },
    { authenticator: "keys", id: 1 },
    { authenticator: "keys", more: 1 },
    { authenticator: "keys", principal: { authenticator: "mesh" } },
    { authenticator: "keys", principal: "mesh/x" },
    "keys",
  ].map(
    (one) =>
      [
        `an ancestor ${JSON.stringify(one)}`,
        signed(changed({ ancestors: [one as JsonValue] })),
        "invalid-claim",
        true,
      ] as const,
  ),
  [
    "a device of an authenticator that names none",
    signed(
      changed({
        sub: "mesh/m",
        principal: { kind: "workload", authenticator: "mesh", subject: "m" },
        device: { kind: "device", authenticator: "mesh", subject: "d" },
      }),
    ),
    "invalid-claim",
    true,
  ],
  [
    "a device of another authenticator",
    signed(changed({ device: { kind: "device", authenticator: "mesh", subject: "d" } })),
    "invalid-claim",
    true,
  ],
  [
    "a device without its attributes",
    signed(changed({ device: { kind: "device", authenticator: "corp", subject: "d" } })),
    "missing-claim",
    true,
  ],
  [
    "a device with roles",
    signed(
      changed({
        device: {
          kind: "device",
          authenticator: "corp",
          subject: "d",
          attributes: { managed: true },
          roles: [],
        },
      }),
    ),
    "invalid-claim",
    true,
  ],
];

for (const [what, token, reason, costly] of BAD) {
  test(`verify() refuses ${what}`, () => {
    const result = scene().verify(token);
    assert.ok(isFailure(result), "it was taken");
    assert.equal(result.failure, reason, result.detail);
    assert.equal(result.costly, costly);
    assert.equal(result.authenticator, "keys");
    for (const part of token.split(".")) assert.ok(!result.detail.includes(part));
  });
}

test("verify() says that nothing can be known when no key was heard of, and charges nobody", () => {
  const result = scene({ keys: [] }).verify(signed());
  assert.ok(isFailure(result));
  assert.equal(result.failure, "identity-unavailable");
  assert.equal(result.costly, false);
});

test("verify() refuses what an authenticator has given and would not give now", () => {
  const { verify } = scene({ vocabulary: [{ ...CORP, bareRoles: [] }] });
  const result = verify(signed());
  assert.ok(isFailure(result));
  assert.equal(result.failure, "invalid-claim");
});

test("facts are valid until the key that verified them is published no more", () => {
  const { directory, verify } = scene();
  const facts = good(verify(signed()));
  assert.equal(facts.valid(), true);
  assert.equal(directory.apply([...PUBLISHED, published("tokens", stranger)]), false);
  assert.equal(facts.valid(), true);
  const without = PUBLISHED.filter(({ kid }) => kid !== TOKENS.kid);
  assert.equal(directory.apply(without), true);
  assert.equal(facts.valid(), false);
  assert.equal(checkFacts(facts, NOW_S * 1000, undefined), "unknown-key");
  // Back under its name: what was ended once is verified anew.
  directory.apply(PUBLISHED);
  assert.equal(facts.valid(), false);
});

test("facts of a key whose name another has now are not valid", () => {
  const { directory, verify } = scene();
  const facts = good(verify(signed()));
  const renamed = { ...published("tokens", stranger), kid: TOKENS.kid };
  directory.apply([renamed]);
  assert.equal(facts.valid(), false);
});

test("a key is verified once, and asked for in the cache from then on", () => {
  const { authenticator, clock } = scene();
  const cache = createFactsCache({}, { clock, metrics: recordedMetrics() });
  const set = createBearerSet([authenticator], cache);
  const token = signed();
  assert.equal(set.recall(token), undefined);
  const facts = good(set.verify(token) as Verified);
  assert.equal(set.recall(token), facts);
});

test("what others declare is part of what facts are cached under", () => {
  const hash = (vocabulary: readonly VocabularyAuthenticator[]): string =>
    scene({ vocabulary }).authenticator.configHash;
  assert.notEqual(hash([CORP, MESH]), hash([{ ...CORP, bareRoles: [] }, MESH]));
  assert.equal(hash([CORP, MESH]), hash([CORP, MESH]));
});
