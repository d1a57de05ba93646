import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf } from "../../test/identity/facts.ts";
import type { Confirmation, CredentialFacts, Verified } from "../model/facts.ts";
import type { Fields, RequestHead } from "../model/http.ts";
import type { PeerTls } from "../model/peer-tls.ts";
import type { PolicyRequest } from "../model/policy.ts";
import type { Principal } from "../model/principal.ts";
import type { Reason } from "../model/reason.ts";
import type { DecisionRecord } from "../model/records.ts";
import { NO_REVOCATIONS, type Revocations } from "../model/revocation.ts";
import type {
  BearerVerifier,
  ProofInput,
  ProofVerifier,
  SessionAnswer,
} from "../model/verifiers.ts";
import { METHODS } from "../model/vocabulary.ts";
import { ManualClock } from "../platform/clock.ts";
import type { ConfirmationRule } from "./confirmation-rule.ts";
import { type Denial, type GateInput, isDenial, type Permit } from "./decision.ts";
import { createGate } from "./gate.ts";
import { createRouter } from "./router.ts";
import type { FurtherWays, GateRoute, GateSnapshot } from "./snapshot.ts";

const NOW = 1_800_000_000_000;
const ORIGIN = "https://api.example.com";
const THUMBPRINT = "t".repeat(43);
const KEY = "k".repeat(43);

const certificate = facts("mesh", "mtls", { kind: "workload", audience: undefined });
const session = facts("people", "oidc", { kind: "user", audience: undefined });
const token = facts("corp", "jwt", { kind: "user" });
const apiKey = facts("partners", "api-key", { kind: "workload", audience: undefined });

const BAD: Verified = { failure: "invalid-signature", detail: "no", costly: true };
const otherSession = facts("partners", "oidc", { kind: "user", audience: undefined });
const PAGE = ["sec-fetch-mode", "navigate", "sec-fetch-dest", "document"];
const STALE: Verified = { failure: "session-expired", detail: "idle", costly: false };

test("the first in the route's order is the principal, and all that were good are on record", async () => {
  for (const [order, principal] of [
    [["corp", "mesh", "people", "partners"], "corp"],
    [["mesh", "corp", "people", "partners"], "mesh"],
    [["people", "mesh", "corp", "partners"], "people"],
    [["partners", "people", "mesh", "corp"], "partners"],
  ] as const) {
    const { decide, records } = fixture({
      order,
      certificate,
      session: { result: session, setCookies: [] },
    });
    const outcome = await decide({
      token: "good",
      tls: shown(),
      fields: ["x-api-key", "good-key"],
    });
    assert.ok(!isDenial(outcome));
    assert.equal(outcome.principal.authenticator, principal);
    assert.deepEqual(
      records[0]?.credentials.map(({ kind, outcome: use }) => `${kind} ${use}`).toSorted(),
      ["api-key used", "bearer used", "certificate used", "session used"],
    );
  }
});

const ALL = { token: "good", tls: shown(), fields: ["x-api-key", "good-key"] } as const;

const refusals: readonly [
  name: string,
  ways: Partial<Ways>,
  asked: Partial<Asked>,
  reason: Reason,
][] = [
  ["a bad token beside a good certificate", {}, { token: "bad" }, "invalid-signature"],
  ["a bad certificate beside a good token", { certificate: BAD }, {}, "invalid-signature"],
  [
    "a bad session beside the others",
    { session: { result: BAD, setCookies: [] } },
    {},
    "invalid-signature",
  ],
  [
    "a bad session behind a good one",
    { session: { result: session, others: [BAD], setCookies: [] } },
    {},
    "invalid-signature",
  ],
  [
    "a bad session behind two good ones, for a browser that goes to a page",
    { session: { result: session, others: [otherSession, BAD], setCookies: [] } },
    { fields: PAGE },
    "invalid-signature",
  ],
  [
    "a session that has ended behind a good one, for a script",
    { session: { result: session, others: [STALE], setCookies: [] } },
    {},
    "session-expired",
  ],
  [
    "a session whose time is over behind a good one",
    {
      session: {
        result: session,
        others: [{ ...otherSession, expiresAt: NOW / 1000 - 1 }],
        setCookies: [],
      },
    },
    {},
    "token-expired",
  ],
  ["a bad key beside the others", {}, { fields: ["x-api-key", "bad-key"] }, "invalid-signature"],
  [
    "two keys",
    {},
    { fields: ["x-api-key", "good-key", "x-api-key", "good-key"] },
    "malformed-credential",
  ],
  [
    "a malformed Authorization beside the others",
    {},
    { authorization: "Bearer a b" },
    "malformed-credential",
  ],
  [
    "a session that has ended, for a script",
    { session: { result: STALE, setCookies: [] } },
    {},
    "session-expired",
  ],
  [
    "nothing at all",
    { certificate: undefined, session: undefined },
    { token: undefined, tls: undefined, fields: [] },
    "missing-credential",
  ],
  [
    "a certificate that expired since",
    { certificate: { ...certificate, expiresAt: NOW / 1000 - 1 } },
    {},
    "token-expired",
  ],
  [
    "a bad key behind a good one",
    {},
    { fields: ["x-api-key", "good-key", "x-other-key", "bad-key"] },
    "invalid-signature",
  ],
];

for (const [name, ways, asked, reason] of refusals) {
  test(`decide() refuses ${name} with ${reason}`, async () => {
    const { decide, records } = fixture({
      certificate,
      session: { result: session, setCookies: [] },
      ...ways,
    });
    const outcome = await decide({ ...ALL, ...asked });
    assert.ok(isDenial(outcome));
    assert.equal(outcome.denied, reason);
    assert.equal(records[0]?.decision, "deny");
  });
}

test("a session that has ended counts as absent for a browser that goes to a page", async () => {
  const ways = { session: { result: STALE, setCookies: ["gone=; Max-Age=0"] }, anonymous: true };
  const page = ["sec-fetch-mode", "navigate", "sec-fetch-dest", "document"];
  const { decide } = fixture(ways);
  const outcome = await decide({ fields: page });
  assert.ok(!isDenial(outcome));
  assert.equal(outcome.principal.kind, "anonymous");
  assert.deepEqual(outcome.answerFields, ["set-cookie", "gone=; Max-Age=0"]);
  const script = await fixture(ways).decide({ fields: ["sec-fetch-mode", "cors"] });
  assert.ok(isDenial(script) && script.denied === "session-expired");
  assert.deepEqual(script.answerFields, ["set-cookie", "gone=; Max-Age=0"]);
});

test("sessions of several authenticators: those that have ended count as absent for a browser that goes to a page", async () => {
  for (const [result, others, principal] of [
    [session, [otherSession], "people"],
    [STALE, [otherSession], "partners"],
    [session, [STALE], "people"],
    [STALE, [STALE], undefined],
  ] as const) {
    const setCookies = ["one=1", "two=; Max-Age=0"];
    const { decide } = fixture({ session: { result, others, setCookies } });
    const outcome = await decide({ fields: PAGE });
    if (isDenial(outcome)) assert.equal(outcome.denied, "missing-credential");
    assert.equal(isDenial(outcome) ? undefined : outcome.principal.authenticator, principal);
    assert.deepEqual(
      outcome.answerFields,
      setCookies.flatMap((line) => ["set-cookie", line]),
    );
  }
});

test("sessions of several authenticators: the second is looked at for revocation, too", async () => {
  const revokedBy: Revocations["revokedBy"] = ({ authenticator }) =>
    authenticator === "partners" ? "subject" : undefined;
  const { decide } = fixture({
    session: { result: session, others: [otherSession], setCookies: [] },
    revocations: { ...NO_REVOCATIONS, revokedBy },
  });
  const outcome = await decide({ fields: PAGE });
  assert.ok(isDenial(outcome) && outcome.denied === "credential-revoked");
});

/** What revocations say of the session: until when its logins are dead, or that it is blocked. */
const REVOKED: readonly [name: string, revokedBy: Revocations["revokedBy"], absent: boolean][] = [
  ["by its id", ({ tokenId }) => (tokenId === "session-id" ? "id" : undefined), true],
  [
    "by a cut-off of its subject",
    ({ issuedAt = 0 }) => (issuedAt <= NOW / 1000 ? "subject" : undefined),
    true,
  ],
  ["by a block of its subject", () => "subject", false],
];
for (const [name, revokedBy, absent] of REVOKED) {
  test(`a session that was revoked ${name} ${absent ? "counts as absent for" : "is told to"} a browser that goes to a page`, async () => {
    const ways = {
      session: { result: { ...session, tokenId: "session-id" }, setCookies: [] },
      revocations: { ...NO_REVOCATIONS, revokedBy },
    };
    const page = ["sec-fetch-mode", "navigate", "sec-fetch-dest", "document"];
    const outcome = await fixture(ways).decide({ fields: page });
    assert.ok(isDenial(outcome));
    assert.equal(outcome.denied, absent ? "missing-credential" : "credential-revoked");
    const script = await fixture(ways).decide({ fields: ["sec-fetch-mode", "cors"] });
    assert.ok(isDenial(script) && script.denied === "credential-revoked");
  });
}

test("an address that has failed too often is not verified any more, by a key neither", async () => {
  const { decide, budget } = fixture({});
  budget.empty = true;
  const outcome = await decide({ fields: ["x-api-key", "bad-key"] });
  assert.ok(isDenial(outcome) && outcome.denied === "too-many-failures");
  assert.deepEqual(budget.charged, []);
});

test("what a connection proves is told to policies on routes that ask for no certificate", async () => {
  for (const [found, told] of [
    [certificate, { workload: "mesh", device: undefined }],
    [
      facts("iot", "mtls", { kind: "device", audience: undefined }),
      { workload: undefined, device: "iot" },
    ],
    [BAD, { workload: undefined, device: undefined }],
    [undefined, { workload: undefined, device: undefined }],
  ] as const) {
    const { decide, asked } = fixture({ further: false, anywhere: found });
    const outcome = await decide({ token: "good", tls: shown() });
    assert.ok(!isDenial(outcome));
    assert.equal(outcome.principal.authenticator, "corp");
    assert.equal(asked[0]?.workload?.authenticator, told.workload);
    assert.equal(asked[0]?.device?.authenticator, told.device);
  }
});

test("the record of a decision has everybody whom policies saw", async () => {
  const device = { ...certificate.principal, kind: "device" as const, subject: "laptop" };
  const actor = {
    authenticator: "people",
    subject: "agent",
    issuer: undefined,
    clientId: undefined,
    behind: [],
  };
  const { decide, records, asked } = fixture({
    session: { result: { ...session, device, actor }, setCookies: [] },
    anywhere: certificate,
  });
  assert.ok(!isDenial(await decide({ tls: shown() })));
  const [question] = asked;
  const [record] = records;
  assert.ok(question?.workload && question.device && question.actor);
  for (const name of ["principal", "workload", "device", "actor", "scopes", "authn"] as const) {
    assert.deepEqual(record?.[name], question[name], name);
  }
});

test("a connection whose certificate was revoked gets nowhere with another credential", async () => {
  const revocations: Revocations = {
    ...NO_REVOCATIONS,
    revokedBy: ({ authenticator }) => (authenticator === "mesh" ? "subject" : undefined),
  };
  const { decide, records } = fixture({ further: false, anywhere: certificate, revocations });
  const outcome = await decide({ token: "good", tls: shown() });
  assert.ok(isDenial(outcome) && outcome.denied === "credential-revoked");
  assert.deepEqual(records[0]?.credentials, [
    { kind: "certificate", hash: "hash-mesh", outcome: "refused" },
  ]);
});

test("what was revoked while another credential was waited for counts", async () => {
  let revoked = false;
  const revocations: Revocations = {
    ...NO_REVOCATIONS,
    revokedBy: ({ authenticator }) => (revoked && authenticator === "mesh" ? "subject" : undefined),
  };
  const late = Promise.resolve().then((): SessionAnswer => {
    revoked = true;
    return { result: session, setCookies: [] };
  });
  const { decide } = fixture({ certificate, session: late, revocations });
  const outcome = await decide({ token: "good", tls: shown() });
  assert.ok(isDenial(outcome) && outcome.denied === "credential-revoked");
});

const UNSAFE: readonly [name: string, method: string, fields: Fields, allowed: boolean][] = [
  ["a safe method without anything", "GET", [], true],
  ["an unsafe one without anything", "POST", [], false],
  ["Sec-Fetch-Site same-origin", "POST", ["sec-fetch-site", "same-origin"], true],
  ["Sec-Fetch-Site same-site", "POST", ["sec-fetch-site", "same-site"], false],
  ["Sec-Fetch-Site cross-site", "DELETE", ["sec-fetch-site", "cross-site"], false],
  ["Sec-Fetch-Site none", "PUT", ["sec-fetch-site", "none"], false],
  ["its own Origin", "POST", ["origin", ORIGIN], true],
  ["another Origin", "POST", ["origin", "https://evil.example"], false],
  ["a null Origin", "POST", ["origin", "null"], false],
  ["an Origin that only begins so", "POST", ["origin", `${ORIGIN}.evil.example`], false],
  [
    "another Origin that claims to be the same",
    "POST",
    ["origin", "https://evil.example", "sec-fetch-site", "same-origin"],
    false,
  ],
  [
    "its own Origin from another site",
    "POST",
    ["origin", ORIGIN, "sec-fetch-site", "cross-site"],
    false,
  ],
  ["two Origins", "POST", ["origin", ORIGIN, "origin", ORIGIN], false],
];

for (const [name, method, fields, allowed] of UNSAFE) {
  test(`on a session, ${name} (${method}) is ${allowed ? "let through" : "refused"}`, async () => {
    const { decide } = fixture({ session: { result: session, setCookies: [] } });
    const outcome = await decide({ method, fields });
    assert.equal(
      isDenial(outcome) ? outcome.denied : "permitted",
      allowed ? "permitted" : "cross-site-request",
    );
  });
}

test("the Origin that counts is the listener's, not what Host says", async () => {
  const { decide } = fixture({ session: { result: session, setCookies: [] } });
  const outcome = await decide({
    method: "POST",
    host: "evil.example",
    fields: ["origin", "https://evil.example"],
  });
  assert.ok(isDenial(outcome) && outcome.denied === "cross-site-request");
});

for (const [name, given, allowed] of [
  ["a page of another host that the route names", { namesHost: true }, true],
  [
    "a page of the listener's own origin, on a route of another host",
    { own: true, namesHost: true },
    false,
  ],
  ["a page of another host, over http", { namesHost: true, scheme: "http" }, false],
  ["a page of the host that was asked, on a listener without an origin", { bare: true }, true],
  ["a page over http of a host that was asked over https", { bare: true, scheme: "http" }, false],
  ["a page of another port", { bare: true, port: ":8443" }, false],
] as const) {
  test(`on a session, ${name} is ${allowed ? "let through" : "refused"}`, async () => {
    const { namesHost, bare, scheme, own, port } = {
      namesHost: false,
      bare: false,
      scheme: "https",
      own: false,
      port: "",
      ...given,
    };
    const { decide } = fixture({
      namesHost,
      session: { result: session, setCookies: [] },
      ...(bare ? { origins: new Map() } : {}),
    });
    const origin = own ? ORIGIN : `${scheme}://app.example.com${port}`;
    const outcome = await decide({
      method: "POST",
      host: "app.example.com",
      fields: ["origin", origin],
    });
    assert.equal(isDenial(outcome), !allowed);
  });
}

const BOUND: readonly [
  name: string,
  confirmation: Partial<Confirmation> | undefined,
  asked: Partial<Asked>,
  reason: Reason | undefined,
  rule?: ConfirmationRule,
][] = [
  ["a token that is bound to nothing", undefined, {}, undefined],
  ["the same where binding is required", undefined, {}, "unbound-token", "required"],
  ["the same where it is reported", undefined, {}, undefined, "report"],
  ["an unbound token as DPoP", undefined, { scheme: "DPoP" }, "invalid-proof"],
  [
    "a token that is bound to the certificate",
    { certificateThumbprint: THUMBPRINT },
    { tls: shown() },
    undefined,
    "required",
  ],
  [
    "a token that is bound to another certificate",
    { certificateThumbprint: "x" },
    { tls: shown() },
    "wrong-certificate",
  ],
  [
    "a token that is bound to a certificate, without one",
    { certificateThumbprint: THUMBPRINT },
    {},
    "missing-proof",
    "report",
  ],
  [
    "a certificate-bound token as DPoP",
    { certificateThumbprint: THUMBPRINT },
    { tls: shown(), scheme: "DPoP" },
    "invalid-proof",
  ],
  [
    "a token that is bound to a key, as Bearer",
    { keyThumbprint: KEY },
    { proof: "good" },
    "missing-proof",
  ],
  [
    "a token that is bound to a key, with its proof",
    { keyThumbprint: KEY },
    { scheme: "DPoP", proof: "good" },
    undefined,
    "required",
  ],
  [
    "a token that is bound to a key, with a bad proof",
    { keyThumbprint: KEY },
    { scheme: "dpop", proof: "bad" },
    "invalid-proof",
  ],
  [
    "a token that is bound to both, without the certificate",
    { keyThumbprint: KEY, certificateThumbprint: THUMBPRINT },
    { scheme: "DPoP", proof: "good" },
    "missing-proof",
  ],
  [
    "a token that is bound to both, without the proof",
    { keyThumbprint: KEY, certificateThumbprint: THUMBPRINT },
    { tls: shown() },
    "missing-proof",
  ],
  ["a token that is bound to something unknown", { other: true }, {}, "missing-proof"],
  [
    "a token that is bound to the certificate and something unknown",
    { certificateThumbprint: THUMBPRINT, other: true },
    { tls: shown() },
    "missing-proof",
  ],
];

for (const [name, confirmation, asked, reason, rule] of BOUND) {
  test(`${name} is ${reason ?? "taken"}${rule === undefined ? "" : ` with confirmation: ${rule}`}`, async () => {
    for (const further of [true, false]) {
      const { decide, proofs } = fixture({ further, rule, confirmation });
      // Twice: what the connection remembers of a token must not stand in for its proof.
      for (const turn of [1, 2]) {
        const outcome = await decide({ token: "good", ...asked });
        assert.equal(isDenial(outcome) ? outcome.denied : undefined, reason, `turn ${turn}`);
      }
      for (const { url, token: of, keyThumbprint } of proofs) {
        assert.deepEqual(
          { url, of, keyThumbprint },
          { url: `${ORIGIN}/x`, of: "good", keyThumbprint: KEY },
        );
      }
    }
  });
}

test("a token in a field of its own is asked for what it is bound to as well", async () => {
  const asked = { fields: ["x-api-key", "good-key"] };
  for (const [rule, confirmation, reason] of [
    ["required", undefined, "unbound-token"],
    ["report", undefined, undefined],
    ["when-bound", { keyThumbprint: KEY }, "missing-proof"],
    ["when-bound", { certificateThumbprint: THUMBPRINT }, "missing-proof"],
  ] as const) {
    const { decide, records } = fixture({ rule, keyConfirmation: confirmation });
    const outcome = await decide(asked);
    assert.equal(isDenial(outcome) ? outcome.denied : undefined, reason, rule);
    const use = reason === undefined ? "used" : "refused";
    assert.deepEqual(
      records[0]?.credentials.map(({ outcome: how }) => how),
      [use],
    );
  }
});

test("a bad signature of a proof counts against its sender, who is asked no more beyond the budget", async () => {
  const { decide, budget, proofs } = fixture({ confirmation: { keyThumbprint: KEY } });
  await decide({ token: "good", scheme: "DPoP", proof: "bad" });
  assert.deepEqual(budget.charged, ["192.0.2.7"]);
  await decide({ token: "good", scheme: "DPoP", proof: "good" });
  assert.equal(budget.charged.length, 1);
  budget.empty = true;
  const asked = proofs.length;
  const outcome = await decide({ token: "good", scheme: "DPoP", proof: "good" });
  assert.ok(isDenial(outcome) && outcome.denied === "too-many-failures");
  assert.equal(proofs.length, asked);
});

test("a proof is for the path as it was received", async () => {
  const { decide, proofs } = fixture({ confirmation: { keyThumbprint: KEY } });
  await decide({ token: "good", scheme: "DPoP", proof: "good", target: "//x?query" });
  assert.equal(proofs[0]?.url, `${ORIGIN}//x`);
});

test("a proof cannot be for a listener that has no public origin", async () => {
  const { decide } = fixture({ confirmation: { keyThumbprint: KEY }, origins: new Map() });
  const outcome = await decide({ token: "good", scheme: "DPoP", proof: "good" });
  assert.ok(isDenial(outcome) && outcome.denied === "missing-proof");
});

test("what had to be waited for counts as what was at hand: each token, in each field", async () => {
  const late = fixture({ late: true });
  const all = { token: "good", fields: ["x-api-key", "good-key", "x-other-key", "good-key"] };
  const outcome = await late.decide(all);
  assert.ok(!isDenial(outcome));
  assert.equal(outcome.principal.authenticator, "corp");
  assert.equal(late.records[0]?.credentials.length, 3);
  for (const asked of [
    { ...all, token: "bad" },
    { ...all, fields: ["x-api-key", "bad-key", "x-other-key", "good-key"] },
    { ...all, fields: ["x-api-key", "good-key", "x-other-key", "bad-key"] },
  ]) {
    const refused = await late.decide(asked);
    assert.ok(isDenial(refused) && refused.denied === "invalid-signature", JSON.stringify(asked));
  }
});

test("a route with sessions takes who has none by another credential, and asks of a stream only for one", async () => {
  const streams: unknown[] = [];
  const { decide } = fixture({ sessionAsked: (stream) => void streams.push(stream) });
  const outcome = await decide({ token: "good" });
  assert.ok(!isDenial(outcome));
  assert.equal(outcome.principal.authenticator, "corp");
  assert.deepEqual(streams, [false]);
});

test("what the route does not list stays on record beside what was used, and beside what was refused", async () => {
  const outcomesOf = (record: DecisionRecord | undefined) =>
    record?.credentials.map(({ kind, outcome }) => `${kind} ${outcome}`);
  const certificates = { tokens: false, certificate };
  const mesh = fixture(certificates);
  assert.ok(!isDenial(await mesh.decide({ token: "theirs", tls: shown() })));
  assert.deepEqual(outcomesOf(mesh.records[0]), ["authorization ignored", "certificate used"]);
  const bad = fixture({ ...certificates, certificate: BAD });
  assert.ok(isDenial(await bad.decide({ token: "theirs", tls: shown() })));
  assert.deepEqual(outcomesOf(bad.records[0]), ["authorization ignored", "certificate refused"]);
  const tokens = fixture({ further: false, unread: ["x-api-key"] });
  const fields = ["x-api-key", "some-key", "x-other", "some-key"];
  assert.ok(!isDenial(await tokens.decide({ token: "good", fields })));
  assert.deepEqual(outcomesOf(tokens.records[0]), ["api-key ignored", "bearer used"]);
  assert.ok(isDenial(await tokens.decide({ token: "bad", fields })));
  assert.deepEqual(outcomesOf(tokens.records[1]), ["api-key ignored", "bearer refused"]);
  const nobody = fixture({ further: false, anonymous: true });
  assert.ok(!isDenial(await nobody.decide({ proof: "alone" })));
  assert.deepEqual(outcomesOf(nobody.records[0]), ["proof ignored"]);
  assert.ok(!JSON.stringify(tokens.records).includes("some-key"));
});

test("policies are told how old and how bound a credential is", async () => {
  const told = async (ways: Partial<Ways>, asked: Partial<Asked>) => {
    const one = fixture(ways);
    // Again and again: what is kept of a credential must not keep its age.
    for (const seconds of [0, 0, 1, 2]) {
      one.clock.advance(seconds * 1000);
      assert.ok(!isDenial(await one.decide({ ...asked })));
    }
    return one.asked.map(({ authn: { ageSeconds, bound } }) => ({ ageSeconds, bound }));
  };
  const ages = (age: number, bound: boolean) =>
    [0, 0, 1, 3].map((later) => ({ ageSeconds: age + later, bound }));
  assert.deepEqual(await told({}, { token: "good" }), ages(100, false));
  const bound = { further: false, confirmation: { certificateThumbprint: THUMBPRINT } };
  assert.deepEqual(await told(bound, { token: "good", tls: shown() }), ages(100, true));
  assert.deepEqual(await told({ certificate }, { tls: shown() }), ages(100, true));
  const people = (more: Partial<CredentialFacts>) => ({
    session: { result: { ...session, ...more }, setCookies: [] },
  });
  assert.deepEqual(await told(people({ authenticatedAt: NOW / 1000 - 7 }), {}), ages(7, false));
  // Nobody said when the person logged in: as long ago as can be.
  assert.deepEqual(await told(people({}), {}), ages(NOW / 1000, false));
  const undated = { certificate: { ...certificate, issuedAt: undefined } };
  assert.deepEqual(
    (await told(undated, { tls: shown() })).map(({ ageSeconds }) => ageSeconds),
    [0, 0, 0, 0],
  );
});

test("a record says that nobody knows the certificate, where the route asks for one", async () => {
  const { decide, records } = fixture({ certificate: undefined, knows: true });
  for (const tls of [shown(), undefined]) {
    const outcome = await decide({ tls });
    assert.ok(isDenial(outcome) && outcome.denied === "missing-credential");
  }
  assert.match(records[0]?.detail ?? "", /^CN=payments: no authenticator/);
  assert.equal(records[1]?.detail, undefined);
  const other = fixture({ further: false });
  assert.ok(isDenial(await other.decide({ tls: shown() })));
  assert.equal(other.records[0]?.detail, undefined);
});

test("without TLS a connection proves nothing, whatever authenticators would say", async () => {
  const { decide, asked } = fixture({ further: false, anywhere: certificate });
  assert.ok(!isDenial(await decide({ token: "good" })));
  assert.equal(asked[0]?.workload, undefined);
});

test("a record of a token for somebody else says whom it should be for, and nothing of the token", async () => {
  const { decide, records } = fixture({ tokenAudience: ["https://theirs.example"] });
  const outcome = await decide({ token: "good" });
  assert.ok(isDenial(outcome) && outcome.denied === "wrong-audience");
  assert.equal(records[0]?.detail, "its aud is none of api");
  const late = fixture({ certificate: { ...certificate, expiresAt: NOW / 1000 - 1 } });
  assert.ok(isDenial(await late.decide({ tls: shown() })));
  assert.equal(late.records[0]?.detail, undefined);
});

test("what was good stays on record as used beside what was refused", async () => {
  const { decide, records } = fixture({ certificate });
  assert.ok(isDenial(await decide({ token: "bad", tls: shown() })));
  assert.deepEqual(
    records[0]?.credentials.map(({ kind, outcome }) => `${kind} ${outcome}`),
    ["certificate used", "bearer refused"],
  );
});

test("a record says which certificate a token is bound to: another one, or that none was shown", async () => {
  for (const [tls, detail] of [
    [undefined, /the connection showed none/],
    [shown(), /another certificate than the connection's/],
  ] as const) {
    const { decide, records } = fixture({ confirmation: { certificateThumbprint: "x" } });
    assert.ok(isDenial(await decide({ token: "good", tls })));
    assert.match(records[0]?.detail ?? "", detail);
  }
});

test("whom the door itself lets in is the principal, and comes before anonymous", async () => {
  const local: Principal = { ...token.principal, authenticator: "local", subject: "socket" };
  const { decide, asked } = fixture({ further: false, anonymous: true, local });
  const outcome = await decide({});
  assert.ok(!isDenial(outcome));
  assert.equal(outcome.principal, local);
  assert.equal(asked[0]?.authn.kind, "local");
});

test("a stream that is open is asked for no second proof, and counted as unbound no second time", async () => {
  const bound = fixture({ further: false, confirmation: { keyThumbprint: KEY } });
  const key = await bound.decide({ token: "good", scheme: "DPoP", proof: "good" });
  assert.ok(!isDenial(key));
  assert.ok(!isDenial(await bound.decideAgain(key)));
  assert.equal(bound.proofs.length, 1);
  const report = fixture({ further: false, rule: "report" });
  const plain = await report.decide({ token: "good" });
  assert.ok(!isDenial(plain));
  assert.ok(!isDenial(await report.decideAgain(plain)));
  assert.deepEqual(report.unbound, ["x"]);
});

test("only what cost something counts against its sender", async () => {
  const cheap = fixture({ cheap: true, confirmation: { keyThumbprint: KEY } });
  assert.ok(isDenial(await cheap.decide({ token: "bad" })));
  const proof = await cheap.decide({ token: "good", scheme: "DPoP", proof: "bad" });
  assert.ok(isDenial(proof) && proof.denied === "invalid-proof");
  assert.deepEqual(cheap.budget.charged, []);
});

test("what a proof is answered with goes out, and a key's proof is taken beside any certificate", async () => {
  const { decide } = fixture({
    confirmation: { keyThumbprint: KEY },
    nonce: ["dpop-nonce", "n1"],
  });
  const asked = { token: "good", scheme: "DPoP", proof: "good", tls: shown() };
  const outcome = await decide(asked);
  assert.ok(!isDenial(outcome));
  assert.deepEqual(outcome.answerFields, ["dpop-nonce", "n1"]);
  const without = fixture({ confirmation: { keyThumbprint: KEY } });
  const plain = await without.decide(asked);
  assert.ok(!isDenial(plain));
  assert.equal(plain.answerFields, undefined);
});

test("confirmation: report counts each unbound token and puts it on record, and no other rule does", async () => {
  for (const [rule, confirmation, seen] of [
    ["report", undefined, ["x"]],
    ["when-bound", undefined, []],
    ["report", { certificateThumbprint: THUMBPRINT }, []],
  ] as const) {
    const { decide, records, unbound } = fixture({ rule, confirmation });
    assert.ok(!isDenial(await decide({ token: "good", tls: shown() })));
    assert.deepEqual(unbound, seen);
    assert.equal(records[0]?.detail?.startsWith("unbound-token") ?? false, seen.length > 0);
  }
});

interface Ways {
  /** Whom the door itself lets in. */
  readonly local: Principal;
  readonly tokenAudience: readonly string[];
  /** Tokens have to be waited for. */
  readonly late: boolean;
  /** Whether the route takes tokens in Authorization. */
  readonly tokens: boolean;
  /** Refusals have cost nothing. */
  readonly cheap: boolean;
  /** A certificate authenticator is there, and knows nobody. */
  readonly knows: boolean;
  readonly unread: readonly string[];
  /** Sessions are taken; nobody has one. Told whether a stream is asked about. */
  readonly sessionAsked: (stream: boolean | undefined) => void;
  /** What a proof is answered with. */
  readonly nonce: readonly string[];
  readonly order: readonly string[];
  readonly further: boolean;
  readonly namesHost: boolean;
  readonly certificate: Verified | undefined;
  readonly session: SessionAnswer | Promise<SessionAnswer> | undefined;
  /** What all authenticators of certificates say. */
  readonly anywhere: Verified | undefined;
  readonly anonymous: boolean;
  readonly rule: ConfirmationRule | undefined;
  readonly confirmation: Partial<Confirmation> | undefined;
  /** The same of the token in `x-api-key`. */
  readonly keyConfirmation: Partial<Confirmation> | undefined;
  readonly origins: ReadonlyMap<string, string>;
  readonly revocations: Revocations;
}

interface Asked {
  readonly method: string;
  readonly host: string;
  readonly scheme: string;
  readonly token: string | undefined;
  readonly authorization: string;
  readonly proof: string;
  readonly target: string;
  readonly tls: PeerTls | undefined;
  readonly fields: Fields;
}

function fixture(ways: Partial<Ways>) {
  const records: DecisionRecord[] = [];
  const asked: PolicyRequest[] = [];
  const proofs: ProofInput[] = [];
  const budget = {
    empty: false,
    charged: [] as string[],
    spent: () => budget.empty,
    charge: (address: string) => budget.charged.push(address),
  };
  const { confirmation } = ways;
  const good: CredentialFacts = {
    ...token,
    audience: ways.tokenAudience ?? token.audience,
    confirmation: confirmation && { ...UNBOUND, ...confirmation },
  };
  const ownKey: CredentialFacts =
    ways.keyConfirmation === undefined
      ? apiKey
      : { ...apiKey, confirmation: { ...UNBOUND, ...ways.keyConfirmation } };
  const bad: Verified = ways.cheap === true ? { ...BAD, costly: false } : BAD;
  const told = (found: Verified) => (ways.late === true ? Promise.resolve(found) : found);
  const bearer: BearerVerifier = {
    recall: () => undefined,
    verify: (text) => told(text === "good" ? good : bad),
  };
  const keys: BearerVerifier = {
    recall: () => undefined,
    verify: (text) => told(text === "good-key" ? ownKey : bad),
  };
  const further: FurtherWays = {
    certificate:
      ways.certificate === undefined && ways.knows !== true
        ? undefined
        : { verify: () => ways.certificate },
    session:
      ways.sessionAsked === undefined
        ? ways.session && { verify: () => ways.session }
        : { verify: (_request, _nowMs, stream) => ways.sessionAsked?.(stream) as undefined },
    fields: [
      { name: "x-api-key", bearer: keys },
      { name: "x-other-key", bearer: keys },
    ],
    order: new Map(
      (ways.order ?? ["corp", "mesh", "people", "partners"]).map((one, at) => [one, at]),
    ),
  };
  const verifier: ProofVerifier = {
    verify(proof) {
      proofs.push(proof);
      const [, sent] = proof.fields;
      const refused =
        sent === "good"
          ? undefined
          : { reason: "invalid-proof" as const, detail: "no", costly: ways.cheap !== true };
      return { refused, answerFields: ways.nonce ?? [] };
    },
  };
  const route: GateRoute = {
    name: "x",
    service: "shop",
    bearer: ways.tokens === false ? undefined : bearer,
    unread: ways.unread,
    local: ways.local,
    further: ways.further === false ? undefined : further,
    confirmation: ways.rule,
    anonymous: ways.anonymous ?? false,
    audience: undefined,
    params: [],
    pathParameters: false,
    namesHost: ways.namesHost,
  };
  const snapshot: GateSnapshot = {
    router: createRouter(
      [{ name: "x", host: undefined, path: "/x", methods: undefined, value: route }],
      METHODS,
    ),
    anyPathParameters: false,
    policies: {
      hash: "sha256-test",
      decide(question) {
        asked.push(question);
        return { reason: "permitted", determining: [], erroring: [], reads: [] };
      },
    },
    certificates: ways.anywhere && { verify: () => ways.anywhere },
    proofs: verifier,
    origins: ways.origins ?? new Map([["edge", ORIGIN]]),
  };
  let count = 0;
  const clock = new ManualClock(NOW);
  const unbound: string[] = [];
  const gate = createGate({
    clock,
    unbound: (name) => void unbound.push(name),
    log: {
      debug() {},
      info() {},
      warn() {},
      error: (_, fields) => assert.fail(String(fields?.["error"])),
    },
    audit: {
      writable: () => true,
      decision: (record) => {
        records.push(record);
        return "recorded";
      },
      completion: () => undefined,
      durable: () => undefined,
    },
    budget,
    revocations: ways.revocations ?? NO_REVOCATIONS,
    nextDecisionId: () => `ID${++count}`,
    decided: () => undefined,
  });
  const connection = { memo: undefined as unknown };
  const decide = async (what: Partial<Asked>): Promise<Permit | Denial> =>
    gate.decide(input(what, connection), snapshot);
  const stream = { decisionId: "ID1", service: "shop" };
  const decideAgain = async (standing: Permit): Promise<Permit | Denial> =>
    gate.decideAgain(standing, { stream, snapshot });
  return { decide, decideAgain, records, asked, proofs, budget, clock, unbound };
}

const UNBOUND: Confirmation = {
  keyThumbprint: undefined,
  certificateThumbprint: undefined,
  other: false,
};

function input(asked: Partial<Asked>, connection: { memo: unknown }): GateInput {
  const { scheme = "Bearer", token: text, proof, fields = [], method = "GET" } = asked;
  const authorization =
    asked.authorization ?? (text === undefined ? undefined : `${scheme} ${text}`);
  const head: RequestHead = {
    version: "1.1",
    method,
    target: asked.target ?? "/x",
    minorVersion: 1,
    fields: proof === undefined ? fields : ["dpop", proof, ...fields],
    host: asked.host ?? "api.example.com",
    authorization,
    authorizationCount: authorization === undefined ? 0 : 1,
    bodyKind: "none",
    contentLength: 0,
    keepAlive: true,
    expectContinue: false,
    connectionOptions: undefined,
    upgrade: undefined,
  };
  const { tls } = asked;
  const peer = { address: "192.0.2.7", port: 7, ...(tls === undefined ? {} : { tls }) };
  return { head, listener: "edge", scheme: "https", peer, connection };
}

function shown(): PeerTls {
  return {
    certificate: {
      subject: "CN=payments",
      issuer: "CN=ca",
      serial: "01",
      notBefore: 0,
      notAfter: NOW * 2,
      thumbprint: THUMBPRINT,
      dnsNames: [],
      uris: [],
      emails: [],
      spiffeId: undefined,
    },
    thumbprint: THUMBPRINT,
    refusal: () => undefined,
    presented: [],
    detail: undefined,
  };
}

function facts(
  authenticator: string,
  type: string,
  more: {
    readonly kind: "user" | "workload" | "device";
    readonly audience?: readonly string[] | undefined;
  },
): CredentialFacts {
  return factsOf({
    principal: {
      kind: more.kind,
      authenticator,
      subject: "s",
      roles: [],
      groups: [],
      attributes: {},
    },
    authenticator,
    kind: type,
    credentialHash: `hash-${authenticator}`,
    expiresAt: NOW / 1000 + 60,
    issuedAt: NOW / 1000 - 100,
    clockSkew: 0,
    audience: "audience" in more ? more.audience : ["api"],
  });
}
