/**
 * What of a configuration is valid by itself, so that the checks across its parts can run although
 * another part is broken, and a person sees all problems at once.
 */
import type { z } from "zod";
import { type AdminOptions, adminSchema } from "../admin/admin-options.ts";
import { type AuthorityOptions, authoritySchema } from "../authority/authority-options.ts";
import { type EgressOptions, egressSchema } from "../egress/egress-options.ts";
import { type RouteOptions, routeSchema } from "../gate/route-options.ts";
import { type ListenerOptions, listenerSchema } from "../http/listener-options.ts";
import {
  type WorkloadApiOptions,
  workloadApiSchema,
} from "../identity/spiffe/workload-api-options.ts";
import { type PolicyOptions, policyOptionsSchema } from "../policy/policy-options.ts";
import { check, type PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import {
  type AuthenticatorOptions,
  authenticatorSchema,
  type Config,
  configSchema,
  type LimitsOptions,
  limitsSchema,
  type OwnConfig,
  ownSchema,
  type ServiceOptions,
  serviceSchema,
} from "./schema.ts";
import { isMapping } from "../wire/document/written.ts";

/** A named part of the configuration and where it stands. */
export interface Part<T> {
  readonly name: string;
  readonly path: Path;
  readonly options: T;
}

export interface Draft {
  readonly listeners: readonly Part<ListenerOptions>[];
  readonly authenticators: readonly Part<AuthenticatorOptions>[];
  readonly services: readonly Part<ServiceOptions>[];
  readonly routes: readonly Part<RouteOptions>[];
  readonly admin: AdminOptions | undefined;
  readonly authority: AuthorityOptions | undefined;
  readonly workloadApi: WorkloadApiOptions | undefined;
  readonly egress: EgressOptions | undefined;
  readonly policies: PolicyOptions | undefined;
  readonly limits: LimitsOptions | undefined;
  /** Names as they are written, also in parts that are not valid. */
  readonly names: WrittenNames;
  /**
   * Whether every listener, and every authenticator, that is written is valid. What there is none of among
   * those that are may be meant by one that is not, which has problems of its own.
   */
  readonly whole: { readonly listeners: boolean; readonly authenticators: boolean };
  /** Keys as they are written in each route, before defaults are filled in; none where it is no mapping. */
  readonly routeKeys: readonly ReadonlySet<string>[];
  /** The whole, when all of it is valid. */
  readonly config: Config | undefined;
  /** All that a follower's own file says, when it is valid and was all that was looked at. */
  readonly own: OwnConfig | undefined;
}

/** A name and where it is written. */
export interface WrittenName {
  readonly name: string;
  readonly path: Path;
}

export interface WrittenNames {
  readonly listeners: readonly WrittenName[];
  readonly routes: readonly WrittenName[];
  readonly services: ReadonlySet<string>;
  readonly authenticators: ReadonlySet<string>;
  /** What routes refer to, and the admin API. */
  readonly usedServices: readonly WrittenName[];
  readonly usedAuthenticators: readonly WrittenName[];
}

/** Validates the expanded document; `ownOnly`: of a follower, without what comes over the feed. */
export function createDraft(
  value: unknown,
  written: ReadonlyMap<string, string>,
  { ownOnly = false }: { readonly ownOnly?: boolean } = {},
): { readonly draft: Draft; readonly problems: readonly PathProblem[] } {
  const context = { base: [], value, written };
  const whole = ownOnly ? undefined : check(configSchema, context);
  const alone = ownOnly ? check(ownSchema, context) : undefined;
  const config = whole !== undefined && "output" in whole ? whole.output : undefined;
  const own = alone !== undefined && "output" in alone ? alone.output : undefined;
  const valid: Readonly<Record<string, unknown>> | undefined = config ?? own;
  const raw = valid ?? (isMapping(value) ? value : {});
  // What passed as a whole needs no second look at its parts.
  const read = <T extends z.ZodType>(schema: T, part: unknown): z.output<T> | undefined =>
    valid === undefined ? schema.safeParse(part, { jitless: true }).data : (part as z.output<T>);
  const listeners = listed("listeners", raw["listeners"], (part) => read(listenerSchema, part));
  const authenticators = keyed("authenticators", raw["authenticators"], (part) =>
    read(authenticatorSchema, part),
  );
  const draft: Draft = {
    listeners,
    authenticators,
    services: keyed("services", raw["services"], (part) => read(serviceSchema, part)),
    routes: listed("routes", raw["routes"], (part) => read(routeSchema, part)),
    admin: raw["admin"] === undefined ? undefined : read(adminSchema, raw["admin"]),
    authority: raw["authority"] === undefined ? undefined : read(authoritySchema, raw["authority"]),
    workloadApi:
      raw["workloadApi"] === undefined ? undefined : read(workloadApiSchema, raw["workloadApi"]),
    egress: raw["egress"] === undefined ? undefined : read(egressSchema, raw["egress"]),
    policies: ownOnly ? undefined : read(policyOptionsSchema, raw["policies"]),
    limits: ownOnly ? undefined : read(limitsSchema, raw["limits"]),
    names: writtenNames(raw),
    whole: {
      listeners: listeners.length === countOf(raw["listeners"]),
      authenticators: authenticators.length === countOf(raw["authenticators"]),
    },
    routeKeys: routeKeys(value),
    config,
    own,
  };
  const found = whole ?? alone;
  return { draft, problems: found !== undefined && "problems" in found ? found.problems : [] };
}

function countOf(section: unknown): number {
  return typeof section === "object" && section !== null ? Object.keys(section).length : 0;
}

function listed<T extends { readonly name: string }>(
  section: string,
  written: unknown,
  read: (part: unknown) => T | undefined,
): Part<T>[] {
  if (!Array.isArray(written)) return [];
  return written.flatMap((part, index) => {
    const options = read(part);
    return options === undefined ? [] : [{ name: options.name, path: [section, index], options }];
  });
}

function keyed<T>(
  section: string,
  written: unknown,
  read: (part: unknown) => T | undefined,
): Part<T>[] {
  if (!isMapping(written)) return [];
  return Object.entries(written).flatMap(([name, part]) => {
    const options = read(part);
    return options === undefined ? [] : [{ name, path: [section, name], options }];
  });
}

function writtenNames(raw: Readonly<Record<string, unknown>>): WrittenNames {
  const keys = (section: unknown): ReadonlySet<string> =>
    new Set(isMapping(section) ? Object.keys(section) : []);
  const items = (
    section: string,
  ): { readonly path: Path; readonly item: Record<string, unknown> }[] => {
    const list = raw[section];
    if (!Array.isArray(list)) return [];
    return list.flatMap((item, index) =>
      isMapping(item) ? [{ path: [section, index], item }] : [],
    );
  };
  const at = (section: string, key: string): WrittenName[] =>
    items(section).flatMap(({ path, item }) => named(item[key], [...path, key]));
  return {
    listeners: at("listeners", "name"),
    routes: at("routes", "name"),
    services: keys(raw["services"]),
    authenticators: keys(raw["authenticators"]),
    usedServices: at("routes", "service"),
    usedAuthenticators: [
      ...items("routes"),
      ...(isMapping(raw["admin"]) ? [{ path: ["admin"], item: raw["admin"] }] : []),
    ].flatMap(({ path, item }) => {
      const list = item["authenticate"];
      if (!Array.isArray(list)) return [];
      return list.flatMap((name, index) => named(name, [...path, "authenticate", index]));
    }),
  };
}

function routeKeys(value: unknown): ReadonlySet<string>[] {
  const routes = isMapping(value) ? value["routes"] : undefined;
  if (!Array.isArray(routes)) return [];
  return routes.map((route) => new Set(isMapping(route) ? Object.keys(route) : []));
}

function named(value: unknown, path: Path): WrittenName[] {
  return typeof value === "string" ? [{ name: value, path }] : [];
}
