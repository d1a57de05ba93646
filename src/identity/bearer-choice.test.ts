/** Whose a token is, among authenticators of every kind on one route. */
import assert from "node:assert/strict";
import test from "node:test";
import { headerOf, signToken, testKey } from "../../test/issuer.ts";
import { recordedMetrics } from "../../test/ports.ts";
import { ConfigError } from "../model/errors.ts";
import { isFailure } from "../model/facts.ts";
import { ManualClock } from "../platform/clock.ts";
import type { PresentedToken, Takes, TokenAuthenticator } from "./authenticator.ts";
import { createBearerSet, sameTokens } from "./bearer.ts";
import { createFactsCache } from "./facts-cache.ts";

const key = testKey("k", "ES256");
const signed = (claims: object): string => signToken(key, headerOf(key), claims);

/** One that says that it was asked, by a failure that no other gives. */
function authenticator(name: string, takes: Takes, asked: PresentedToken[]): TokenAuthenticator {
  return {
    name,
    proves: "token",
    configHash: name,
    takes,
    vocabulary: { name, kinds: ["workload"], attributes: {}, bareRoles: [] },
    start: () => Promise.resolve(),
    keys: () => undefined,
    close: () => undefined,
    verify(presented) {
      asked.push(presented);
      return { failure: "inactive-token", detail: name, costly: false };
    },
  };
}

const WAYS: Readonly<Record<string, Takes>> = {
  corp: { by: "issuer", issuer: "https://corp.example" },
  mesh: { by: "trust-domain", trustDomain: "prod.example.org" },
  keys: { by: "prefix", prefix: "sp_" },
  rest: { by: "rest", issuer: "https://opaque.example" },
};

const DAMAGED: readonly (readonly [name: string, change: (text: string) => string])[] = [
  ["with a part too many", (text) => `${text}.x`],
  ["with padding", (text) => `${text}=`],
  ["with a plus sign", (text) => `${text}+`],
  ["with a character before it", (text) => `x${text}`],
  ["without its signature", (text) => text.slice(0, text.lastIndexOf("."))],
  ["that stands there twice", (text) => `${text}.${text}`],
  ["with two parts too many", (text) => `${text}.x.y`],
];

const CHOICES: readonly [name: string, token: string, by: string, ways?: readonly string[]][] = [
  ["a prefix", "sp_abc", "keys"],
  [
    "a prefix, also of what could be read otherwise",
    `sp_${signed({ iss: "https://corp.example" })}`,
    "keys",
  ],
  ["an issuer", signed({ iss: "https://corp.example" }), "corp"],
  [
    "an issuer before the trust domain of its sub",
    signed({ iss: "https://corp.example", sub: "spiffe://prod.example.org/a" }),
    "corp",
  ],
  ["a trust domain", signed({ sub: "spiffe://prod.example.org/a" }), "mesh"],
  [
    "a trust domain, whoever the issuer says it is",
    signed({ iss: "https://x.example", sub: "spiffe://prod.example.org/a" }),
    "mesh",
  ],
  [
    "the trust domain itself, which is nobody",
    signed({ sub: "spiffe://prod.example.org" }),
    "unknown-issuer",
  ],
  [
    "another trust domain that begins so",
    signed({ sub: "spiffe://prod.example.org.evil/a" }),
    "unknown-issuer",
  ],
  ["an opaque token", "opaque", "rest"],
  ["a signed token of the issuer that is asked", signed({ iss: "https://opaque.example" }), "rest"],
  ["a signed token without iss", signed({ sub: "a" }), "rest"],
  ["a signed token of somebody else", signed({ iss: "https://x.example" }), "unknown-issuer"],
  ["an iss that is no text", signed({ iss: 7 }), "invalid-claim"],
  [
    "an opaque token where nobody takes it",
    "opaque",
    "malformed-credential",
    ["corp", "mesh", "keys"],
  ],
  [
    "a signed token without iss where nobody takes it",
    signed({ sub: 7 }),
    "missing-claim",
    ["corp", "mesh", "keys"],
  ],
  [
    "a signed token with a signature that is too long",
    `${signed({ iss: "https://corp.example" })}xx`,
    "corp",
  ],
  ...DAMAGED.map(([name, change]): [string, string, string] => [
    `a signed token ${name}, which nobody is shown`,
    change(signed({ iss: "https://corp.example", sub: "payments" })),
    "malformed-credential",
  ]),
  [
    "an encrypted token, which its provider can read",
    "eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn",
    "rest",
  ],
  [
    "a JWT-SVID of a trust domain that nobody has",
    signed({ sub: "spiffe://other.example/a" }),
    "unknown-issuer",
  ],
  [
    "a JWT-SVID where nobody takes any",
    signed({ sub: "spiffe://prod.example.org/a" }),
    "unknown-issuer",
    ["corp", "rest"],
  ],
  ["a prefix where nobody has it", "sp_abc", "malformed-credential", ["corp", "mesh"]],
];

for (const [name, token, by, ways = Object.keys(WAYS)] of CHOICES) {
  test(`bearer set goes by ${name}: ${by}`, async () => {
    const asked: PresentedToken[] = [];
    const cache = createFactsCache({}, { clock: new ManualClock(0), metrics: recordedMetrics() });
    const authenticators = ways.map((one) => authenticator(one, WAYS[one] as Takes, asked));
    const result = await createBearerSet(authenticators, cache).verify(token);
    assert.ok(isFailure(result));
    assert.equal(result.failure === "inactive-token" ? result.detail : result.failure, by);
    assert.equal(asked.length, by in WAYS ? 1 : 0, "one is asked, and no other");
    for (const presented of asked) {
      assert.equal(presented.token, token);
      assert.equal(presented.jws === undefined, by === "keys" || token.split(".").length !== 3);
    }
  });
}

const issuer = (text: string): Takes => ({ by: "issuer", issuer: text });
const prefix = (text: string): Takes => ({ by: "prefix", prefix: text });
const domain = (text: string): Takes => ({ by: "trust-domain", trustDomain: text });
const rest = (text?: string): Takes => ({ by: "rest", issuer: text });

const PAIRS: readonly [Takes, Takes, same: boolean][] = [
  [issuer("a"), issuer("a"), true],
  [issuer("a"), issuer("b"), false],
  [domain("a"), domain("a"), true],
  [domain("a"), domain("b"), false],
  [prefix("sp_"), prefix("sp_x_"), true],
  [prefix("sp_"), prefix("sp_"), true],
  [prefix("sp_"), prefix("xx_"), false],
  [rest(), rest("a"), true],
  [rest("a"), issuer("a"), true],
  [rest("a"), issuer("b"), false],
  [rest(), issuer("a"), false],
  [issuer("a"), domain("a"), false],
  [issuer("a"), prefix("a"), false],
  [domain("a"), prefix("a"), false],
  [rest("a"), domain("a"), false],
  [rest("a"), prefix("a"), false],
];

test("a refused issuer says which there are, and nothing of the token", () => {
  for (const [names, detail] of [
    [["corp"], "its iss is none of https://corp.example"],
    [["keys"], "no authenticator of the route takes signed tokens by their iss"],
  ] as const) {
    const cache = createFactsCache({}, { clock: new ManualClock(0), metrics: recordedMetrics() });
    const ways = names.map((name) => authenticator(name, WAYS[name] as Takes, []));
    const found = createBearerSet(ways, cache).verify(signed({ iss: "https://x.example" }));
    assert.ok(!(found instanceof Promise) && isFailure(found));
    assert.deepEqual([found.failure, found.detail], ["unknown-issuer", detail]);
  }
});

test("sameTokens() says whether one token could be for both, either way round", () => {
  for (const [one, other, same] of PAIRS) {
    assert.equal(sameTokens(one, other), same, JSON.stringify([one, other]));
    assert.equal(sameTokens(other, one), same, JSON.stringify([other, one]));
  }
});

test("createBearerSet() refuses two that could take the same token, and says which", () => {
  const cache = createFactsCache({}, { clock: new ManualClock(0), metrics: recordedMetrics() });
  for (const [one, other, same] of PAIRS) {
    const make = () =>
      createBearerSet([authenticator("a", one, []), authenticator("b", other, [])], cache);
    if (!same) {
      make();
      continue;
    }
    assert.throws(make, (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /"a" and "b"/);
      return true;
    });
  }
});
