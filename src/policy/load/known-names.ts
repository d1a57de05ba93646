/**
 * The entities that there are, by the configuration and by the data files: the schema knows types and
 * actions, but not which routes, services, roles and authenticators there are.
 */
import { ADMIN_RESOURCE } from "../../model/admin-operations.ts";
import { ANONYMOUS, principalId } from "../../model/principal.ts";
import { suggest } from "../../model/suggest.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { operationActions, operationGroups } from "../operation-actions.ts";

/** Ids of roles and groups that data files declare. */
export interface DeclaredNames {
  readonly roles: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
}

export interface KnownNames {
  /** What would be right, where the type has no entity of this id; undefined where all is well. */
  remedyFor(type: string, id: string): string | undefined;
}

const LISTED = 10;

export function createKnownNames(vocabulary: Vocabulary, declared: DeclaredNames): KnownNames {
  const routes = new Set(vocabulary.routes.map(({ name }) => name));
  const services = new Set(vocabulary.services.map(({ name }) => name));
  const authenticators = new Set(vocabulary.authenticators.map(({ name }) => name));
  const bareRoles = new Set(vocabulary.authenticators.flatMap((one) => one.bareRoles));
  const ofAuthenticator = (id: string): boolean =>
    id.includes("/") && authenticators.has(id.slice(0, id.indexOf("/")));
  const scoped = (what: string): string =>
    `"<authenticator>/<${what}>", with the authenticator ${listed(authenticators)}`;
  /** The authenticator may be what is misspelt. */
  const nearby = (id: string, bare: Iterable<string>): string | undefined => {
    const slash = id.indexOf("/");
    if (slash === -1) return meant(id, bare);
    const near = suggest(id.slice(0, slash), authenticators);
    return meant(id, near === undefined ? bare : [`${near}${id.slice(slash)}`]);
  };
  const operations = new Set([
    ...operationActions(vocabulary).map(({ id }) => id),
    ...operationGroups(vocabulary),
  ]);
  const subject = (id: string): string | undefined =>
    ofAuthenticator(id) ? undefined : (nearby(id, []) ?? scoped("subject"));
  const known: Readonly<Record<string, (id: string) => string | undefined>> = {
    Route: (id) => (routes.has(id) ? undefined : (meant(id, routes) ?? listed(routes))),
    [ADMIN_RESOURCE.type]: (id) =>
      id === ADMIN_RESOURCE.id ? undefined : JSON.stringify(ADMIN_RESOURCE.id),
    // The engine knows all other actions.
    Action: (id) => {
      if (operations.has(id) || !services.has(id.slice(0, Math.max(0, id.search(/[:/]/))))) {
        return undefined;
      }
      return meant(id, operations) ?? "an operation that its description names";
    },
    Service: (id) => (services.has(id) ? undefined : (meant(id, services) ?? listed(services))),
    Role: (id) =>
      bareRoles.has(id) || declared.roles.has(id) || ofAuthenticator(id)
        ? undefined
        : (nearby(id, [...bareRoles, ...declared.roles]) ??
          `${scoped("role")}, or a role that an authenticator's allow list or a data file names bare`),
    Group: (id) =>
      declared.groups.has(id) || ofAuthenticator(id)
        ? undefined
        : (nearby(id, declared.groups) ??
          `${scoped("group")}, or a group that a data file names bare`),
    User: subject,
    Workload: subject,
    Device: subject,
    Anonymous: (id) => (id === principalId(ANONYMOUS) ? undefined : `"${principalId(ANONYMOUS)}"`),
  };
  return {
    remedyFor: (type, id) => (Object.hasOwn(known, type) ? known[type]?.(id) : undefined),
  };
}

function listed(names: ReadonlySet<string>): string {
  return names.size === 0 ? "there is none" : `one of ${[...names].slice(0, LISTED).join(", ")}`;
}

function meant(id: string, names: Iterable<string>): string | undefined {
  const close = suggest(id, names);
  return close === undefined ? undefined : `did you mean "${close}"?`;
}
