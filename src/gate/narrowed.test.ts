import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf as sharedFacts } from "../../test/identity/facts.ts";
import type { AccessDetail } from "../model/access-detail.ts";
import type { CredentialFacts } from "../model/facts.ts";
import type { RequestHead } from "../model/http.ts";
import type { DecisionRecord } from "../model/records.ts";
import { NO_REVOCATIONS } from "../model/revocation.ts";
import type { BearerVerifier } from "../model/verifiers.ts";
import { METHODS } from "../model/vocabulary.ts";
import { ManualClock } from "../platform/clock.ts";
import { type Denial, isDenial, Permit } from "./decision.ts";
import { createGate } from "./gate.ts";
import { createRouter } from "./router.ts";
import type { DescribedRoute, GateRoute, GateSnapshot } from "./snapshot.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const type = "sallyport";

const GET = { method: "GET", target: "/invoices" };
const HEAD = { method: "HEAD", target: "/invoices" };
const POST = { method: "POST", target: "/invoices" };
const OPERATION = { method: "GET", target: "/described" };
const REDIRECT = { method: "GET", target: "/old" };

type Asked = Pick<RequestHead, "method" | "target">;

const MATRIX: [title: string, details: readonly AccessDetail[], fit: Asked[], others: Asked[]][] = [
  ["nothing but its type", [{ type }], [GET, HEAD, POST, OPERATION], [REDIRECT]],
  ["no entry at all", [], [], [GET, HEAD, POST, OPERATION, REDIRECT]],
  ["the service", [{ type, services: ["billing"] }], [GET, POST, OPERATION], [REDIRECT]],
  ["another service", [{ type, services: ["orders"] }], [], [GET, OPERATION, REDIRECT]],
  ["a route", [{ type, routes: ["invoices"] }], [GET, HEAD, POST], [OPERATION, REDIRECT]],
  ["a redirect", [{ type, routes: ["old"] }], [REDIRECT], [GET, OPERATION]],
  [
    "a redirect, of a service that it does not lead to",
    [{ type, routes: ["old"], services: ["billing"] }],
    [],
    [REDIRECT],
  ],
  ["GET, which is not HEAD", [{ type, methods: ["GET"] }], [GET, OPERATION], [HEAD, POST]],
  ["GET and HEAD", [{ type, methods: ["GET", "HEAD"] }], [GET, HEAD], [POST, REDIRECT]],
  [
    "an operation",
    [{ type, operations: ["billing:getInvoice"] }],
    [OPERATION],
    [GET, HEAD, REDIRECT],
  ],
  ["another operation", [{ type, operations: ["billing:listInvoices"] }], [], [OPERATION, GET]],
  [
    "a route and a method, both of which have to fit",
    [{ type, routes: ["invoices"], methods: ["POST"] }],
    [POST],
    [GET, OPERATION],
  ],
  [
    "two entries, of which one has to fit whole",
    [
      { type, routes: ["invoices"], methods: ["POST"] },
      { type, routes: ["described"], methods: ["GET"] },
    ],
    [POST, OPERATION],
    [GET, HEAD, REDIRECT],
  ],
];

for (const [title, details, fit, others] of MATRIX) {
  test(`decide() lets a key that is narrowed to ${title} do that and nothing else`, () => {
    for (const asked of [...fit, ...others]) {
      const { decide, asked: questions, records } = fixture({ bearer: details });
      const outcome = decide(asked);
      const name = `${asked.method} ${asked.target}`;
      if (fit.includes(asked)) {
        assert.ok(outcome instanceof Permit, name);
        continue;
      }
      assert.ok(isDenial(outcome) && outcome.denied === "outside-key", name);
      assert.equal(questions.count, 0, "no policy is asked");
      const record = records.at(-1);
      assert.equal(record?.principal?.subject, "ann", "whose it is is on record");
      assert.deepEqual(
        record?.credentials.map(({ outcome: use }) => use),
        ["refused"],
      );
    }
  });
}

test("decide() holds each of several credentials to what it is narrowed to, whoever the principal is", () => {
  const toGet = [{ type, methods: ["GET"] }] as const;
  const toInvoices = [{ type, routes: ["invoices"] }] as const;
  const cases: [string, Parameters<typeof fixture>[0], Asked, boolean][] = [
    ["both fit", { bearer: toGet, key: toInvoices }, GET, true],
    ["the token does not", { bearer: toGet, key: toInvoices }, POST, false],
    ["the key does not", { bearer: toGet, key: toInvoices }, OPERATION, false],
    [
      "the key is not narrowed, and the token does not fit",
      { bearer: toGet, key: null },
      POST,
      false,
    ],
    ["the token is not narrowed, and the key does not fit", { key: toGet }, POST, false],
    ["neither is narrowed", { key: null }, POST, true],
  ];
  for (const [title, given, asked, allowed] of cases) {
    for (const order of [
      ["corp", "partners"],
      ["partners", "corp"],
    ]) {
      const { decide } = fixture({ ...given, order });
      const outcome = decide(asked, ["x-api-key", "key"]);
      assert.equal(
        isDenial(outcome) ? outcome.denied : "permitted",
        allowed ? "permitted" : "outside-key",
        title,
      );
    }
  }
});

test("decide() and decideAgain() hold a WebSocket to what its key is narrowed to", () => {
  const websocket: Partial<RequestHead> = {
    target: "/chat",
    fields: ["sec-websocket-version", "13", "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
    connectionOptions: ["upgrade"],
    upgrade: "websocket",
  };
  const routed = fixture({ bearer: [{ type, routes: ["chat"], methods: ["GET"] }] });
  const first = routed.decide({ method: "GET", target: "/chat" }, [], websocket);
  assert.ok(first instanceof Permit);
  const elsewhere = fixture({ bearer: [{ type, routes: ["invoices"] }] });
  const denied = elsewhere.decide({ method: "GET", target: "/chat" }, [], websocket);
  assert.ok(isDenial(denied) && denied.denied === "outside-key");
  // The route has another name by the next configuration, and leads where it led.
  const stream = { decisionId: first.decisionId, service: "billing" };
  const same = routed.gate.decideAgain(first, { stream, snapshot: routed.snapshotOf("chat") });
  assert.ok(same instanceof Permit);
  const renamed = routed.gate.decideAgain(first, { stream, snapshot: routed.snapshotOf("talk") });
  assert.ok(!(renamed instanceof Promise) && isDenial(renamed));
  assert.equal(renamed.denied, "outside-key");
  assert.equal(routed.records.at(-1)?.stream, first.decisionId);
});

function factsOf(
  authenticator: string,
  narrowed: readonly AccessDetail[] | null | undefined,
): CredentialFacts {
  return sharedFacts({
    principal: {
      kind: "user",
      authenticator,
      subject: "ann",
      roles: [],
      groups: [],
      attributes: {},
    },
    authenticator,
    kind: authenticator === "corp" ? "sallyport" : "api-key",
    credentialHash: `hash-${authenticator}`,
    expiresAt: NOW / 1000 + 60,
    clockSkew: 0,
    audience: undefined,
    acceptedAudience: [],
    ...(narrowed ? { narrowed } : {}),
  });
}

interface Given {
  /** What the token is narrowed to; left out: to nothing. */
  readonly bearer?: readonly AccessDetail[];
  /** The same of a key in a field of its own; null: to nothing; left out: the route takes none. */
  readonly key?: readonly AccessDetail[] | null;
  readonly order?: readonly string[];
}

function verifierOf(facts: CredentialFacts): BearerVerifier {
  return { recall: () => facts, verify: () => facts };
}

function fixture({ bearer: narrowed, key, order = ["corp", "partners"] }: Given) {
  const records: DecisionRecord[] = [];
  const asked = { count: 0 };
  const silent = (): void => undefined;
  let next = 0;
  const gate = createGate({
    clock: new ManualClock(NOW),
    log: { debug: silent, info: silent, warn: silent, error: silent },
    audit: {
      writable: () => true,
      decision: (record) => {
        records.push(record);
        return "recorded";
      },
      completion: silent,
      durable: () => undefined,
    },
    budget: { spent: () => false, charge: silent },
    revocations: NO_REVOCATIONS,
    nextDecisionId: () => `decision-${next++}`,
    decided: silent,
  });
  const bearer = verifierOf(factsOf("corp", narrowed));
  const further =
    key === undefined
      ? undefined
      : {
          certificate: undefined,
          session: undefined,
          fields: [{ name: "x-api-key", bearer: verifierOf(factsOf("partners", key)) }],
          order: new Map(order.map((name, place) => [name, place])),
        };
  const route = (name: string, path: string, more: Partial<GateRoute> = {}) => ({
    name,
    host: undefined,
    path,
    methods: ["GET", "HEAD", "POST"],
    value: {
      name,
      service: "billing",
      bearer,
      further,
      anonymous: false,
      audience: undefined,
      params: [],
      pathParameters: false,
      ...more,
    },
  });
  const snapshotOf = (chat: string): GateSnapshot => ({
    anyPathParameters: false,
    router: createRouter(
      [
        route("invoices", "/invoices"),
        route("described", "/described", { described: DESCRIBED }),
        route("old", "/old", { service: undefined }),
        route(chat, "/chat", { websocket: true }),
      ],
      METHODS,
    ),
    policies: {
      hash: "sha256-x",
      decide: () => {
        asked.count += 1;
        return { reason: "permitted", determining: [], erroring: [], reads: [] };
      },
    },
  });
  const decide = (
    request: Asked,
    fields: readonly string[] = [],
    change: Partial<RequestHead> = {},
  ): Permit | Denial => {
    const head: RequestHead = {
      version: "1.1",
      minorVersion: 1,
      fields,
      host: "a",
      authorization: "Bearer token",
      authorizationCount: 1,
      bodyKind: "none",
      contentLength: 0,
      keepAlive: true,
      expectContinue: false,
      connectionOptions: undefined,
      upgrade: undefined,
      ...request,
      ...change,
    };
    const peer = { address: "192.0.2.7", port: 5 };
    const input = {
      listener: "edge",
      scheme: "http",
      peer,
      connection: { memo: undefined },
      head,
    } as const;
    const outcome = gate.decide(input, snapshotOf("chat"));
    assert.ok(!(outcome instanceof Promise));
    return outcome;
  };
  return { gate, decide, records, asked, snapshotOf };
}

const DESCRIBED: DescribedRoute = {
  rewrite: undefined,
  router: {
    find: () => ({ allow: "GET", method: () => ({ action: "billing:getInvoice" }) }),
  },
  validation: "none",
  bodyBytes: 0,
};
