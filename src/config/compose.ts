/**
 * The configuration of a proxy that follows a feed: its own file, and what came over the feed. Each
 * key belongs to one of the two, so neither can change what the other says.
 */
import { filePrefix } from "../identity/authenticator-options.ts";
import type { BundleContent } from "./bundle.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import { type UnpackedBundle, unpackedFile } from "./unpack-bundle.ts";
import { isMapping, valueAt } from "../wire/document/written.ts";

/** What comes over the feed. All other keys are the proxy's own. */
export const PUBLISHED_KEYS = [
  "services",
  "routes",
  "authenticators",
  "dpop",
  "limits",
  "policies",
] as const;

const PUBLISHED: ReadonlySet<string> = new Set(PUBLISHED_KEYS);

/** Under this key a composed document holds what policies may use beside its own parts. */
export const WORDS = "words";

/** Whether the document is that of a follower; whatever else may be wrong with it. */
export function followsFeed(value: unknown): boolean {
  if (!isMapping(value)) return false;
  const authority = value["authority"];
  return isMapping(authority) && Object.hasOwn(authority, "feed");
}

/** Keys of a follower's own file that have no place there. */
export function misplacedKeys(own: unknown): (PathProblem & { readonly remedy: string })[] {
  if (!isMapping(own)) return [];
  return Object.keys(own)
    .filter((key) => PUBLISHED.has(key))
    .map((key) => ({
      path: [key],
      message: `"${key}" comes over the feed and has no place beside authority.feed`,
      remedy: `no ${key} here; they are written at the authority`,
    }));
}

/** What is left of a follower's file without those. */
export function ownParts(own: unknown): unknown {
  if (!isMapping(own)) return own;
  return Object.fromEntries(Object.entries(own).filter(([key]) => !PUBLISHED.has(key)));
}

/** Both, as if written in one file, before anything is expanded; the bundle's public files in place. */
export function composed(own: unknown, { content, folder, file }: UnpackedBundle): unknown {
  const { services, routes, dpop, limits } = content;
  const parts = {
    services: structuredClone(services),
    routes,
    authenticators: structuredClone(neededAuthenticators(own, content)),
    ...(dpop && { dpop }),
    limits,
    // Their text is in the bundle; this says where they came from.
    policies: { enforce: [literal(file)] },
  };
  for (const { at, digest } of content.links) {
    const path = unpackedFile(folder, digest);
    put(parts, at, filePrefix(at) + literal(path));
  }
  return { ...(ownParts(own) as Record<string, unknown>), ...parts };
}

/**
 * Those that the routes name, and the proxy's own listeners and admin API. The others are not expanded here: what
 * they need, such as a client's secret, is needed where they are used.
 */
function neededAuthenticators(
  own: unknown,
  { authenticators, routes }: BundleContent,
): BundleContent["authenticators"] {
  const lists: readonly unknown[] = [
    valueAt(own, ["admin", "authenticate"]),
    valueAt(own, ["admin", "tls", "clients", "authenticators"]),
    ...listOf(valueAt(own, ["listeners"])).map((listener) =>
      valueAt(listener, ["tls", "clients", "authenticators"]),
    ),
    ...routes.map((route) => valueAt(route, ["authenticate"])),
  ];
  const names = new Set(lists.flat().filter((name) => typeof name === "string"));
  // A name that is an expression may become any of them.
  if ([...names].some((name) => name.includes("${"))) return authenticators;
  return Object.fromEntries(
    Object.entries(authenticators).filter(([name, one]) => names.has(name) || provesAnywhere(one)),
  );
}

/** What a certificate proves is told to policies on every route, whichever of them names it. */
function provesAnywhere(authenticator: unknown): boolean {
  return valueAt(authenticator, ["type"]) === "mtls";
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** Whether the value at the path came with the bundle. */
export function isPublished([section = ""]: Path): boolean {
  return section === WORDS || PUBLISHED.has(String(section));
}

/** A path is no expression. */
function literal(path: string): string {
  return path.replaceAll("${", "$${");
}

/** Puts a value where a bundle has one already; its links name nothing else. */
function put(parts: object, at: BundleContent["links"][number]["at"], value: string): void {
  const holder = valueAt(parts, at.slice(0, -1));
  const last = at.at(-1) ?? "";
  if (isMapping(holder) && Object.hasOwn(holder, last)) {
    (holder as Record<string, unknown>)[last] = value;
  }
}
