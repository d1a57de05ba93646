/** The authority beside the rest: where it may stand alone, and whether what it names is there. */
import { isKeeper, matchesName } from "../authority/authority-options.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import { suggest } from "../model/suggest.ts";
import { mappingAt, valueAt } from "../wire/document/written.ts";

/** `value`: the expanded document, of which a part that is not valid counts as written. */
export function checkAuthority(draft: Draft, value: unknown): PathProblem[] {
  return [...noListeners(value), ...unknownServices(draft)];
}

/** Whether this is an authority that publishes what others serve, and serves no callers itself. */
export function isPublisherOnly(value: unknown): boolean {
  const authority = mappingAt(value, ["authority"]);
  if (authority["serve"] === undefined || "feed" in authority) return false;
  const listeners = valueAt(value, ["listeners"]) ?? [];
  return Array.isArray(listeners) && listeners.length === 0;
}

/** Whether a value is of use only to who serves callers. */
export function isServed([section]: Path): boolean {
  return section === "services" || section === "routes";
}

/** A process that nobody can reach is one with a mistake in its file. */
function noListeners(value: unknown): PathProblem[] {
  const listeners = valueAt(value, ["listeners"]) ?? [];
  if (!Array.isArray(listeners) || listeners.length > 0) return [];
  if (valueAt(value, ["authority", "serve"]) !== undefined) return [];
  if (valueAt(value, ["egress"]) !== undefined) return [];
  const message = "there is no listener, so nobody could call";
  const remedy =
    "at least one listener, or authority.serve for an authority or a relay alone, or egress for a sidecar alone";
  return [{ path: ["listeners"], message, remedy }];
}

function unknownServices({ authority, names }: Draft): PathProblem[] {
  if (!isKeeper(authority)) return [];
  return (authority.proxies ?? []).flatMap(({ services = [] }, index) =>
    services.flatMap((name, at) => {
      if (names.services.has(name)) return [];
      const close = suggest(name, names.services);
      const known = [...names.services];
      const others = known.length === 0 ? "declare it first" : `one of ${known.join(", ")}`;
      return [
        {
          path: ["authority", "proxies", index, "services", at],
          message: `there is no service "${name}"`,
          remedy: close === undefined ? others : `did you mean "${close}"?`,
        },
      ];
    }),
  );
}

/** What is no mistake by itself and is hardly meant. */
export function checkAuthorityWarnings(draft: Draft): PathProblem[] {
  const { authority, listeners, names } = draft;
  if (!isKeeper(authority) || authority.proxies === undefined) return [];
  const { proxies } = authority;
  const problems: PathProblem[] = [];
  const reached = new Set(names.usedServices.map(({ name }) => name));
  for (const [index, { name, services }] of proxies.entries()) {
    const path = ["authority", "proxies", index];
    const earlier = proxies.slice(0, index).find((one) => covers(one.name, name));
    if (earlier !== undefined) {
      const message = `no proxy gets this: "${earlier.name}" above it matches all of "${name}"`;
      problems.push({ path, message, remedy: "the narrower name first" });
    }
    const known = services?.filter((service) => names.services.has(service));
    if (known?.some((service) => reached.has(service)) === false && known.length > 0) {
      const message = `proxies called "${name}" would serve nothing: no route leads to their services`;
      problems.push({ path, message, remedy: "a route, or another service" });
    }
  }
  // One that has listeners serves everything itself.
  if (listeners.length === 0 && proxies.every(({ services }) => services !== undefined)) {
    const given = new Set(proxies.flatMap(({ services = [] }) => services));
    for (const service of names.services) {
      if (given.has(service)) continue;
      const message = `no proxy gets the service "${service}"`;
      problems.push({
        path: ["services", service],
        message,
        remedy: "name it in authority.proxies",
      });
    }
  }
  return problems;
}

/** Whether every name that the second pattern matches is one of the first. Never says so wrongly. */
function covers(pattern: string, other: string): boolean {
  if (pattern === other) return true;
  // `*` of the other stands for anything, also for what no part of the pattern could be.
  return matchesName(pattern, other.replaceAll("*", "\u0000"));
}
