/**
 * What Prometheus is given to look at: a proxy with its own authority, under a load of permits, refusals, keys, a
 * service that is down, a quota that is used up, gRPC, bound tokens, certificates and logins, which tells a witness, a
 * sink and a collector that fail now and then; and a sidecar beside it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import type { TestContext } from "node:test";
import {
  ask as askSidecar,
  json,
  numberedKeys,
  type Sidecar,
  startServer,
  startSidecar,
} from "../e2e/sidecar.ts";
import { createRoot } from "../certificates.ts";
import { startFurtherCallers } from "./further-callers.ts";
import { createTestIssuer, ISSUER } from "../e2e/test-issuer.ts";
import { type Stage, startStage } from "../e2e/stage.ts";

const SECRET = "kP3vXq7ZtLw9sN2bYc5RdF8hJm4GxA6u";

const ROUTES = `  - { name: own, path: "/own/*", service: recorder, authenticate: [keys] }
  - { name: partner, path: "/partner/*", service: recorder, authenticate: [partner] }
  - { name: away, path: "/away/*", service: away, authenticate: [anonymous] }
  - name: limited
    path: "/limited/*"
    service: recorder
    authenticate: [anonymous]
    limit: { requests: 2, per: 1s, by: address }
`;

const POLICIES = `
@id("keys-for-the-job")
permit (
  principal in Sallyport::Role::"Job",
  action == Sallyport::Action::"issueKey",
  resource == Sallyport::Service::"recorder"
);

@id("the-job")
permit (principal == Sallyport::Workload::"keys/job", action, resource == Sallyport::Route::"own");

@id("partners")
permit (principal is Sallyport::Workload, action, resource == Sallyport::Route::"partner");
`;

export interface Ground {
  readonly stage: Stage;
  readonly sidecar: Sidecar;
  /** Requests of each kind in turn, with pauses that vary. */
  load(goesOn: () => boolean): Promise<void>;
}

export async function startGround(t: Pick<TestContext, "after">): Promise<Ground> {
  const partner = createTestIssuer();
  const issuer = await startServer(t, (response) => json(response, 200, partner.jwks));
  const tokens = await startServer(t, numberedKeys("Bearer"));
  const receiver = await startServer(t, failingNowAndThen());
  const further = await startFurtherCallers(t);
  const billing = await startServer(t, (response) => json(response, 200, {}));
  const stage = await startStage({
    listener: `    serve: [token, well-known, login]
  - name: secure
    address: 127.0.0.1:0
    tls: { certificate: edge.pem, key: edge.key, ${further.clients} }`,
    audit: auditTold(receiver.origin),
    config: AUTHORITY + seeing(receiver.origin),
    authenticators: `  keys: { type: sallyport }
  partner:
    type: jwt
    issuer: https://partner.example
    jwks: ${issuer.origin}/keys
    audience: [https://api.example]
    algorithms: [ES256]
    principal: { kind: workload, subject: sub, attributes: { plan: { claim: plan, type: string, default: whole } } }
${further.options.authenticators}`,
    services: `  away:
    endpoints: ["http://127.0.0.1:1"]
    health: { path: /healthz, interval: 1s, healthy: 1, unhealthy: 2 }
    retries: { attempts: 2, on: [connect], budget: { share: 20, floor: 3 } }
${further.options.services}`,
    routes: ROUTES + further.options.routes,
    policies: POLICIES + further.options.policies,
    secrets: {
      kek: Buffer.alloc(32, 3).toString("base64url"),
      client: SECRET,
      ...further.secrets,
    },
    prepare(folder) {
      mkdirSync(`${folder}/state`, { mode: 0o700, recursive: true });
      const { chainPem, keyPem } = createRoot("root").issue({ name: "edge", dns: ["api.example"] });
      writeFileSync(`${folder}/edge.pem`, chainPem);
      writeFileSync(`${folder}/edge.key`, keyPem, { mode: 0o600 });
      further.prepare(folder);
    },
  });
  t.after(() => stage.close());
  const sidecar = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: `    billing: { endpoints: ["${billing.origin}"], host: billing.internal, scopes: [read], bind: none }\n`,
  });
  const callers = { stage, sidecar, partner: (claims?: object) => partner.token(claims) };
  return {
    stage,
    sidecar,
    async load(goesOn) {
      for (let round = 0; goesOn(); round++) {
        await Promise.all([
          oneRound(callers, round),
          ...further.round(stage, secureOf(stage), round),
        ]);
        await new Promise((resolve) => setTimeout(resolve, 30 + 40 * Math.sin(round / 40) ** 2));
      }
    },
  };
}

const AUTHORITY = `
authority:
  issuer: https://sallyport.example
  store: sqlite:state/store.db
  keyEncryptionKey: { file: kek }
  tokens: { subjects: [keys] }
  clients:
    job: { insecureSecret: "\${file:client}", roles: [Job] }
`;

function auditTold(receiver: string): string {
  return `  checkpoints: { every: 2s, witnesses: [{ type: webhook, name: keeper, url: "${receiver}/checkpoints" }] }
  sinks: [{ type: webhook, name: archive, url: "${receiver}/records" }]`;
}

/** Thresholds that this load crosses. */
function seeing(receiver: string): string {
  return `
signs:
  repeat: 5s
  refusalBurst: { address: 20, window: 10s }
  routeProbing: { count: 3, window: 30s }
tracing: { otlp: { endpoint: "${receiver}", interval: 500ms }, sample: 10% }
usage:
  plans: { trial: { quota: { requests: 5, per: day } }, whole: {} }
  plan: { attribute: plan, default: whole }
`;
}

/** One of seven is refused: what failed is sent again. */
function failingNowAndThen(): Parameters<typeof startServer>[1] {
  let asked = 0;
  return (response) => {
    asked += 1;
    json(response, asked % 7 === 0 ? 503 : 200, {});
  };
}

async function oneRound(
  {
    stage,
    sidecar,
    partner,
  }: {
    readonly stage: Stage;
    readonly sidecar: Sidecar;
    readonly partner: Stage["issuer"]["token"];
  },
  round: number,
): Promise<void> {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const admin = bearer(stage.issuer.token({ roles: ["Admin"] }));
  const foreign = bearer(partner({ iss: "https://partner.example" }));
  const calls: Promise<unknown>[] = [
    call(stage, "/open"),
    call(stage, `/guarded/${round}`, admin),
    call(stage, "/guarded/known", bearer(lasting(stage))),
    call(stage, "/partner/x", foreign),
    call(stage, "/limited/x"),
  ];
  if (round % 3 === 0) calls.push(call(stage, "/away/x"), call(stage, "/secret"));
  if (round % 4 === 0) {
    calls.push(call(stage, "/guarded/x"));
    calls.push(
      ask(stage, SECRET, "recorder").then((token) => call(stage, "/own/x", bearer(token))),
    );
  }
  if (round % 8 === 0) {
    const trial = partner({ iss: "https://partner.example", sub: "trial", plan: "trial" });
    calls.push(call(stage, "/partner/x", bearer(trial)));
  }
  if (round % 10 === 0) {
    calls.push(ask(stage, SECRET, "away"), askSidecar(sidecar.out), callSecurely(stage));
  }
  if (round % 40 === 0) {
    calls.push(ask(stage, "wrong", "recorder"));
    calls.push(call(stage, "/guarded/x", bearer(partner({ iss: ISSUER }))));
  }
  await Promise.all(calls);
}

const lastingTokens = new WeakMap<Stage, string>();

async function callSecurely(stage: Stage): Promise<void> {
  const headers = { host: "api.example", connection: "close" };
  await new Promise((resolve, reject) => {
    // Whose certificate it is does not matter here.
    get(
      `https://${secureOf(stage)}/open`,
      { headers, rejectUnauthorized: false, agent: false },
      (answer) => {
        answer.resume().once("end", resolve);
      },
    ).once("error", reject);
  });
}

function secureOf(stage: Stage): string {
  return /\bsecure\b\s+https:\/\/(\S+)/.exec(stage.log())?.[1] ?? "";
}

/** One that is known again and again. */
function lasting(stage: Stage): string {
  const found =
    lastingTokens.get(stage) ??
    stage.issuer.token({ roles: ["Admin"], exp: Math.floor(Date.now() / 1000) + 3600 });
  lastingTokens.set(stage, found);
  return found;
}

async function call(
  stage: Stage,
  path: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const answer = await fetch(`http://${stage.proxy}${path}`, {
    headers: { ...headers, host: "api.example" },
  });
  await answer.arrayBuffer();
}

async function ask(stage: Stage, secret: string, audience: string): Promise<string> {
  const answer = await fetch(`http://${stage.proxy}/.sallyport/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`job:${secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", audience }),
  });
  const body = (await answer.json()) as { access_token?: string };
  return body.access_token ?? "";
}
