/**
 * Callers that any proxy has: with tokens that are known, new, wrong and missing, beyond a rate and a quota, over TLS, of
 * a service that is down.
 */
import { get } from "node:https";
import type { TestContext } from "node:test";
import { json, startServer } from "../e2e/sidecar.ts";
import type { Stage } from "../e2e/stage.ts";
import { createTestIssuer, ISSUER } from "../e2e/test-issuer.ts";
import { bearer, call, type Part } from "./part.ts";

export async function startCallers(t: Pick<TestContext, "after">): Promise<Part> {
  const partner = createTestIssuer();
  let fetched = 0;
  const { origin } = await startServer(t, (response) => {
    fetched += 1;
    json(response, fetched % 4 === 0 ? 503 : 200, partner.jwks);
  });
  const foreign = (claims: object = {}): Readonly<Record<string, string>> =>
    bearer(partner.token({ iss: "https://partner.example", ...claims }));
  return {
    options: {
      config: PLANS,
      authenticators: `  partner:
    type: jwt
    issuer: https://partner.example
    jwks: ${origin}/keys
    audience: [https://api.example]
    algorithms: [ES256]
    keys: { minRefresh: 1s, maxRefresh: 3s, cooldown: 1s }
    principal: { kind: workload, subject: sub, attributes: { plan: { claim: plan, type: string, default: whole } } }
`,
      services: AWAY,
      routes: ROUTES,
      policies: `
@id("partners") permit (principal is Sallyport::Workload, action, resource == Sallyport::Route::"partner");
`,
    },
    round({ stage, secure }, round) {
      const admin = bearer(stage.issuer.token({ roles: ["Admin"] }));
      const ask = (path: string, headers = {}): Promise<void> => call(stage.proxy, path, headers);
      const calls = [
        ask("/open"),
        ask(`/guarded/${round}`, admin),
        ask("/guarded/known", bearer(lasting(stage))),
        ask("/partner/x", foreign()),
        ask("/limited/x"),
      ];
      if (round % 3 === 0) calls.push(ask("/away/x"), ask("/secret"));
      if (round % 4 === 0) calls.push(ask("/guarded/x"));
      if (round % 8 === 0) calls.push(ask("/partner/x", foreign({ sub: "trial", plan: "trial" })));
      if (round % 10 === 0) calls.push(callSecurely(secure));
      if (round % 40 === 0) calls.push(ask("/guarded/x", bearer(partner.token({ iss: ISSUER }))));
      return calls;
    },
  };
}

const AWAY = `  away:
    endpoints: ["http://127.0.0.1:1"]
    health: { path: /healthz, interval: 1s, healthy: 1, unhealthy: 2 }
    retries: { attempts: 2, on: [connect], budget: { share: 20, floor: 3 } }
`;

const ROUTES = `  - { name: partner, path: "/partner/*", service: recorder, authenticate: [partner] }
  - { name: away, path: "/away/*", service: away, authenticate: [anonymous] }
  - name: limited
    path: "/limited/*"
    service: recorder
    authenticate: [anonymous]
    limit: { requests: 2, per: 1s, by: address }
`;

const PLANS = `
usage:
  plans: { trial: { quota: { requests: 5, per: day } }, whole: {} }
  plan: { attribute: plan, default: whole }
`;

const lastingTokens = new WeakMap<Stage, string>();

/** One that is known again and again. */
function lasting(stage: Stage): string {
  const found =
    lastingTokens.get(stage) ??
    stage.issuer.token({ roles: ["Admin"], exp: Math.floor(Date.now() / 1000) + 3600 });
  lastingTokens.set(stage, found);
  return found;
}

async function callSecurely(secure: string): Promise<void> {
  const headers = { host: "api.example", connection: "close" };
  await new Promise<void>((resolve, reject) => {
    get(
      `https://${secure}/open`,
      // Whose certificate it is does not matter here.
      { headers, rejectUnauthorized: false, agent: false },
      (answer) => {
        answer.resume().once("end", resolve);
      },
    ).once("error", reject);
  });
}
