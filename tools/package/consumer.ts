/**
 * What a user of the library writes. It runs in the folder that `sallyport init` filled, against the
 * installed package, and ends 0 only if the gate permits and denies as it should.
 */
import assert from "node:assert/strict";
import {
  compilePolicies,
  createDecisionIds,
  createGate,
  createRouter,
  type DecisionRecord,
  type GateInput,
  type GateRoute,
  isDenial,
  loadConfig,
  METHODS,
  NO_REVOCATIONS,
  Permit,
  systemClock,
} from "sallyport";

const loaded = await loadConfig("sallyport.yaml");
const files = [
  {
    name: "open.cedar",
    text: '@id("open") permit (principal is Sallyport::Anonymous, action, resource) when { context.path == "/hello/a" };',
  },
];
const compiled = await compilePolicies(
  { files, vocabulary: loaded.vocabulary },
  { clock: systemClock },
);
assert.ok(compiled.policies !== undefined, JSON.stringify(compiled.problems));

const routes = loaded.config.routes.map(({ name, host, path, methods, service }) => {
  const value: GateRoute = {
    name,
    service,
    bearer: undefined,
    anonymous: true,
    audience: undefined,
    params: [],
    pathParameters: false,
  };
  return { name, host, path, methods, value };
});
const snapshot = {
  router: createRouter(routes, METHODS),
  anyPathParameters: false,
  policies: compiled.policies,
};
const records: DecisionRecord[] = [];
const gate = createGate({
  clock: systemClock,
  log: { debug() {}, info() {}, warn() {}, error() {} },
  audit: {
    writable: () => true,
    decision: (record) => {
      records.push(record);
      return "recorded";
    },
    completion: () => undefined,
    durable: () => undefined,
  },
  budget: { spent: () => false, charge: () => undefined },
  revocations: NO_REVOCATIONS,
  nextDecisionId: createDecisionIds(systemClock),
  decided: () => undefined,
});

function get(target: string): GateInput {
  return {
    listener: "library",
    scheme: "http",
    peer: { address: "127.0.0.1", port: 1 },
    connection: { memo: undefined },
    head: {
      method: "GET",
      target,
      version: "1.1",
      minorVersion: 1,
      fields: ["host", "example.com"],
      host: "example.com",
      authorization: undefined,
      authorizationCount: 0,
      bodyKind: "none",
      contentLength: 0,
      keepAlive: true,
      expectContinue: false,
      connectionOptions: undefined,
      upgrade: undefined,
    },
  };
}

const permitted = await gate.decide(get("/hello/a"), snapshot);
assert.ok(permitted instanceof Permit);
const denied = await gate.decide(get("/hello/b"), snapshot);
assert.ok(isDenial(denied));
assert.equal(denied.denied, "no-permit");
const ambiguous = await gate.decide(get("/hello/..%2fa"), snapshot);
assert.ok(isDenial(ambiguous));
assert.equal(ambiguous.denied, "ambiguous-path");
assert.deepEqual(
  records.map(({ decision }) => decision),
  ["permit", "deny", "deny"],
);
