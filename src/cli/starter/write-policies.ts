/** Writes the Cedar policies of a starter: one file for each service. Nothing is open to strangers. */
import {
  type StarterOperation,
  type StarterRoute,
  type StarterService,
  STARTER_AUTHENTICATOR,
} from "./plan.ts";

/** RFC 6749 section 3.3 scope-token; it needs no escape in a Cedar string. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

export function writePolicies(service: StarterService): string {
  const scoped = service.routes.flatMap((route) =>
    route.operations
      .filter(({ scopes }) => scopes.length > 0)
      .map((operation) => scopedPolicy(route, operation)),
  );
  const open = service.routes.flatMap((route) =>
    route.operations
      .filter((operation) => operation.open)
      .map(({ method }) => `${method} ${route.path}`),
  );
  return [
    `// Who may use ${service.name}. What no policy permits is denied.\n`,
    rolePolicy(service.name, { role: "reader", group: "read", id: "readers" }),
    rolePolicy(service.name, { role: "writer", group: "write", id: "writers" }),
    ...scoped,
    ...(open.length === 0 ? [] : [openNote(open)]),
  ].join("\n");
}

function rolePolicy(
  service: string,
  grant: { readonly role: string; readonly group: string; readonly id: string },
): string {
  const role = `${STARTER_AUTHENTICATOR}/${service}-${grant.role}`;
  return `// Callers in the role "${service}-${grant.role}" of their tokens may ${grant.group}.
@id("${service}-${grant.id}")
permit (
  principal in Sallyport::Role::"${role}",
  action in Sallyport::Action::"${grant.group}",
  resource in Sallyport::Service::"${service}"
);
`;
}

function scopedPolicy(route: StarterRoute, operation: StarterOperation): string {
  const title = `${operation.method} ${route.path}`;
  const label = operation.label === undefined ? title : `${title}: ${operation.label}`;
  if (!hasPolicy(operation)) {
    return `// ${title} has a scope that is not a valid one, so no policy was written for it.\n`;
  }
  const needed = operation.scopes.map((scope) => `context.scopes.contains("${scope}")`);
  return `// ${label}
@id("${scopedPolicyId(route, operation)}")
permit (
  principal,
  action == Sallyport::Action::"${operation.action}",
  resource == Sallyport::Route::"${route.name}"
)
when { ${needed.join(" && ")} };
`;
}

/** Whether its scopes are valid ones, so that a policy is written for it. */
export function hasPolicy({ scopes }: StarterOperation): boolean {
  return scopes.every((scope) => SCOPE.test(scope));
}

export function scopedPolicyId({ name }: StarterRoute, { method }: StarterOperation): string {
  return `${name}-${method.toLowerCase()}`;
}

function openNote(open: readonly string[]): string {
  return `// The OpenAPI file asks for no authentication on these. They are not open: to open one, add
// "anonymous" to its route's authenticate list and write a policy that permits Anonymous.
${open.map((line) => `//   ${line}\n`).join("")}`;
}
