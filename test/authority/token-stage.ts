/**
 * A proxy that is its own authority, as `sallyport run` starts it, with the token endpoint at its one
 * listener: a client with keys and a certificate, one with a secret, workloads with SVIDs, and people and
 * keys whose tokens can be exchanged.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRoot, type TestCertificate } from "../certificates.ts";
import { startStage, type Stage, type StageOptions } from "../e2e/stage.ts";
import { testKey } from "../issuer.ts";
import { createJwtAuthority, spiffeBundle } from "../spiffe.ts";

export const ISSUER = "https://api.example";
export const SECRET = randomBytes(24).toString("base64url");
export const ORDERS = "spiffe://prod.example/orders";
export const jobKey = testKey("job-1", "ES256");
export const svids = createJwtAuthority("svids-1");

const edge = createRoot("Edge");
const server = edge.issue({ name: "edge", dns: ["api.example"] });
const prod = createRoot("Prod", { uri: ["spiffe://prod.example"] });
const callers = createRoot("Callers");

export const jobCertificate: TestCertificate = callers.issue({ name: "job" });
export const otherCertificate: TestCertificate = callers.issue({ name: "other" });
export const ordersSvid: TestCertificate = prod.issue({ name: "orders", uri: [ORDERS] });
export const serverAuthority: string = edge.pem;

const FILES: Readonly<Record<string, string>> = {
  "edge.pem": server.chainPem,
  "edge.key": server.keyPem,
  "callers.pem": callers.pem,
  "prod.json": JSON.stringify(spiffeBundle([prod], [svids])),
  "job.pem": jobCertificate.chainPem,
  "job.jwks.json": JSON.stringify({ keys: [jobKey.jwk] }),
};

const LISTENER = `    serve: [token, well-known]
    tls:
      certificate: edge.pem
      key: edge.key
      clients: { mode: optional, ca: callers.pem, authenticators: [mesh] }`;

const AUTHENTICATORS = `
  keys: { type: sallyport }
  mesh: { type: mtls, trustDomain: prod.example, bundle: prod.json }
  svids: { type: jwt-svid, trustDomain: prod.example, bundle: prod.json, audience: [sallyport] }
`;

const ROUTES = `  - { name: invoices, path: "/invoices/*", service: recorder, authenticate: [keys] }
  - { name: payments, path: "/payments/*", service: recorder, authenticate: [keys] }
`;

const CONFIG = `authority:
  issuer: ${ISSUER}
  store: sqlite:sallyport.db
  keyEncryptionKey: { file: kek }
  tokens: { clients: [mesh, svids], subjects: [test, keys] }
  clients:
    job: { keys: "file:job.jwks.json", certificates: ["file:job.pem"] }
    old: { insecureSecret: "\${file:old.secret}" }
`;

const POLICIES = `
@id("issue-to-job")
permit (
  principal == Sallyport::Workload::"keys/job",
  action == Sallyport::Action::"issueKey",
  resource == Sallyport::Service::"recorder"
) when { context.lifetime <= 300 };

@id("issue-to-old")
permit (
  principal == Sallyport::Workload::"keys/old",
  action == Sallyport::Action::"issueKey",
  resource == Sallyport::Service::"recorder"
) when { context.scopes == ["read"] };

@id("issue-to-orders")
permit (
  principal is Sallyport::Workload,
  action == Sallyport::Action::"issueKey",
  resource == Sallyport::Service::"recorder"
) when {
  principal == Sallyport::Workload::"mesh/${ORDERS}" ||
  principal == Sallyport::Workload::"svids/${ORDERS}"
};

@id("issue-for-testers")
permit (
  principal == Sallyport::Workload::"test/tester",
  action == Sallyport::Action::"issueKey",
  resource == Sallyport::Service::"recorder"
) when { context.client == "job" };

@id("keys")
permit (principal, action in [Sallyport::Action::"read", Sallyport::Action::"write"], resource)
when { [Sallyport::Route::"invoices", Sallyport::Route::"payments"].contains(resource) };
`;

export async function startTokenStage(options: StageOptions = {}): Promise<Stage> {
  const { adminSocket } = options;
  return await startStage({
    ...(adminSocket === undefined ? {} : { adminSocket }),
    listener: LISTENER,
    authenticators: AUTHENTICATORS,
    routes: ROUTES,
    policies: POLICIES,
    config: CONFIG + (options.config ?? ""),
    secrets: { "old.secret": SECRET, kek: randomBytes(32).toString("base64url") },
    prepare(folder) {
      for (const [name, text] of Object.entries(FILES)) {
        writeFileSync(join(folder, name), text, { mode: 0o600 });
      }
      options.prepare?.(folder);
    },
  });
}
