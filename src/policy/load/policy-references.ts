/**
 * Finds what a policy names and the configuration does not have: the schema knows types and actions,
 * but not which routes, services, roles and authenticators there are. A misspelt one would be a
 * `forbid` that never applies.
 */
import { NAMESPACE } from "../cedar-names.ts";
import type { KnownNames } from "./known-names.ts";
import { type Statement, type Token, unescapeString } from "./policy-text.ts";

export interface ReferenceFault {
  /** Offset within the file, in UTF-16 code units. */
  readonly offset: number;
  readonly message: string;
  readonly remedy: string;
}

/** Compiles the names once; the answer is asked about each policy. */
export function createReferenceCheck(
  known: KnownNames,
): (statement: Statement) => ReferenceFault[] {
  return (statement) => [...unknownEntities(statement, known), ...headerNamesInCapitals(statement)];
}

function unknownEntities({ tokens }: Statement, known: KnownNames): ReferenceFault[] {
  const faults: ReferenceFault[] = [];
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "string") continue;
    const start = startOfUid(tokens, index);
    const type = tokens[index - 3]?.text ?? "";
    if (start === undefined) continue;
    const id = unescapeString(token.text);
    const remedy = known.remedyFor(type, id);
    if (remedy === undefined) continue;
    faults.push({
      offset: start.start,
      message: `there is no ${NAMESPACE}::${type} called ${JSON.stringify(id)}`,
      remedy,
    });
  }
  return faults;
}

/** The first token of `Sallyport::Type::"id"`, where the token at the index is the id of one. */
function startOfUid(tokens: readonly Token[], index: number): Token | undefined {
  const written = tokens
    .slice(Math.max(0, index - 6), index)
    .map(({ text }, at) => (at === 3 ? "" : text))
    .join(" ");
  return written === `${NAMESPACE} : :  : :` ? tokens[index - 6] : undefined;
}

/** Field names are lower-case where policies see them, so another spelling never matches. */
function headerNamesInCapitals({ tokens }: Statement): ReferenceFault[] {
  return tokens.flatMap((token, index) => {
    if (token.kind !== "string") return [];
    const before = tokens.slice(Math.max(0, index - 4), index).map(({ text }) => text);
    if (!/^headers\.(?:has|get)Tag\($/.test(before.join(""))) return [];
    const name = unescapeString(token.text);
    if (name === name.toLowerCase()) return [];
    return [
      {
        offset: token.start,
        message: `no header is called ${JSON.stringify(name)}`,
        remedy: `policies see header names in lower case: ${JSON.stringify(name.toLowerCase())}`,
      },
    ];
  });
}
