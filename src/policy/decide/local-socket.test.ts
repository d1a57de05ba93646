import assert from "node:assert/strict";
import { test } from "node:test";
import type { PolicyDecision, PolicyRequest } from "../../model/policy.ts";
import { ANONYMOUS } from "../../model/principal.ts";
import { LOCAL_SOCKET_POLICY, localPrincipal, withLocalSocket } from "./local-socket.ts";

const REQUEST: PolicyRequest = {
  principal: localPrincipal(1000),
  action: "admin:drain",
  route: "sallyport-admin",
  path: "/v1/drain",
  host: "localhost",
  method: "POST",
  params: {},
  query: undefined,
  fields: [],
  ip: "local",
  timeMs: 0,
  scopes: [],
  authn: {
    kind: "local",
    authenticator: "local",
    ageSeconds: 0,
    acr: undefined,
    amr: [],
    bound: false,
  },
};

const FORBIDDEN: PolicyDecision = {
  reason: "forbidden",
  determining: ["nobody"],
  erroring: [],
  reads: [],
};
const policies = withLocalSocket({ hash: "sha256-x", decide: () => FORBIDDEN });

void test("withLocalSocket() lets the socket's caller in before any policy, by its own id", () => {
  const { reason, determining } = policies.decide(REQUEST);
  assert.deepEqual([reason, determining], ["permitted", [LOCAL_SOCKET_POLICY]]);
  assert.equal(policies.hash, "sha256-x");
});

void test("withLocalSocket() leaves everybody else, and everything else, to the policies", () => {
  const corp = { ...localPrincipal(1000), authenticator: "corp" };
  for (const changed of [
    { principal: corp },
    { principal: ANONYMOUS },
    { action: "GET" },
    { action: "admin:unheard-of" },
  ]) {
    assert.equal(policies.decide({ ...REQUEST, ...changed }), FORBIDDEN);
  }
});
