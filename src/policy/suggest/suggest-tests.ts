/**
 * Test cases for suggested permits, as docs/policy-tests.md has them: each permit's example, and what was
 * refused. A case says all that its record holds. Left out, with a comment, is what would not show what it
 * says: a query or a body of which policies saw values that the record does not have, and a refusal for what
 * it does not have, which the permits let through.
 */
import { principalId, type AttributeValue, type Principal } from "../../model/principal.ts";
import { PRINCIPAL_TYPES } from "../cedar-names.ts";
import type { RpcCall } from "../../model/rpc.ts";
import type { RecordedBody } from "../explain/recorded-body.ts";
import type { RecordedActor } from "../explain/recorded-request.ts";
import type { RecordedAnswer } from "../replay/replay.ts";
import type { SuggestedPermit } from "./suggest-permits.ts";
import type { Denied } from "./traffic.ts";

const LIMITS = {
  /** Cases of what was refused; a person reads them. */
  denied: 100,
} as const;

export interface RefusedTraffic {
  readonly denied: readonly Denied[];
  /** Ids of decisions among them that the permits let through. */
  readonly widened: ReadonlySet<string>;
}

/** YAML. */
export function suggestTests(
  permits: readonly SuggestedPermit[],
  { denied, widened }: RefusedTraffic,
): string {
  const permitted = permits.flatMap(({ id, uses }) =>
    uses.map(({ example }) =>
      caseText(`${id} permits`, example, { decision: "permit", determiningIncludes: [id] }),
    ),
  );
  const refused = denied
    .slice(0, LIMITS.denied)
    .map(({ example }) =>
      widened.has(example.decisionId)
        ? leftOut("refused then", example, "for what its record does not have: now permitted")
        : caseText("still refused", example, "deny"),
    );
  return `# Recorded requests: what the suggested permits are to let through, and what stays refused.
cases:
${[...permitted, ...refused].join("")}`;
}

function caseText(what: string, record: RecordedAnswer, expect: unknown): string {
  const { principal, method = "", path = "", decisionId } = record;
  if (principal === undefined) throw new TypeError("a record without a principal");
  const missing = missingOf(record);
  if (missing.length > 0) {
    return leftOut(what, record, `its record has no value of ${missing.join(", ")}`);
  }
  return `  - name: ${json(`${what}: ${method} ${path} (${decisionId})`.slice(0, 200))}
    principal: ${json(principalOf(principal))}
    request: ${json(requestOf(record))}
    expect: ${json(expect)}
`;
}

/** A comment in the place of a case. */
function leftOut(what: string, record: RecordedAnswer, why: string): string {
  const { method = "", path = "", decisionId } = record;
  const text = `${what}: ${method} ${path} (${decisionId}) is left out: ${why}`;
  return `  # ${text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ")}\n`;
}

/** What of query and body policies saw, and the record has as a hash. */
function missingOf({ reads, body = {}, query = "", truncated }: RecordedAnswer): readonly string[] {
  const masked = isMasked(query) || truncated["query"] !== undefined;
  return [
    ...reads
      .filter(({ kind, hashes }) => kind === "query" && masked && hashes.length > 0)
      .map(({ name }) => `the parameter ${JSON.stringify(name)}`),
    ...Object.entries(body)
      .filter(([, value]) => !("value" in value))
      .map(([name]) => `${JSON.stringify(name)} of the body`),
    ...["path", "host"].filter((name) => truncated[name] !== undefined),
  ];
}

function isMasked(query: string): boolean {
  return query.split("&").some((piece) => piece === "*" || piece.endsWith("=*"));
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
  const { query, workload, device, actor, body, rpc } = record;
  return {
    method,
    ...(host === undefined ? {} : { host }),
    path,
    ...(query === undefined || query === "" || isMasked(query) ? {} : { query }),
    ...(body === undefined ? {} : { body: clearOf(body) }),
    ...(rpc === undefined ? {} : { rpc: callOf(rpc) }),
    ...(workload === undefined ? {} : { workload: principalOf(workload) }),
    ...(device === undefined ? {} : { device: principalOf(device) }),
    ...(actor === undefined ? {} : { actor: actorOf(actor) }),
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

function clearOf(body: RecordedBody): Readonly<Record<string, AttributeValue>> {
  return Object.fromEntries(
    Object.entries(body).flatMap(([name, one]) => ("value" in one ? [[name, one.value]] : [])),
  );
}

/** The protocol is the route's. */
function callOf({ protocol: _protocol, ...call }: RpcCall): unknown {
  return call;
}

function actorOf({ authenticator, subject, issuer, clientId, behind }: RecordedActor): unknown {
  return {
    id: `${authenticator}/${subject}`,
    ...(issuer === undefined ? {} : { issuer }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(behind.length > 0 ? { behind } : {}),
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
