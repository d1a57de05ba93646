/** The policies of a source that was verified, each as its clauses. */
import type { PolicyJson } from "../cedar/policy-json.ts";
import type { LoadedPolicy, PolicyLink } from "../load/load-policies.ts";
import { createPlaces, splitStatements, type Place, type Statement } from "../load/policy-text.ts";
import type { PolicyFile } from "../policy-source.ts";
import { clausedPolicy, type ClausedPolicy } from "./clauses.ts";

/** A policy of a file. */
export interface PlacedPolicy extends ClausedPolicy {
  /** As the user named it. */
  readonly file: string;
  /** Of its first token, 1-based. */
  readonly line: number;
  readonly column: number;
  /** Of one that a link makes: file and line are its template's. */
  readonly link?: PolicyLink | undefined;
}

/** Throws TypeError where a policy is not in the file and at the place that it is said to be. */
export function clausedPolicies(
  files: readonly PolicyFile[],
  policies: readonly LoadedPolicy[],
): readonly PlacedPolicy[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  const cut = new Map<string, CutFile>();
  return policies.map((policy, order) => {
    const { id, file: name, line, column, json, link } = policy;
    const file = byName.get(name);
    if (file === undefined) throw new TypeError(`no file ${name} has the policy '${id}'`);
    let parts = cut.get(name);
    if (parts === undefined) cut.set(name, (parts = cutFile(file)));
    const { placeOf } = parts;
    const statement = parts.statements.get(`${line}:${column}`);
    if (statement === undefined) throw new TypeError(`the policy '${id}' is not at its place`);
    const parsed = JSON.parse(json) as PolicyJson;
    const claused = clausedPolicy({ id, order, json: parsed, statement, placeOf });
    return { ...claused, file: name, line, column, link };
  });
}

interface CutFile {
  readonly placeOf: (offset: number) => Place;
  /** By `line:column` of the first token. */
  readonly statements: ReadonlyMap<string, Statement>;
}

function cutFile({ text }: PolicyFile): CutFile {
  const placeOf = createPlaces(text);
  const statements = splitStatements(text).map((statement) => {
    const { line, column } = placeOf(statement.start);
    return [`${line}:${column}`, statement] as const;
  });
  return { placeOf, statements: new Map(statements) };
}
