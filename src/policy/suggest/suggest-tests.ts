/** Test cases for suggested permits, as docs/policy-tests.md has them: each permit's example, and what was refused. */
import { principalId, type AttributeValue, type Principal } from "../../model/principal.ts";
import { PRINCIPAL_TYPES } from "../cedar-names.ts";
import type { RecordedAnswer } from "../replay/replay.ts";
import type { SuggestedPermit } from "./suggest-permits.ts";
import type { Denied } from "./traffic.ts";

const LIMITS = {
  /** Cases of what was refused; a person reads them. */
  denied: 100,
} as const;

/** YAML. */
export function suggestTests(
  permits: readonly SuggestedPermit[],
  denied: readonly Denied[],
): string {
  const permitted = permits.flatMap(({ id, uses }) =>
    uses.map(({ example }) =>
      caseText(`${id} permits`, example, { decision: "permit", determiningIncludes: [id] }),
    ),
  );
  const refused = denied
    .slice(0, LIMITS.denied)
    .map(({ example }) => caseText("still refused", example, "deny"));
  return `# Recorded requests: what the suggested permits are to let through, and what stays refused.
cases:
${[...permitted, ...refused].join("")}`;
}

function caseText(what: string, record: RecordedAnswer, expect: unknown): string {
  const { principal, method = "", path = "", decisionId } = record;
  if (principal === undefined) throw new TypeError("a record without a principal");
  return `  - name: ${json(`${what}: ${method} ${path} (${decisionId})`.slice(0, 200))}
    principal: ${json(principalOf(principal))}
    request: ${json(requestOf(record))}
    expect: ${json(expect)}
`;
}

function principalOf(principal: Principal): unknown {
  if (principal.kind === "anonymous") return "Anonymous";
  const { kind, roles, groups, attributes } = principal;
  return {
    id: `${PRINCIPAL_TYPES[kind]}::${JSON.stringify(principalId(principal))}`,
    ...(roles.length > 0 ? { roles } : {}),
    ...(groups.length > 0 ? { groups } : {}),
    ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
  };
}

function requestOf(record: RecordedAnswer): unknown {
  const { method, path, host, scopes, time, clientAddress, peerAddress, authn } = record;
  return {
    method,
    ...(host === undefined ? {} : { host }),
    path,
    ip: clientAddress ?? peerAddress,
    time,
    ...(scopes.length > 0 ? { scopes } : {}),
    ...(authn === undefined || record.principal?.kind === "anonymous"
      ? {}
      : {
          authn: {
            kind: authn.kind,
            ...(authn.acr === undefined ? {} : { acr: authn.acr }),
            ...(authn.amr.length > 0 ? { amr: authn.amr } : {}),
            age: Math.floor(authn.ageSeconds),
            bound: authn.bound,
          },
        }),
  };
}

/** JSON is YAML; a 64-bit integer stands as its digits. */
function json(value: unknown): string {
  return JSON.stringify(value, (_name, one: AttributeValue) =>
    typeof one === "bigint" ? (JSON as unknown as RawJson).rawJSON(String(one)) : one,
  );
}

interface RawJson {
  rawJSON(text: string): unknown;
}
