/** An explanation for people: the verdict first, then the policies and their clauses, each with its place. */
import type {
  ExplainedClause,
  ExplainedPolicy,
  PolicyExplanation,
} from "../policy/explain/explanation.ts";
import type { Evaluation, ExplainedDecision } from "../review/explain-decision.ts";
import { plain, table } from "./table.ts";

/** Of a decision that was made. */
export function decisionText(explained: ExplainedDecision): string {
  const { record, title, meaning, evaluation, policies, completion, file } = explained;
  const { reason, decision, method, path, host } = record;
  const rows: [string, string][] = [
    ["decision", `${record.decisionId}, ${record.time}, listener ${record.listener}`],
    ["request", `${method ?? "(unreadable)"} ${host ?? ""}${path ?? ""}`],
    record.issue === undefined ? ["route", routeText(record)] : ["key", keyText(record)],
    ...(record.issue === undefined ? actionRow(record.action, method) : []),
    ["caller", callerText(explained)],
    ...(record.detail === undefined ? [] : [["detail", record.detail] as [string, string]]),
    ...(completion === undefined
      ? []
      : [["ended", `status ${completion.status}, ${completion.end}`] as [string, string]]),
    ["recorded in", file],
    ["policies", `${record.bundle}; ${EVALUATIONS[evaluation]}${hiddenText(explained)}`],
  ];
  const verdict = decision === "permit" ? "PERMITTED" : "DENIED";
  return [
    `${verdict}: ${reason} (${title})\n`,
    ...(OF_POLICIES.has(reason) ? [] : [`${meaning}\n`]),
    "\n",
    table(rows.map((row) => row.map(plain))),
    ...(policies === undefined ? [] : policiesText(policies)),
  ].join("");
}

/** Of a request that was never made. */
export function questionText(
  policies: PolicyExplanation,
  rows: readonly [string, string][],
): string {
  const { decision, reason } = policies;
  const verdict = VERDICTS[decision];
  return [
    `${verdict}${reason === undefined ? "" : `: ${reason}`}\n\n`,
    table(rows.map((row) => row.map(plain))),
    ...policiesText(policies),
  ].join("");
}

/** Where policies were asked about more than the method: an operation of a description, or of ours. */
export function actionRow(
  action: string | undefined,
  method: string | undefined,
): readonly [string, string][] {
  if (action === undefined || action === method) return [];
  const isOwn = action.startsWith("admin:") || !action.includes(":");
  return [[isOwn ? "action" : "operation", action]];
}

const VERDICTS: Readonly<Record<PolicyExplanation["decision"], string>> = {
  permit: "PERMITTED",
  deny: "DENIED",
  depends: "IT DEPENDS",
};

const OF_POLICIES: ReadonlySet<string> = new Set(["permitted", "no-permit", "forbidden"]);

const EVALUATIONS: Readonly<Record<Evaluation, string>> = {
  same: "evaluated again, they answer the same",
  different: "evaluated again, they ANSWER OTHERWISE",
  uncertain: "whether they answer the same depends on what the record does not hold",
  "not-asked": "they were not asked, or did not decide",
  "no-bundle": "they are not kept, so it cannot be evaluated again",
  redacted: "not evaluated again, since policies can look at what is redacted in the record",
};

function hiddenText({ hidden = [] }: ExplainedDecision): string {
  return hidden.length === 0 ? "" : `: ${hidden.join(", ")}`;
}

function routeText({ route, service }: ExplainedDecision["record"]): string {
  if (route === undefined) return "none";
  return service === undefined ? route : `${route}, to service ${service}`;
}

/** `for billing: scopes read, 300 s, dpop, token-exchange by billing-job; issued k-1`. */
function keyText({ service = "", scopes, issue, key }: ExplainedDecision["record"]): string {
  if (issue === undefined) return "none";
  const { as, binding, client, grant, lifetimeSeconds, narrowed, other, questions } = issue;
  const asked = [
    `scopes ${scopes.length === 0 ? "none" : scopes.join(" ")}`,
    `${lifetimeSeconds} s`,
    binding === "none" ? "bound to nobody" : `bound (${binding})`,
    ...(narrowed ? ["narrowed"] : []),
    `${grant} by ${client}`,
    ...(other === undefined
      ? []
      : [as === "actor" ? `acting for ${other}` : `for ${other} to act`]),
    ...(questions === 1 ? [] : [`one of ${questions} questions`]),
  ];
  const issued = key === undefined ? "" : `; issued ${key.id} for ${key.audience.join(", ")}`;
  return `for ${service}: ${asked.join(", ")}${issued}`;
}

function callerText({ record, policies }: ExplainedDecision): string {
  const { principal, peerAddress, clientAddress = peerAddress } = record;
  if (principal === undefined) return `not known, from ${clientAddress}`;
  const { authenticator, subject } = principal;
  const known = principal.kind === "anonymous" ? "anonymous" : `${authenticator}/${subject}`;
  const name = policies?.principal ?? known;
  return `${name}, from ${clientAddress}`;
}

function policiesText(explanation: PolicyExplanation): string[] {
  const { decision, policies, nearest } = explanation;
  const deciding = policies.filter(({ applies }) => applies !== "depends");
  const open = policies.filter(({ applies }) => applies === "depends");
  return [
    ...section("Decided by", deciding),
    ...section("It depends on", open),
    ...section(decision === "permit" ? "" : "Permits that come nearest", nearest),
  ];
}

function section(title: string, policies: readonly ExplainedPolicy[]): string[] {
  if (policies.length === 0) return [];
  return [`\n${title}:\n`, ...policies.map(policyText)];
}

function policyText(policy: ExplainedPolicy): string {
  const { id, effect, file, line, link, annotations, clauses, applies } = policy;
  const what = { true: "applies", false: "does not apply", error: "fails", depends: "may apply" };
  const told = Object.entries(annotations)
    .filter(([name]) => ["description", "owner", "severity"].includes(name))
    .map(([name, value]) => `    ${name}: ${plain(value)}\n`);
  return [
    `\n  ${effect} ${plain(id)} ${what[applies]}  ${plain(file)}:${line}\n`,
    ...(link === undefined
      ? []
      : [`    of template ${plain(link.template)}, linked in ${plain(link.file)}:${link.line}\n`]),
    ...told,
    ...clauses.map((clause) => clauseText(clause)),
  ].join("");
}

const MARKS: Readonly<Record<ExplainedClause["holds"], string>> = {
  true: "yes",
  false: "NO",
  error: "ERROR",
  depends: "?",
  "not-reached": "-",
};

/** `yes   12:5   when context.path like "/a/*"`. */
function clauseText({ kind, text, line, column, holds, error, on }: ExplainedClause): string {
  const scope = kind !== "when" && kind !== "unless";
  const shown = text.split("\n").map((one) => plain(one.trim()));
  const mark = MARKS[holds].padEnd(5);
  const place = `${line}:${column}`.padEnd(7);
  const why = error ?? (on === undefined ? undefined : `depends on ${on.join(", ")}`);
  const head = `    ${mark}  ${place} ${scope ? "" : `${kind} `}`;
  const lines = shown.join(`\n${" ".repeat(head.length)}`);
  return `${head}${lines}${why === undefined ? "" : `   (${plain(why)})`}\n`;
}
