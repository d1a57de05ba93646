import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf } from "../../test/identity/facts.ts";
import type { CredentialFacts } from "../model/facts.ts";
import type { RequestHead } from "../model/http.ts";
import type { DecisionRecord } from "../model/records.ts";
import { NO_REVOCATIONS } from "../model/revocation.ts";
import { METHODS } from "../model/vocabulary.ts";
import { ManualClock } from "../platform/clock.ts";
import { type Denial, isDenial, Permit } from "./decision.ts";
import { createGate } from "./gate.ts";
import { createRouter } from "./router.ts";
import type { GateRoute, GateSnapshot } from "./snapshot.ts";
import type { BearerVerifier } from "../model/verifiers.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

test("decideAgain() permits what still holds, without a record and without the limits", () => {
  const { begin, gate, snapshot, records, admitted } = fixture();
  const first = begin("good");
  assert.equal(first.websocketKey, KEY);
  const again = gate.decideAgain(first, { stream: stream(first), snapshot: snapshot({}) });
  assert.ok(again instanceof Permit);
  assert.notEqual(again.snapshot, first.snapshot);
  assert.equal(records.length, 1);
  assert.equal(admitted.count, 1);
});

test("decideAgain() denies by the new snapshot, and its record names the stream", () => {
  const cases: [reason: string, change: Parameters<ReturnType<typeof fixture>["snapshot"]>[0]][] = [
    ["no-permit", { permits: false }],
    ["no-route", { path: "/elsewhere" }],
    ["method-not-allowed", { methods: ["POST"] }],
    ["no-route", { service: "other" }],
    ["upgrade-not-allowed", { websocket: false }],
    ["wrong-audience", { audience: ["other"] }],
    ["missing-credential", { bearer: undefined }],
    ["internal-error", { permits: "throws" }],
  ];
  for (const [reason, change] of cases) {
    const { begin, gate, snapshot, records } = fixture();
    const first = begin("good");
    const again = gate.decideAgain(first, { stream: stream(first), snapshot: snapshot(change) });
    assert.ok(!(again instanceof Promise) && isDenial(again), reason);
    assert.equal(again.denied, reason);
    assert.equal(records.at(-1)?.stream, first.decisionId);
    assert.equal(records.at(-1)?.decision, "deny");
    assert.equal(records.at(-1)?.reason, reason);
    assert.notEqual(again.decisionId, first.decisionId);
  }
});

test("decideAgain() notices an expiry by the snapshot in force", () => {
  const { begin, gate, clock } = fixture();
  const first = begin("good");
  clock.advance(60_000);
  const again = gate.decideAgain(first, { stream: stream(first), snapshot: first.snapshot });
  assert.equal((again as Denial).denied, "token-expired");
});

test("decideAgain() verifies anew what the new snapshot does not know, and spends no budget", async () => {
  const { begin, gate, snapshot, charged } = fixture();
  const first = begin("good");
  const known: BearerVerifier = {
    recall: () => undefined,
    verify: () => Promise.resolve(factsFor("good")),
  };
  const again = gate.decideAgain(first, {
    stream: stream(first),
    snapshot: snapshot({ bearer: known }),
  });
  assert.ok((await again) instanceof Permit);
  const gone: BearerVerifier = {
    recall: () => undefined,
    verify: () => ({ failure: "unknown-key", detail: "no such key", costly: true }),
  };
  const denied = await gate.decideAgain(first, {
    stream: stream(first),
    snapshot: snapshot({ bearer: gone }),
  });
  assert.ok(isDenial(denied));
  assert.equal(denied.denied, "unknown-key");
  assert.equal(charged.count, 0);
  const broken: BearerVerifier = {
    recall: () => undefined,
    verify: () => Promise.reject(new Error("defect")),
  };
  const failed = await gate.decideAgain(first, {
    stream: stream(first),
    snapshot: snapshot({ bearer: broken }),
  });
  assert.ok(isDenial(failed));
  assert.equal(failed.denied, "internal-error");
});

test("decide() refuses upgrades that the route does not list, and handshakes that are none", () => {
  const { gate, snapshot } = fixture();
  const cases: [reason: string | undefined, change: Partial<RequestHead>, websocket: boolean][] = [
    [undefined, {}, true],
    ["upgrade-not-allowed", {}, false],
    ["upgrade-not-allowed", { upgrade: "spdy" }, true],
    ["invalid-upgrade", { fields: ["sec-websocket-version", "13"] }, true],
    [undefined, { upgrade: "h2c" }, false],
    [undefined, { connectionOptions: undefined }, false],
  ];
  for (const [reason, change, websocket] of cases) {
    const outcome = gate.decide(input("good", change), snapshot({ websocket }));
    assert.ok(!(outcome instanceof Promise));
    assert.equal(isDenial(outcome) ? outcome.denied : undefined, reason, JSON.stringify(change));
  }
});

function stream(first: Permit): { decisionId: string; service: string | undefined } {
  return { decisionId: first.decisionId, service: first.route.service };
}

function input(token: string, change: Partial<RequestHead> = {}) {
  const head: RequestHead = {
    method: "GET",
    target: "/chat",
    version: "1.1",
    minorVersion: 1,
    fields: ["sec-websocket-version", "13", "sec-websocket-key", KEY],
    host: "a",
    authorization: `Bearer ${token}`,
    authorizationCount: 1,
    bodyKind: "none",
    contentLength: 0,
    keepAlive: true,
    expectContinue: false,
    connectionOptions: ["upgrade"],
    upgrade: "websocket",
    ...change,
  };
  const peer = { address: "192.0.2.7", port: 5 };
  return { listener: "edge", scheme: "http" as const, peer, connection: { memo: undefined }, head };
}

function factsFor(subject: string): CredentialFacts {
  const principal = {
    kind: "workload",
    authenticator: "corp",
    subject,
    roles: [],
    groups: [],
    attributes: {},
  } as const;
  return factsOf({
    principal,
    credentialHash: "hash",
    expiresAt: NOW / 1000 + 60,
    clockSkew: 0,
  });
}

interface Change {
  readonly permits?: boolean | "throws";
  readonly path?: string;
  readonly methods?: readonly string[];
  readonly service?: string;
  readonly websocket?: boolean;
  readonly audience?: readonly string[];
  readonly bearer?: BearerVerifier | undefined;
}

function fixture() {
  const clock = new ManualClock(NOW);
  const records: DecisionRecord[] = [];
  const charged = { count: 0 };
  const admitted = { count: 0 };
  const facts = factsFor("good");
  const bearer: BearerVerifier = { recall: () => facts, verify: () => facts };
  let next = 0;
  const silent = (): void => undefined;
  const gate = createGate({
    clock,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    audit: {
      writable: () => true,
      decision: (record) => {
        records.push(record);
        return "recorded";
      },
      completion: () => undefined,
      durable: () => undefined,
    },
    budget: { spent: () => true, charge: () => (charged.count += 1) },
    revocations: NO_REVOCATIONS,
    nextDecisionId: () => `decision-${next++}`,
    decided: () => undefined,
  });
  const limits = {
    admit() {
      admitted.count += 1;
      return { reason: undefined, limit: "", retryAfterSeconds: 0, fields: [], release: silent };
    },
  };
  const snapshot = (change: Change): GateSnapshot => {
    const { permits = true, path = "/chat", methods, service = "chat", ...rest } = change;
    const value: GateRoute = {
      name: "chat",
      service,
      bearer,
      anonymous: false,
      audience: undefined,
      params: [],
      pathParameters: false,
      limits,
      websocket: true,
      ...rest,
    };
    return {
      anyPathParameters: false,
      router: createRouter([{ name: "chat", host: undefined, path, methods, value }], METHODS),
      policies: {
        hash: "sha256-x",
        decide: () => {
          if (permits === "throws") throw new Error("defect");
          const reason = permits ? "permitted" : "no-permit";
          return { reason, determining: [], erroring: [], reads: [] };
        },
      },
    };
  };
  const begin = (token: string): Permit => {
    const outcome = gate.decide(input(token), snapshot({}));
    assert.ok(outcome instanceof Permit);
    return outcome;
  };
  return { gate, snapshot, begin, records, charged, admitted, clock };
}
