/** Writes the test cases of a described service, and the data file beside them: what its starter policies are to say. */
import {
  type StarterOperation,
  type StarterRoute,
  type StarterService,
  STARTER_AUTHENTICATOR,
} from "./plan.ts";
import { hasPolicy, scopedPolicyId } from "./write-policies.ts";

const LIMITS = {
  /** Characters of a name: reports have a line for each case. */
  name: 160,
} as const;

const READS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export function writeTests({ name, routes }: StarterService): string {
  const role = (own: string): string => JSON.stringify([`${STARTER_AUTHENTICATOR}/${name}-${own}`]);
  const who = (own: string): string =>
    JSON.stringify(`Workload::"${STARTER_AUTHENTICATOR}/${own}"`);
  const cases = routes.flatMap((route) =>
    route.operations.flatMap((operation) => casesOf(name, route, operation)),
  );
  return `# What policies/${name}.cedar is to say: \`sallyport test\` runs it, and a gate whose tests fail does not start.
# docs/policy-tests.md has what a case can say.
principals:
  reader: { id: ${who("a-reader")}, roles: ${role("reader")} }
  writer: { id: ${who("a-writer")}, roles: ${role("writer")} }
  nobody: ${who("somebody-else")}
cases:
${cases.join("")}`;
}

/** The role that it takes and the one that does not do, and what its scopes open to anybody. */
function casesOf(service: string, route: StarterRoute, operation: StarterOperation): string[] {
  const { method, scopes } = operation;
  const reads = READS.has(method);
  const [may, mayNot] = reads ? ["reader", "writer"] : ["writer", "reader"];
  const request = { method, path: examplePath(route.path) };
  const about = (what: string): string => `${method} ${route.path} ${what}`.slice(0, LIMITS.name);
  const cases = [
    caseText(about(`by a ${may}`), {
      principal: may,
      request,
      expect: { decision: "permit", determining: [`${service}-${may}s`] },
    }),
    caseText(about(`by a ${mayNot}`), { principal: mayNot, request, expect: DENIED }),
  ];
  if (scopes.length === 0 || !hasPolicy(operation)) return cases;
  const expect = { decision: "permit", determining: [scopedPolicyId(route, operation)] };
  const withScopes = { ...request, scopes };
  const text = caseText(about("by its scopes"), {
    principal: "nobody",
    request: withScopes,
    expect,
  });
  return [...cases, text];
}

const DENIED = { decision: "deny", reason: "no-permit" } as const;

/** JSON is YAML. */
function caseText(name: string, one: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(one).map(([key, value]) => `    ${key}: ${JSON.stringify(value)}\n`);
  return `  - name: ${JSON.stringify(name)}\n${lines.join("")}`;
}

/** `/invoices/{id}` → `/invoices/1`. */
function examplePath(path: string): string {
  return path.replaceAll(/\{[^/{}]+\}/g, "1");
}

/** Memberships that tokens do not say; nobody has any until somebody writes so. */
export function writeData(services: readonly StarterService[]): string {
  const roles = services.flatMap(({ name }) =>
    ["reader", "writer"].map((own) => `  ${STARTER_AUTHENTICATOR}/${name}-${own}: []\n`),
  );
  return `# Who has which role beside what tokens say, as far as tokens do not say it: docs/policy-data.md.
# Members are callers or groups: [Workload::"${STARTER_AUTHENTICATOR}/reports", Group::"${STARTER_AUTHENTICATOR}/finance"]
roles:
${roles.join("")}`;
}
