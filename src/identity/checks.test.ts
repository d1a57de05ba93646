import assert from "node:assert/strict";
import test from "node:test";
import type { CredentialFacts } from "../model/facts.ts";
import { ANONYMOUS } from "../model/principal.ts";
import type { Reason } from "../model/reason.ts";
import { checkFacts } from "./checks.ts";

const NOW = 1_800_000_000;

function facts(changes: Partial<CredentialFacts>): CredentialFacts {
  return {
    principal: ANONYMOUS,
    authenticator: "corp",
    kind: "jwt",
    credentialHash: "h",
    expiresAt: NOW + 300,
    notBefore: undefined,
    issuedAt: undefined,
    clockSkew: 30,
    audience: ["https://api.example.com"],
    acceptedAudience: ["https://api.example.com"],
    scopes: [],
    tokenId: undefined,
    clientId: undefined,
    acr: undefined,
    amr: [],
    authenticatedAt: undefined,
    confirmation: undefined,
    actor: undefined,
    device: undefined,
    valid: () => true,
    ...changes,
  };
}

const CASES: readonly [
  name: string,
  changes: Partial<CredentialFacts>,
  reason: Reason | undefined,
  routeAudience?: readonly string[],
][] = [
  ["good", {}, undefined],
  ["its key is gone", { valid: () => false }, "unknown-key"],
  ["a moment before exp and skew", { expiresAt: NOW - 29.999 }, undefined],
  ["at exp and skew", { expiresAt: NOW - 30 }, "token-expired"],
  ["at exp without skew", { expiresAt: NOW, clockSkew: 0 }, "token-expired"],
  ["nbf within skew", { notBefore: NOW + 30 }, undefined],
  ["nbf beyond skew", { notBefore: NOW + 30.001 }, "token-not-yet-valid"],
  ["iat within skew", { issuedAt: NOW + 30 }, undefined],
  ["iat in the future", { issuedAt: NOW + 31 }, "token-not-yet-valid"],
  ["one audience of several", { audience: ["x", "https://api.example.com"] }, undefined],
  ["no audience", { audience: [] }, "wrong-audience"],
  ["another audience", { audience: ["https://api.example.com/"] }, "wrong-audience"],
  ["nobody names an audience", { acceptedAudience: [] }, "wrong-audience"],
  ["nobody names one and neither has it", { acceptedAudience: [], audience: [] }, "wrong-audience"],
  ["the route's audience", { audience: ["r"] }, undefined, ["q", "r"]],
  ["the route's is not the authenticator's", {}, "wrong-audience", ["r"]],
  ["the route accepts none", {}, "wrong-audience", []],
  ["expired wins over audience", { expiresAt: 0, audience: [] }, "token-expired"],
];

for (const [name, changes, reason, routeAudience] of CASES) {
  test(`checkFacts() gives ${reason ?? "nothing"} when ${name}`, () => {
    assert.equal(checkFacts(facts(changes), NOW * 1000, routeAudience), reason);
  });
}
