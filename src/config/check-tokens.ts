/**
 * The token endpoint: where it may be served, what it rests on, and whose credentials it takes. What is
 * served where strangers can listen would give keys away, and an endpoint that can issue nothing is a
 * mistake.
 */
import { isKeeper } from "../authority/authority-options.ts";
import type { TokenOptions } from "../authority/token/token-options.ts";
import {
  type AuthenticatorOptions,
  certificatesOf,
  tokensOf,
} from "../identity/authenticator-options.ts";
import { sameTokens } from "../identity/bearer.ts";
import type { ListenerOptions } from "../http/listener-options.ts";
import { suggest } from "../model/suggest.ts";
import type { Draft } from "./draft.ts";
import { isLoopbackAddress } from "./loopback.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

const TOKENS: Path = ["authority", "tokens"];

export function checkTokens(draft: Draft): PathProblem[] {
  const serving = draft.listeners.filter(({ options }) => options.serve.includes("token"));
  const { authority } = draft;
  const tokens = isKeeper(authority) ? authority.tokens : undefined;
  return [
    ...serving.flatMap(({ path, options }) =>
      placeProblems(options).map((problem) => ({ ...problem, path: [...path, "serve"] })),
    ),
    ...(serving.length === 0 ? [] : missing(draft, serving)),
    ...(tokens === undefined ? [] : listProblems(draft, tokens)),
  ];
}

/** Nobody could ask for a key, although it is said how. */
export function checkTokensWarnings({ authority, listeners, whole }: Draft): PathProblem[] {
  if (!isKeeper(authority) || authority.tokens === undefined || !whole.listeners) return [];
  if (listeners.some(({ options }) => options.serve.includes("token"))) return [];
  const message = "nobody can ask for a key: no listener serves the token endpoint";
  return [{ path: TOKENS, message, remedy: "serve: [token] on a listener" }];
}

interface Problem {
  readonly message: string;
  readonly remedy: string;
}

/** Design section 5, rule 11: only over TLS, or where nobody else can listen. */
function placeProblems({ tls, address, publicOrigin }: ListenerOptions): Problem[] {
  const problems: Problem[] = [];
  if (tls === undefined && !isLoopbackAddress(address)) {
    const message = "keys and credentials would go over the network in plain HTTP";
    problems.push({ message, remedy: "tls, or an address on loopback" });
  }
  if (publicOrigin === undefined) {
    const message = "a token endpoint has to know the URL that clients reach it by";
    problems.push({ message, remedy: "publicOrigin of the listener" });
  }
  return problems;
}

function missing(draft: Draft, serving: Draft["listeners"]): PathProblem[] {
  const { authority, authenticators, whole } = draft;
  const at = (message: string, remedy: string): PathProblem[] =>
    serving.map(({ path }) => ({ path: [...path, "serve"], message, remedy }));
  if (authority === undefined) {
    // One that is written and not valid has problems of its own.
    return draft.config === undefined
      ? []
      : at("no authority is kept here, and only an authority issues keys", "authority");
  }
  if (!isKeeper(authority)) {
    return at(
      "only who keeps the authority issues keys, and this process follows one",
      "serve: [token] in the configuration of the authority",
    );
  }
  const problems: PathProblem[] = [];
  if (authority.tokens === undefined) {
    problems.push(...at("it is not said who may ask for keys", "authority.tokens"));
  }
  if (whole.authenticators && !authenticators.some(({ options }) => isOwn(options))) {
    problems.push(
      ...at(
        "no authenticator knows the keys that are issued",
        "an authenticator of type sallyport",
      ),
    );
  }
  return problems;
}

function isOwn({ type }: AuthenticatorOptions): boolean {
  return type === "sallyport";
}

const CLIENT_TYPES: ReadonlySet<string> = new Set(["mtls", "jwt-svid", "kubernetes"]);

function listProblems(draft: Draft, { clients, subjects }: TokenOptions): PathProblem[] {
  return [
    ...checkList(draft, [...TOKENS, "clients"], clients, {
      fits: ({ type }) => CLIENT_TYPES.has(type),
      wanted: "an authenticator of type mtls, jwt-svid or kubernetes",
    }),
    ...checkList(draft, [...TOKENS, "subjects"], subjects, {
      fits: (options) => tokensOf(options) !== undefined,
      wanted: "an authenticator that takes tokens",
    }),
  ];
}

function checkList(
  { authenticators, names: { authenticators: known } }: Draft,
  path: Path,
  names: readonly string[],
  rule: { readonly fits: (options: AuthenticatorOptions) => boolean; readonly wanted: string },
): PathProblem[] {
  const byName = new Map(authenticators.map(({ name, options }) => [name, options]));
  const problems: PathProblem[] = [];
  const earlier: { readonly name: string; readonly options: AuthenticatorOptions }[] = [];
  for (const [index, name] of names.entries()) {
    const at = [...path, index];
    const options = byName.get(name);
    if (!known.has(name)) {
      const close = suggest(name, known);
      const others = known.size === 0 ? "declare it first" : `one of ${[...known].join(", ")}`;
      const remedy = close === undefined ? others : `did you mean "${close}"?`;
      problems.push({ path: at, message: `there is no authenticator "${name}"`, remedy });
    }
    if (options === undefined) continue;
    if (!rule.fits(options)) {
      const message = `"${name}" is of type ${options.type}, which knows nobody here`;
      problems.push({ path: at, message, remedy: rule.wanted });
    }
    const other = earlier.find((one) => takeTheSame(one.options, options));
    earlier.push({ name, options });
    if (other !== undefined) {
      const message = `"${other.name}" and "${name}" could take the same credentials`;
      problems.push({ path: at, message, remedy: "one of them here" });
    }
  }
  return problems;
}

function takeTheSame(a: AuthenticatorOptions, b: AuthenticatorOptions): boolean {
  const domain = certificatesOf(a)?.trustDomain;
  if (domain !== undefined && domain === certificatesOf(b)?.trustDomain) return true;
  const [one, other] = [tokensOf(a), tokensOf(b)];
  return one !== undefined && other !== undefined && sameTokens(one, other);
}
