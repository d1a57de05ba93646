/**
 * Makes the bundles of a valid configuration, one for each group of proxies that is to get something
 * else: the services that they serve, the routes to those, and the shared rates that these routes
 * name. Routes that only redirect lead to no service, so every proxy gets them.
 * Policies travel whole, with the words that they may use, and so do the authenticators, of which a proxy
 * takes those that it needs.
 *
 * Refuses what would publish a secret: a private key in a file that is to be public.
 */
import { resolve } from "node:path";
import { isKeeper, matchesName, type ProxyOptions } from "../authority/authority-options.ts";
import { ANONYMOUS_NAME, type RouteOptions } from "../gate/route-options.ts";
import { SallyportError } from "../model/errors.ts";
import { readFileBytes } from "../platform/files.ts";
import type { PolicyFile } from "../policy/policy-source.ts";
import {
  type Bundle,
  BUNDLE_LIMITS,
  type BundleContent,
  type BundleLink,
  digestOf,
  encodeBundle,
} from "./bundle.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { publishedOwnIssuer } from "./own-issuer.ts";
import { publishedClientRoles } from "./client-words.ts";
import { publicFiles } from "./public-files.ts";
import type { Descriptions } from "./descriptions.ts";
import type { Config } from "./schema.ts";
import { NO_WORDS } from "./vocabulary.ts";
import { type Chosen, wordsBeside } from "./words.ts";
import { isMapping, mappingAt, valueAt } from "../wire/document/written.ts";

const LIMITS = {
  /** Bytes of all bundles together: they are held in memory, and stored in one commit. */
  bytes: 64 * 1024 * 1024,
} as const;

/** What a group of proxies is to run. */
export interface PublishedBundle {
  /** Pattern of their names. */
  readonly name: string;
  readonly services: "all" | readonly string[];
  readonly bundle: Bundle;
}

export interface PublishSource {
  /** The document before anything was expanded in it. */
  readonly written: unknown;
  /** What became of it; its paths as they are written. */
  readonly config: Config;
  readonly policyFiles: readonly PolicyFile[];
  readonly shadowFiles: readonly PolicyFile[] | undefined;
  readonly descriptions: Descriptions;
  readonly folder: string;
}

/**
 * In the order of `authority.proxies`, and behind them a bundle of nothing for every other proxy; none
 * where this process publishes nothing.
 */
export function publish(source: PublishSource): {
  readonly published: readonly PublishedBundle[];
  readonly problems: readonly PathProblem[];
} {
  const { authority } = source.config;
  if (!isKeeper(authority) || authority.serve === undefined) return { published: [], problems: [] };
  const { files, problems } = readPublicFiles(source);
  if (problems.length > 0) return { published: [], problems };
  const groups: readonly ProxyOptions[] = authority.proxies ?? [{ name: "*" }];
  const made = new Map<string, Bundle>();
  const published: PublishedBundle[] = [];
  let total = 0;
  for (const [index, { name, services = "all" }] of groups.entries()) {
    const key = services === "all" ? "*" : services.toSorted().join(" ");
    try {
      let bundle = made.get(key);
      if (bundle === undefined) {
        bundle = createBundle(source, { services, files });
        made.set(key, bundle);
        total += bundle.bytes.length;
      }
      if (total > LIMITS.bytes) {
        const message = `all bundles have more than ${LIMITS.bytes} bytes`;
        throw new SallyportError("config-invalid", message);
      }
      published.push({ name, services, bundle });
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      const path =
        authority.proxies === undefined ? ["authority", "serve"] : ["authority", "proxies", index];
      const remedy = "less in one configuration, or fewer groups of proxies";
      return { published: [], problems: [{ path, message: error.message, remedy }] };
    }
  }
  if (!groups.some(({ name }) => name === "*")) {
    published.push({ name: "*", services: [], bundle: emptyBundle(source, files) });
  }
  return { published, problems: [] };
}

/** What a proxy of this name is to run; undefined where nothing is published. */
export function bundleFor(
  published: readonly PublishedBundle[],
  name: string,
): PublishedBundle | undefined {
  return published.find((one) => matchesName(one.name, name));
}

/**
 * For a proxy that no group names, or none any more: it serves nothing, and every request is denied. It
 * is told so, because otherwise it would go on with what it had.
 */
function emptyBundle(source: PublishSource, files: readonly FileAt[]): Bundle {
  return encodeBundle({
    format: 1,
    services: {},
    routes: [],
    authenticators: publishedAuthenticators(source),
    limits: {},
    policies: [{ name: "nothing.cedar", text: NOTHING }],
    words: NO_WORDS,
    ...carried(files.filter(({ at: [section] }) => section === "authenticators")),
  });
}

/** As they are written, with what policies have to know of clients, and the issuer of our own keys. */
function publishedAuthenticators({ written, config }: PublishSource): Record<string, unknown> {
  const given = publishedOwnIssuer(mappingAt(written, ["authenticators"]), config);
  return { ...publishedClientRoles(given, config) };
}

/** A set without any policy would be refused. */
const NOTHING = '@id("nothing-is-published")\nforbid (principal, action, resource);\n';

interface FileAt {
  readonly at: readonly string[];
  readonly digest: string;
  readonly bytes: Buffer;
}

/** The bundle for proxies that serve these services. Throws SallyportError `config-invalid`. */
function createBundle(
  source: PublishSource,
  selection: {
    readonly services: "all" | readonly string[];
    readonly files: readonly FileAt[];
  },
): Bundle {
  const { written, config, policyFiles, shadowFiles } = source;
  const chosen = choose(config, selection.services);
  const files = selection.files.filter(
    ({ at: [section = "", name = ""] }) => section !== "services" || chosen.services.has(name),
  );
  const routes = valueAt(written, ["routes"]) as readonly unknown[];
  const content: BundleContent = {
    format: 1,
    services: withoutAcceptances(pick(written, "services", (name) => chosen.services.has(name))),
    routes: routes.filter((_, index) => chosen.routes.has(index)).map(withoutAcceptance),
    // All, since a proxy's own admin API may name one that no route does; it takes what it needs.
    authenticators: publishedAuthenticators(source),
    ...writtenDpop(written),
    limits: chosenLimits(written, chosen.rates),
    policies: policyFiles.map(({ name, text }) => ({ name, text })),
    ...(shadowFiles && { shadow: shadowFiles.map(({ name, text }) => ({ name, text })) }),
    // What only the candidate speaks of has to be known as well.
    words: wordsBeside(
      { ...source, policyFiles: [...policyFiles, ...(shadowFiles ?? [])] },
      chosen,
    ),
    ...carried(files),
  };
  return encodeBundle(content);
}

/** Findings are looked at where they can be mended. Proxies of an earlier version know no such key. */
function withoutAcceptance(part: unknown): unknown {
  if (!isMapping(part)) return part;
  const { accept: _, ...rest } = part;
  return rest;
}

function withoutAcceptances(parts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => [name, withoutAcceptance(part)]),
  );
}

/** Left out where nothing is written, so that proxies of an earlier version can read the bundle. */
function writtenDpop(written: unknown): Pick<BundleContent, "dpop"> {
  return valueAt(written, ["dpop"]) === undefined ? {} : { dpop: mappingAt(written, ["dpop"]) };
}

function carried(files: readonly FileAt[]): Pick<BundleContent, "links" | "files"> {
  return {
    links: files.map(({ at, digest }): BundleLink => ({ at, digest })),
    files: Object.fromEntries(files.map(({ digest, bytes }) => [digest, bytes.toString("base64")])),
  };
}

interface Selection extends Chosen {
  /** Shared rates that routes name. */
  readonly rates: ReadonlySet<string>;
}

/** By what the names have become: a reference may be an expression. */
function choose(config: Config, services: "all" | readonly string[]): Selection {
  const all = services === "all";
  const rates = Object.keys(config.limits.rates);
  if (all) {
    return {
      services: new Set(Object.keys(config.services)),
      routes: new Set(config.routes.keys()),
      authenticators: new Set(Object.keys(config.authenticators)),
      rates: new Set(rates),
    };
  }
  const wanted = new Set(services);
  const kept = [...config.routes.entries()].filter(
    ([, { service }]) => service === undefined || wanted.has(service),
  );
  const routes = kept.map(([, route]) => route);
  return {
    services: wanted,
    routes: new Set(kept.map(([index]) => index)),
    authenticators: new Set(routes.flatMap(({ authenticate }) => authenticate).filter(isNamed)),
    rates: new Set(routes.flatMap(sharedRates)),
  };
}

function isNamed(name: string): boolean {
  return name !== ANONYMOUS_NAME;
}

function sharedRates({ limit }: RouteOptions): string[] {
  return (limit ?? []).filter((rate) => typeof rate === "string");
}

function chosenLimits(
  written: unknown,
  rates: ReadonlySet<string>,
): Readonly<Record<string, unknown>> {
  const limits = mappingAt(written, ["limits"]);
  if (!("rates" in limits)) return limits;
  return { ...limits, rates: pick(limits, "rates", (name) => rates.has(name)) };
}

function pick(
  written: unknown,
  section: string,
  wanted: (name: string) => boolean,
): Record<string, unknown> {
  const all = Object.entries(mappingAt(written, [section]));
  return Object.fromEntries(all.filter(([name]) => wanted(name)));
}

function readPublicFiles({ config, folder }: PublishSource): {
  readonly files: readonly FileAt[];
  readonly problems: readonly PathProblem[];
} {
  const problems: PathProblem[] = [];
  const files: FileAt[] = [];
  for (const { at, file } of publicFiles(config)) {
    const read = readPublic(resolve(folder, file));
    if ("fault" in read) {
      const message = `"${file}" cannot be published: ${read.fault}`;
      problems.push({ path: at, message, remedy: "a file with nothing secret in it" });
    } else files.push({ at, digest: digestOf(read.bytes), bytes: read.bytes });
  }
  return { files, problems };
}

function readPublic(path: string): { readonly bytes: Buffer } | { readonly fault: string } {
  let bytes: Buffer;
  try {
    bytes = readFileBytes(path);
  } catch (error) {
    return { fault: (error as NodeJS.ErrnoException).code ?? "unreadable" };
  }
  if (bytes.length > BUNDLE_LIMITS.file)
    return { fault: `larger than ${BUNDLE_LIMITS.file} bytes` };
  // Certificates and keys in one file are usual, and TLS takes such a file as authorities.
  if (bytes.includes("PRIVATE KEY-----")) return { fault: "it holds a private key" };
  return { bytes };
}
