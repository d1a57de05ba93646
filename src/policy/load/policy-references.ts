/**
 * Finds what a policy names and the configuration does not have: the schema knows types and actions,
 * but not which routes, services, roles and authenticators there are. A misspelt one would be a
 * `forbid` that never applies.
 */
import { ADMIN_RESOURCE } from "../../model/admin-operations.ts";
import { principalId, ANONYMOUS } from "../../model/principal.ts";
import { suggest } from "../../model/suggest.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { NAMESPACE } from "../cedar-names.ts";
import { operationActions, operationGroups } from "../operation-actions.ts";
import type { Statement, Token } from "./policy-text.ts";

export interface ReferenceFault {
  /** Offset within the file, in UTF-16 code units. */
  readonly offset: number;
  readonly message: string;
  readonly remedy: string;
}

/** Compiles the vocabulary once; the answer is asked about each policy. */
export function createReferenceCheck(
  vocabulary: Vocabulary,
): (statement: Statement) => ReferenceFault[] {
  const routes = new Set(vocabulary.routes.map(({ name }) => name));
  const services = new Set(vocabulary.services.map(({ name }) => name));
  const authenticators = new Set(vocabulary.authenticators.map(({ name }) => name));
  const bareRoles = new Set(vocabulary.authenticators.flatMap((one) => one.bareRoles));
  const ofAuthenticator = (id: string): boolean =>
    id.includes("/") && authenticators.has(id.slice(0, id.indexOf("/")));
  const listed = (names: ReadonlySet<string>): string =>
    names.size === 0 ? "there is none" : `one of ${[...names].slice(0, 10).join(", ")}`;
  const scoped = (what: string): string =>
    `"<authenticator>/<${what}>", with the authenticator ${listed(authenticators)}`;
  const operations = new Set([
    ...operationActions(vocabulary).map(({ id }) => id),
    ...operationGroups(vocabulary),
  ]);
  const known: Readonly<Record<string, (id: string) => string | undefined>> = {
    Route: (id) => (routes.has(id) ? undefined : listed(routes)),
    [ADMIN_RESOURCE.type]: (id) =>
      id === ADMIN_RESOURCE.id ? undefined : JSON.stringify(ADMIN_RESOURCE.id),
    // The engine knows all other actions.
    Action: (id) => {
      if (operations.has(id) || !services.has(id.slice(0, Math.max(0, id.search(/[:/]/))))) {
        return undefined;
      }
      const close = suggest(id, [...operations]);
      return close === undefined
        ? "an operation that its description names"
        : `did you mean "${close}"?`;
    },
    Service: (id) => (services.has(id) ? undefined : listed(services)),
    Role: (id) =>
      bareRoles.has(id) || ofAuthenticator(id)
        ? undefined
        : `${scoped("role")}, or a role that an authenticator's allow list names bare`,
    Group: (id) => (ofAuthenticator(id) ? undefined : scoped("group")),
    User: (id) => (ofAuthenticator(id) ? undefined : scoped("subject")),
    Workload: (id) => (ofAuthenticator(id) ? undefined : scoped("subject")),
    Device: (id) => (ofAuthenticator(id) ? undefined : scoped("subject")),
    Anonymous: (id) => (id === principalId(ANONYMOUS) ? undefined : `"${principalId(ANONYMOUS)}"`),
  };
  return (statement) => [...unknownEntities(statement, known), ...headerNamesInCapitals(statement)];
}

function unknownEntities(
  { tokens }: Statement,
  known: Readonly<Record<string, (id: string) => string | undefined>>,
): ReferenceFault[] {
  const faults: ReferenceFault[] = [];
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "string") continue;
    const start = startOfUid(tokens, index);
    const type = tokens[index - 3]?.text ?? "";
    if (start === undefined || !Object.hasOwn(known, type)) continue;
    const id = unescapeString(token.text);
    const remedy = known[type]?.(id);
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

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "0": "\0" };

/** The value of a string token that the official parser has accepted. */
function unescapeString(token: string): string {
  return token
    .slice(1, -1)
    .replaceAll(
      /\\(?:u\{([0-9a-fA-F_]+)\}|x([0-9a-fA-F]{2})|([^]))/g,
      (_all, unicode?: string, byte?: string, other?: string) => {
        const hex = unicode?.replaceAll("_", "") ?? byte;
        if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
        return ESCAPES[other ?? ""] ?? other ?? "";
      },
    );
}
