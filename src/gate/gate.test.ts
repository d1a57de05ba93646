import assert from "node:assert/strict";
import { test } from "node:test";
import type { CredentialFacts, CredentialFailure } from "../model/facts.ts";
import type { RequestHead } from "../model/http.ts";
import type { Log } from "../model/ports.ts";
import type { PeerTls } from "../model/peer-tls.ts";
import type { Reason } from "../model/reason.ts";
import type { PolicyRequest } from "../model/policy.ts";
import type { DecisionRecord, Taken } from "../model/records.ts";
import { NO_REVOCATIONS, type Revocations } from "../model/revocation.ts";
import type { RouteLimits } from "../limits/route-limits.ts";
import { METHODS } from "../model/vocabulary.ts";
import { ManualClock } from "../platform/clock.ts";
import { isDenial, Permit, type GateInput } from "./decision.ts";
import { createGate } from "./gate.ts";
import { createRouter, pathParams } from "./router.ts";
import type { GateRoute, GateSnapshot } from "./snapshot.ts";
import type { BearerVerifier } from "../model/verifiers.ts";

const NOW = 1_800_000_000_000;

test("decide() permits at once when facts are at hand and policy permits", () => {
  const { decide, records } = fixture();
  const outcome = decide(request("/items/a%20b?x=1", "good"));
  assert.ok(outcome instanceof Permit);
  assert.equal(outcome.request.path, "/items/a%20b");
  assert.deepEqual({ ...outcome.params }, { id: "a b" });
  assert.equal(records[0]?.decision, "permit");
  assert.equal(records[0]?.reason, "permitted");
  assert.equal(records[0]?.decisionId, outcome.decisionId);
  assert.deepEqual(records[0]?.credentials, [
    { kind: "bearer", hash: "hash-good", outcome: "used" },
  ]);
});

const denials: [title: string, request: GateInput, reason: string][] = [
  ["no route", request("/nowhere", "good"), "no-route"],
  ["an unknown method", request("/items/1", "good", { method: "BREW" }), "method-not-allowed"],
  [
    "a method that the route lacks",
    request("/items/1", "good", { method: "PUT" }),
    "method-not-allowed",
  ],
  ["an encoded slash", request("/items/a%2Fb", "good"), "ambiguous-path"],
  [
    "path parameters that the route does not allow",
    request("/items/a;b", "good"),
    "ambiguous-path",
  ],
  [
    "two Authorization fields",
    request("/items/1", "good", { authorizationCount: 2 }),
    "duplicate-authorization",
  ],
  ["an authority that is not the Host", request("http://other/items/1", "good"), "invalid-host"],
  ["no credential", request("/items/1"), "missing-credential"],
  [
    "a scheme that the route does not take",
    request("/items/1", undefined, { authorization: "Basic YTpi" }),
    "missing-credential",
  ],
  ["a malformed bearer", request("/items/1", "two words"), "malformed-credential"],
  ["a token that does not verify", request("/items/1", "forged"), "invalid-signature"],
  ["an expired token", request("/items/1", "expired"), "token-expired"],
  ["a token for somebody else", request("/items/1", "elsewhere"), "wrong-audience"],
  ["a bound token without its proof", request("/items/1", "bound"), "missing-proof"],
  ["no permit", request("/items/none", "good"), "no-permit"],
  ["a forbid", request("/items/forbid", "good"), "forbidden"],
  ["a policy that throws", request("/items/throw", "good"), "internal-error"],
  ["a bad token where anonymous is let in", request("/open", "forged"), "invalid-signature"],
  ["OPTIONS *", request("*", undefined, { method: "OPTIONS" }), "answered-by-proxy"],
];
for (const [title, input, reason] of denials) {
  test(`decide() denies as ${reason} when there is ${title}, and records it`, async () => {
    const { decide, records } = fixture();
    const outcome = await decide(input);
    assert.ok(isDenial(outcome));
    assert.equal(outcome.denied, reason);
    assert.equal(records.length, 1);
    assert.equal(records[0]?.decision, "deny");
    assert.equal(records[0]?.reason, reason);
    assert.equal(records[0]?.decisionId, outcome.decisionId);
  });
}

test("decide() records whom a trusted proxy named, also of what cannot be read in one way", async () => {
  const fields = ["x-forwarded-for", "203.0.113.9, 192.0.2.9"];
  const trust = (address: string): boolean => address.startsWith("192.0.2.");
  const recorded = async (target: string, given: Partial<GateInput>, head = {}) => {
    const { decide, records } = fixture();
    assert.ok(
      isDenial(await decide({ ...request(target, undefined, { fields, ...head }), ...given })),
    );
    return [records[0]?.reason, records[0]?.peerAddress, records[0]?.clientAddress];
  };
  const [peer, caller] = ["192.0.2.7", "203.0.113.9"];
  assert.deepEqual(await recorded("/items/a%2Fb", { trust }), ["ambiguous-path", peer, caller]);
  assert.deepEqual(await recorded("http://other/", { trust }), ["invalid-host", peer, caller]);
  const options = { method: "OPTIONS" };
  assert.deepEqual(await recorded("*", { trust }, options), ["answered-by-proxy", peer, caller]);
  // Nobody else is believed, and nothing is guessed.
  assert.deepEqual(await recorded("/items/a%2Fb", {}), ["ambiguous-path", peer, undefined]);
  const unknown = { fields: ["forwarded", "for=unknown"] };
  const refused = await recorded("/items/a", { trust }, unknown);
  assert.deepEqual(refused, ["invalid-forwarded", peer, undefined]);
});

test("decide() asks on every request whether the caller's certificate stands, before all else", async () => {
  const { decide, records } = fixture();
  const asked: number[] = [];
  const now: { reason: Reason | undefined } = { reason: undefined };
  const tls: PeerTls = {
    certificate: { ...CERTIFICATE },
    thumbprint: "thumb",
    detail: "CN=c: why",
    presented: [],
    refusal: (nowMs) => {
      asked.push(nowMs);
      return now.reason;
    },
  };
  const given = request("/open");
  const input = { ...given, peer: { ...given.peer, tls } };
  assert.ok(decide(input) instanceof Permit);
  now.reason = "certificate-revoked";
  const refused = await decide({ ...input, head: request("/nowhere").head });
  assert.ok(isDenial(refused));
  assert.equal(refused.denied, "certificate-revoked");
  assert.equal(refused.route, undefined, "nothing of the request was looked at");
  assert.deepEqual(asked, [NOW, NOW]);
  assert.equal(records[0]?.peerCertificate, tls.certificate);
  assert.equal(records[1]?.detail, "CN=c: why");
  assert.deepEqual(records[1]?.credentials, [
    { kind: "certificate", hash: "thumb", outcome: "refused" },
  ]);
});

const CERTIFICATE = {
  subject: "CN=c",
  issuer: "CN=root",
  serial: "01",
  notBefore: 0,
  notAfter: 1,
  thumbprint: "thumb",
  dnsNames: [],
  uris: [],
  emails: [],
  spiffeId: undefined,
} as const;

test("decide() answers the preflight of a route with cors before identity, and no other OPTIONS", async () => {
  const origin = ["origin", "https://app.example.com"];
  const asked = (method: string): string[] => ["access-control-request-method", method];
  const reason = async (target: string, fields: string[]): Promise<string> => {
    const { decide } = fixture();
    const outcome = await decide(request(target, undefined, { method: "OPTIONS", fields }));
    assert.ok(isDenial(outcome));
    if (outcome.denied === "answered-by-proxy") assert.equal(outcome.route?.name, "shared");
    return outcome.denied;
  };
  assert.equal(await reason("/shared", [...origin, ...asked("GET")]), "answered-by-proxy");
  for (const fields of [
    origin,
    asked("GET"),
    [...origin, ...asked("PUT")],
    [...origin, ...asked("get")],
    [...origin, ...asked("GET"), ...asked("GET")],
    [...origin, ...origin, ...asked("GET")],
  ]) {
    assert.equal(await reason("/shared", fields), "method-not-allowed", fields.join());
  }
  // Without cors, a service answers its preflights itself.
  assert.equal(await reason("/open", [...origin, ...asked("GET")]), "method-not-allowed");
});

test("decide() lets anonymous in only where written, and says so to policy", () => {
  const { decide, asked } = fixture();
  assert.ok(decide(request("/open")) instanceof Permit);
  assert.equal(asked[0]?.principal.kind, "anonymous");
  assert.equal(asked[0]?.authn.kind, "none");
});

test("decide() waits for a verification that has to fetch, and denies when it fails unexpectedly", async () => {
  const { decide } = fixture();
  const pending = decide(request("/items/1", "slow"));
  assert.ok(pending instanceof Promise);
  assert.ok((await pending) instanceof Permit);
  const broken = await decide(request("/items/1", "broken"));
  assert.ok(isDenial(broken));
  assert.equal(broken.denied, "internal-error");
});

test("decide() asks the budget before it verifies, but not for facts at hand", async () => {
  const { decide, budget, verified } = fixture();
  await decide(request("/items/1", "forged"));
  assert.deepEqual(budget.charged, ["192.0.2.7"]);
  budget.empty = true;
  const before = verified.length;
  const refused = await decide(request("/items/1", "never-seen"));
  assert.ok(isDenial(refused));
  assert.equal(refused.denied, "too-many-failures");
  assert.equal(verified.length, before, "nothing was verified");
  assert.ok(decide(request("/items/1", "good")) instanceof Permit, "known facts cost nothing");
});

test("decide() asks the limits last: what is denied takes nothing, what cannot be recorded gives back", async () => {
  const { limits, held } = countedLimits();
  const { decide } = fixture({ limits });
  await decide(request("/items/none", "good"));
  await decide(request("/items/1", "forged"));
  assert.equal(held.asked, 0);
  const granted = decide(request("/items/1", "good"));
  assert.ok(granted instanceof Permit);
  assert.equal(held.now, 1, "a permit holds its place");
  granted.admission?.release();
  const refused = decide(request("/items/1", "good"));
  assert.ok(!(refused instanceof Promise) && isDenial(refused));
  assert.equal(refused.denied, "rate-limited");
  assert.equal(refused.admission?.retryAfterSeconds, 7);
  assert.equal(held.now, 0);
  const unrecorded = countedLimits();
  const full = fixture({ taken: "refused", limits: unrecorded.limits });
  const denied = full.decide(request("/items/1", "good"));
  assert.ok(!(denied instanceof Promise) && isDenial(denied));
  assert.deepEqual([unrecorded.held.asked, unrecorded.held.now], [1, 0]);
});

test("decide() waits for a limit that has to ask, and denies when it fails", async () => {
  const { limits } = countedLimits();
  const slow = fixture({
    limits: { admit: (caller, now) => Promise.resolve(limits.admit(caller, now)) },
  });
  assert.ok((await slow.decide(request("/items/1", "good"))) instanceof Permit);
  const broken = fixture({ limits: { admit: () => Promise.reject(new Error("defect")) } });
  const outcome = await broken.decide(request("/items/1", "good"));
  assert.ok(isDenial(outcome));
  assert.equal(outcome.denied, "internal-error");
});

/** Lets one request through, then refuses. */
function countedLimits() {
  const held = { asked: 0, now: 0 };
  const limits: RouteLimits = {
    admit() {
      held.asked += 1;
      const reason = held.asked > 1 ? "rate-limited" : undefined;
      if (reason === undefined) held.now += 1;
      const release = (): void => void (held.now = 0);
      return { reason, limit: "principal", retryAfterSeconds: 7, fields: [], release };
    },
  };
  return { limits, held };
}

test("decide() reuses the connection's last credential only for the same route ways and while valid", () => {
  const { decide, recalled, facts } = fixture();
  const connection = { memo: undefined as unknown };
  const input = request("/items/1", "good", {}, connection);
  assert.ok(decide(input) instanceof Permit);
  assert.ok(decide(input) instanceof Permit);
  assert.equal(recalled.length, 1, "the second one came from the connection");
  facts.valid = false;
  const outcome = decide(input);
  assert.equal(recalled.length, 2);
  assert.ok(outcome instanceof Promise || isDenial(outcome));
});

test("decide() refuses what cannot be recorded", () => {
  const full = fixture({ taken: "refused" });
  const unrecorded = full.decide(request("/items/1", "good"));
  assert.ok(!(unrecorded instanceof Promise) && isDenial(unrecorded));
  assert.equal(unrecorded.denied, "audit-unavailable");
  const closed = fixture({ writable: false });
  const refused = closed.decide(request("/items/1", "good"));
  assert.ok(!(refused instanceof Promise) && isDenial(refused));
  assert.equal(refused.denied, "audit-unavailable");
});

test("decide() gives the permit only when a strict log has it on disk", async () => {
  let onDisk: () => void = () => undefined;
  const strict = fixture({ durable: new Promise<void>((resolve) => (onDisk = resolve)) });
  const pending = strict.decide(request("/items/1", "good"));
  assert.ok(pending instanceof Promise);
  onDisk();
  assert.ok((await pending) instanceof Permit);
  const failing = fixture({ durable: Promise.reject(new Error("disk")) });
  const denied = await failing.decide(request("/items/1", "good"));
  assert.ok(isDenial(denied));
  assert.equal(denied.denied, "audit-unavailable");
});

test("a Permit cannot be made outside the gate", () => {
  const forge = Permit as unknown as new (...args: unknown[]) => Permit;
  assert.throws(() => new forge(Symbol("made by gate.decide"), {}, {}), TypeError);
});

test("decide() keeps a single harmless x-request-id and makes one otherwise", () => {
  const { decide } = fixture();
  const given = decide(request("/items/1", "good", { fields: ["x-request-id", "abc-1"] }));
  assert.ok(given instanceof Permit);
  assert.equal(given.requestId, "abc-1");
  const odd = decide(request("/items/1", "good", { fields: ["x-request-id", "a b"] }));
  assert.ok(odd instanceof Permit);
  assert.equal(odd.requestId, odd.decisionId);
});

function request(
  target: string,
  token?: string,
  head: Partial<RequestHead> = {},
  connection: { memo: unknown } = { memo: undefined },
): GateInput {
  return {
    listener: "edge",
    scheme: "http",
    peer: { address: "192.0.2.7", port: 5 },
    connection,
    head: {
      method: "GET",
      target,
      version: "1.1",
      minorVersion: 1,
      fields: [],
      host: "api.example.com",
      authorization: token === undefined ? undefined : `Bearer ${token}`,
      authorizationCount: token === undefined ? 0 : 1,
      bodyKind: "none",
      contentLength: 0,
      keepAlive: true,
      expectContinue: false,
      connectionOptions: undefined,
      upgrade: undefined,
      ...head,
    },
  };
}

function factsFor(token: string, state: { valid: boolean }): CredentialFacts {
  return {
    principal: {
      kind: "workload",
      authenticator: "corp",
      subject: token,
      roles: [],
      groups: [],
      attributes: {},
    },
    authenticator: "corp",
    kind: "jwt",
    credentialHash: `hash-${token}`,
    expiresAt: token === "expired" ? NOW / 1000 - 60 : NOW / 1000 + 60,
    notBefore: undefined,
    issuedAt: NOW / 1000 - 100,
    clockSkew: 0,
    audience: [token === "elsewhere" ? "other" : "api"],
    acceptedAudience: ["api"],
    scopes: [],
    tokenId: undefined,
    clientId: undefined,
    acr: undefined,
    amr: [],
    authenticatedAt: undefined,
    confirmation:
      token === "bound"
        ? { keyThumbprint: "k", certificateThumbprint: undefined, other: false }
        : undefined,
    actor: undefined,
    device: undefined,
    valid: () => state.valid,
  };
}

interface FixtureOptions {
  readonly taken?: Taken;
  readonly writable?: boolean;
  readonly durable?: Promise<void>;
  readonly limits?: RouteLimits;
  readonly revocations?: Revocations;
}

function fixture(options: FixtureOptions = {}) {
  const records: DecisionRecord[] = [];
  const asked: PolicyRequest[] = [];
  const verified: string[] = [];
  const recalled: string[] = [];
  const facts = { valid: true };
  const budget = {
    empty: false,
    charged: [] as string[],
    spent: () => budget.empty,
    charge: (address: string) => budget.charged.push(address),
  };
  const good = factsFor("good", facts);
  const bearer: BearerVerifier = {
    recall(token) {
      recalled.push(token);
      return token === "good" && facts.valid ? good : undefined;
    },
    verify(token): CredentialFacts | CredentialFailure | Promise<CredentialFacts> {
      verified.push(token);
      if (token === "forged") return { failure: "invalid-signature", detail: "no", costly: true };
      if (token === "broken") return Promise.reject(new Error("defect"));
      return token === "slow" ? Promise.resolve(good) : factsFor(token, facts);
    },
  };
  const snapshot: GateSnapshot = {
    anyPathParameters: true,
    router: createRouter(
      [
        route("items", "/items/{id}", bearer, false, options.limits),
        route("open", "/open", bearer, true),
        shared(route("shared", "/shared", bearer, false)),
      ],
      METHODS,
    ),
    policies: {
      hash: "sha256-test",
      decide(question) {
        asked.push(question);
        if (question.path === "/items/throw") throw new Error("defect");
        const reasons = { "/items/none": "no-permit", "/items/forbid": "forbidden" } as const;
        const reason = reasons[question.path as keyof typeof reasons] ?? "permitted";
        return { reason, determining: [], erroring: [], reads: [] };
      },
    },
  };
  let count = 0;
  const gate = createGate({
    clock: new ManualClock(NOW),
    log: silent,
    audit: {
      writable: () => options.writable ?? true,
      decision: (record) => {
        records.push(record);
        return options.taken ?? "recorded";
      },
      completion: () => undefined,
      durable: () => options.durable,
    },
    budget,
    revocations: options.revocations ?? NO_REVOCATIONS,
    nextDecisionId: () => `ID${++count}`,
    decided: () => undefined,
  });
  const decide = (input: GateInput) => gate.decide(input, snapshot);
  return { decide, records, asked, verified, recalled, budget, facts };
}

function route(
  name: string,
  path: string,
  bearer: BearerVerifier,
  anonymous: boolean,
  limits?: RouteLimits,
) {
  const value: GateRoute = {
    name,
    service: "shop",
    bearer,
    anonymous,
    audience: undefined,
    params: pathParams(path),
    pathParameters: false,
    limits,
  };
  return { name, host: undefined, path, methods: ["GET"], value };
}

/** The same for pages of other origins. */
function shared(one: ReturnType<typeof route>): ReturnType<typeof route> {
  return { ...one, value: { ...one.value, cors: true } };
}

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
