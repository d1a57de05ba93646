/** A checked policy in words, for a person who reviews a change: who, what, where, and under which conditions. */
import { createPlaces, splitStatements, type Statement } from "../load/policy-text.ts";
import type { LoadedPolicy } from "../load/load-policies.ts";
import { uidFromJson, type PolicyJson, type ScopeJson } from "../cedar/policy-json.ts";
import { NAMESPACE } from "../cedar-names.ts";
import type { PolicyFile } from "../policy-source.ts";

export interface DescribedPolicy {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  readonly file: string;
  readonly line: number;
  readonly who: string;
  readonly what: string;
  readonly where: string;
  /** Each `when` and `unless` as it is written, white space folded. */
  readonly conditions: readonly string[];
  /** Without `@id`. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** In the order of the policies. */
export function describePolicies(
  policies: readonly LoadedPolicy[],
  files: readonly PolicyFile[],
): DescribedPolicy[] {
  const statements = new Map(files.map((file) => [file.name, statementsByPlace(file)]));
  return policies.map(({ id, json, file, line, column }) => {
    const policy = JSON.parse(json) as PolicyJson;
    const { id: _, ...annotations } = policy.annotations ?? {};
    return {
      id,
      effect: policy.effect,
      file,
      line,
      who: scopeWords(policy.principal, "anybody"),
      what: scopeWords(policy.action, "anything"),
      where: scopeWords(policy.resource, "anywhere"),
      conditions: conditionsOf(statements.get(file)?.get(placeKey(line, column))),
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([name, value]) => [name, value ?? ""]),
      ),
    };
  });
}

function statementsByPlace({ text }: PolicyFile): ReadonlyMap<string, Statement> {
  const placeOf = createPlaces(text);
  return new Map(
    splitStatements(text).map((statement) => {
      const { line, column } = placeOf(statement.start);
      return [placeKey(line, column), statement];
    }),
  );
}

function placeKey(line: number, column: number): string {
  return `${String(line)}:${String(column)}`;
}

function scopeWords(scope: ScopeJson, all: string): string {
  if (scope.op === "All") return all;
  if (scope.op === "is") {
    const type = shortType(scope.entity_type);
    return scope.in === undefined ? `any ${type}` : `any ${type} in ${targetWords(scope.in)}`;
  }
  if (scope.op === "==") return targetWords(scope);
  if (scope.entities === undefined) return `in ${targetWords(scope)}`;
  return `in ${scope.entities.map((entity) => targetWords({ entity })).join(" or ")}`;
}

function targetWords({
  entity,
  slot,
}: Pick<Extract<ScopeJson, { op: "==" | "in" }>, "entity" | "slot">): string {
  if (entity === undefined) return slot ?? "";
  const { type, id } = uidFromJson(entity);
  return `${shortType(type)}::${JSON.stringify(id)}`;
}

function shortType(type: string): string {
  return type.startsWith(`${NAMESPACE}::`) ? type.slice(NAMESPACE.length + 2) : type;
}

/** From each `when` or `unless` outside of brackets to the next, as tokens with one space where there was some. */
function conditionsOf(statement: Statement | undefined): string[] {
  if (statement === undefined) return [];
  const conditions: string[] = [];
  let depth = 0;
  let current: string | undefined;
  let end = 0;
  for (const { text, start } of statement.tokens) {
    const begins = depth === 0 && (text === "when" || text === "unless");
    if (begins && current !== undefined) conditions.push(current);
    if (begins) current = text;
    else if (text === ";" && depth === 0) break;
    else if (current !== undefined) current += (start > end ? " " : "") + text;
    if (text === "{" || text === "(" || text === "[") depth += 1;
    if (text === "}" || text === ")" || text === "]") depth -= 1;
    end = start + text.length;
  }
  if (current !== undefined) conditions.push(current);
  return conditions;
}
