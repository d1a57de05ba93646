/** What static findings ask about a configuration beyond its words: who is let in where, and where that is written. */
import { ANONYMOUS_NAME } from "../gate/route-options.ts";
import {
  authenticatorGrants,
  type AuthenticatorOptions,
} from "../identity/authenticator-options.ts";
import type { Acceptance } from "../policy/findings/acceptance.ts";
import type { AuthenticatorFacts, WrittenFacts } from "../policy/findings/subject.ts";
import { isKeeper } from "../authority/authority-options.ts";
import { insecureClients, insecureOptions } from "./insecure-options.ts";
import { keysAuthenticator } from "./keys-authenticator.ts";
import type { Path } from "../wire/document/place.ts";
import type { ProblemPlace } from "./read-source.ts";
import type { Config } from "./schema.ts";
import { isMapping } from "../wire/document/written.ts";

export type PlaceOf = (path: Path) => ProblemPlace;

export function findingFacts(config: Config, place: PlaceOf): WrittenFacts {
  const { admin, policies } = config;
  const accepted = (accept: readonly Omit<Acceptance, "place">[], at: Path): Acceptance[] =>
    accept.map((one, index) => ({ ...one, place: place([...at, "accept", index]) }));
  const keys = keysAuthenticator(Object.entries(config.authenticators));
  return {
    routes: config.routes.map(({ name, methods, authenticate, accept }, index) => ({
      name,
      methods,
      authenticate: callersOf(
        authenticate.filter((one) => one !== ANONYMOUS_NAME),
        config,
      ),
      anonymous: authenticate.includes(ANONYMOUS_NAME),
      place: place(["routes", index]),
      accept: accepted(accept, ["routes", index]),
    })),
    services: Object.entries(config.services).map(([name, { accept }]) => ({
      name,
      place: place(["services", name]),
      accept: accepted(accept, ["services", name]),
    })),
    authenticators: Object.entries(config.authenticators).map(([name, options]) =>
      name === keys?.name
        ? withClients(authenticatorFacts(name, options, place), config, place)
        : authenticatorFacts(name, options, place),
    ),
    admin:
      admin?.authenticate === undefined
        ? undefined
        : { authenticate: callersOf(admin.authenticate, config), place: place(["admin"]) },
    accept: accepted(policies.accept, ["policies"]),
  };
}

/** A key of ours stands for a principal of the authenticator that knew whoever it was issued to. */
function callersOf(
  names: readonly string[],
  { authenticators, authority }: Config,
): readonly string[] {
  const tokens = isKeeper(authority) ? authority.tokens : undefined;
  if (tokens === undefined) return names;
  if (!names.some((name) => authenticators[name]?.type === "sallyport")) return names;
  return [...new Set([...names, ...tokens.clients, ...tokens.subjects])];
}

function authenticatorFacts(
  name: string,
  options: AuthenticatorOptions,
  place: PlaceOf,
): AuthenticatorFacts {
  const at = ["authenticators", name];
  const rolePlaces = new Map<string, ProblemPlace>();
  for (const [path, value] of leavesOf(options, at)) {
    const key = path.findLast((step) => typeof step === "string") ?? "";
    if (ROLE_KEYS.has(key) && typeof value === "string" && !rolePlaces.has(value)) {
      rolePlaces.set(value, place(path));
    }
  }
  const insecure = insecureOptions(options).map(({ path, ...words }) => ({
    ...words,
    option: path.join("."),
    place: place([...at, ...path]),
  }));
  return { name, place: place(at), rolePlaces, insecure, ...authenticatorGrants(options) };
}

/** Clients that the configuration declares are callers of the authenticator that knows their keys. */
function withClients(
  facts: AuthenticatorFacts,
  { authority }: Config,
  place: PlaceOf,
): AuthenticatorFacts {
  const clients = isKeeper(authority) ? Object.entries(authority.clients ?? {}) : [];
  const rolePlaces = new Map(facts.rolePlaces);
  for (const [id, { roles }] of clients) {
    for (const [index, role] of roles.entries()) {
      if (rolePlaces.has(role)) continue;
      rolePlaces.set(role, place(["authority", "clients", id, "roles", index]));
    }
  }
  const insecure = insecureClients(authority).map(({ path, ...words }) => {
    return { ...words, option: path.join("."), place: place(path) };
  });
  return { ...facts, rolePlaces, insecure: [...facts.insecure, ...insecure] };
}

/** Where roles are named: `roles: { allow: […] }`, and `roles: […]` of a pattern. */
const ROLE_KEYS: ReadonlySet<string> = new Set(["allow", "roles"]);

function* leavesOf(value: unknown, path: Path): Generator<readonly [Path, unknown]> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* leavesOf(item, [...path, index]);
  } else if (isMapping(value)) {
    for (const [key, item] of Object.entries(value)) yield* leavesOf(item, [...path, key]);
  } else yield [path, value];
}
