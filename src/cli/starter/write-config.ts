/** Writes the `sallyport.yaml` of a starter. */
import {
  type StarterPlan,
  type StarterRoute,
  type StarterService,
  STARTER_AUTHENTICATOR,
  STARTER_KEY,
} from "./plan.ts";

export function writeConfig(plan: StarterPlan): string {
  return `# Every key is described in docs/configuration.md; \`sallyport check\` says whether this file is right.
version: 1

listeners:
  - name: edge
    address: 127.0.0.1:8080

admin:
  address: 127.0.0.1:9900        # /livez, /readyz, /metrics: for operators, not for callers
${plan.authority ? "  socket: run/admin.sock         # mode 0600: what the command line speaks to\n" : ""}
authenticators:
  ${STARTER_AUTHENTICATOR}:
    type: jwt
    issuer: ${quote(plan.issuer)}
${plan.jwks === undefined ? "" : `    jwks: ${quote(plan.jwks)}\n`}    audience: [${quote(plan.audience)}]
    algorithms: [RS256, ES256, EdDSA]
    principal:
      kind: workload             # who these tokens stand for: user, workload or device
      subject: sub
      roles: { claim: roles }    # a token's role "reader" is Role::"${STARTER_AUTHENTICATOR}/reader" in policies

services:
${plan.services.map((service) => `  ${service.name}:\n    endpoints: [${quote(service.endpoint)}]\n${openapiLine(service)}`).join("")}
routes:
${plan.services.flatMap((service) => service.routes.map((route) => routeText(route, service.name))).join("")}
policies:
  enforce: [policies]
${plan.services.some(({ described }) => described !== undefined) ? TESTED : ""}
${plan.authority ? AUTHORITY : ""}audit:
  path: data/audit
`;
}

const TESTED = `  tests: [tests]               # what the policies are to say: sallyport test
  entities: [data]             # who has which role, where tokens do not say it
`;

function openapiLine({ described }: StarterService): string {
  const { path } = described?.openapi ?? {};
  return path === undefined
    ? ""
    : `    openapi: ${path}   # its operations are actions; what it lacks is refused\n`;
}

/** Loopback, as the listener is: to be changed together. */
const AUTHORITY = `authority:                       # signing keys, revocations, enrolled machines
  issuer: http://127.0.0.1:8080  # who the keys that it issues are from: your own https: origin
  store: sqlite:data/state/sallyport.db
  keyEncryptionKey: { file: ${STARTER_KEY} }   # what its secrets are sealed under; without it they are lost

`;

function routeText(route: StarterRoute, service: string): string {
  const methods = route.methods === undefined ? "" : `    methods: [${route.methods.join(", ")}]\n`;
  const rewrite = route.cutPrefix ? "    rewrite: { prefix: / }\n" : "";
  return `  - name: ${route.name}
    path: ${quote(route.path)}
${methods}    service: ${service}
    authenticate: [${STARTER_AUTHENTICATOR}]
${rewrite}`;
}

/** A YAML text: plain where that is certain to be read as it stands, else in double quotes. */
function quote(text: string): string {
  return /^[a-z/][A-Za-z0-9/._:-]*[A-Za-z0-9/*]$|^\/$/.test(text) && !text.includes(": ")
    ? text
    : JSON.stringify(text);
}
