/** The configuration and the policies that Sallyport is measured with. */
import type { Certificate } from "../load/certificate.ts";
import { AUDIENCE, ISSUER } from "../load/credentials.ts";

export interface BenchRoute {
  readonly name: string;
  readonly path: string;
  /** More of its options, as they stand in a mapping on one line. */
  readonly options?: string;
}

/** Both are evaluated for each request: the first permits it, the second looks and does not forbid. */
export const BILLING_POLICIES = `// Only the payment service, in role AdminService, may query billing records.
@id("billing-admins")
permit (
  principal is Sallyport::Workload in Sallyport::Role::"AdminService",
  action in Sallyport::Action::"read",
  resource in Sallyport::Service::"billing"
) when { context.path like "/billing/*" };

// People from outside never reach what is not public.
@id("outsiders")
forbid (principal, action, resource)
when { principal has external && principal.external && !resource.public };
`;

/** For transfers, which write as well. */
export const WRITER_POLICIES = BILLING_POLICIES.replace(
  'action in Sallyport::Action::"read"',
  "action",
);

/** For calls of the echo service, which are POST. */
export const GRPC_POLICIES = WRITER_POLICIES.replace("/billing/*", "/bench.Echo/*");

/** `sallyport.yaml` for one service, with key set and policies beside it. */
export function sallyportConfig(options: {
  readonly port: number;
  readonly adminPort: number;
  /** Of the one service, as its endpoint is written. */
  readonly service: string;
  readonly routes: readonly BenchRoute[];
  readonly certificate?: Certificate;
  readonly workers?: number;
  readonly limits?: string;
  /** YAML lines of `audit` beside its path, indented by two spaces. */
  readonly audit?: string;
  /** Further YAML at top level. */
  readonly more?: string;
}): string {
  const { certificate, workers, limits, audit, more } = options;
  const tls =
    certificate === undefined
      ? ""
      : `    tls: { certificate: ${certificate.certificate}, key: ${certificate.key} }\n`;
  return `version: 1
${workers === undefined ? "" : `workers: ${workers}\n`}listeners:
  - name: edge
    address: 127.0.0.1:${options.port}
    publicOrigin: ${AUDIENCE}
${tls}${limits === undefined ? "" : `    limits:\n${limits}\n`}admin:
  address: 127.0.0.1:${options.adminPort}
${publishedConfig(options)}audit:
  path: audit
${
  audit === undefined
    ? ""
    : `${audit}
`
}${
    more === undefined
      ? ""
      : `${more}
`
  }`;
}

/** The part of it that an authority publishes to its proxies. */
export function publishedConfig(options: {
  readonly service: string;
  readonly routes: readonly BenchRoute[];
}): string {
  const routes = options.routes.map(
    ({ name, path, options: more = "pathParameters: refuse" }) =>
      `  - { name: ${name}, path: "${path}", service: billing, authenticate: [corp], timeout: 10m, ${more} }`,
  );
  return `authenticators:
  corp:
    type: jwt
    issuer: ${ISSUER}
    jwks: file:jwks.json
    audience: [${AUDIENCE}]
    algorithms: [RS256, ES256, EdDSA]
    principal:
      kind: workload
      subject: sub
      roles: { claim: roles, allow: [AdminService, Reader] }
      attributes:
        tenant: { claim: tenant_id, type: string }
        external: { claim: ext, type: bool, default: true }
services:
  billing:
    endpoints: [${options.service}]
    attributes: { public: false }
routes:
${routes.join("\n")}
policies:
  enforce: [policies]
`;
}
