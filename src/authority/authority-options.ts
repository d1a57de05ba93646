/**
 * Options of the authority, in the two shapes that a process can have: it keeps the state itself, or
 * it follows the feed of those who do. `feed` tells which. A process that does neither has no
 * `authority` in its configuration, and nothing that it could revoke.
 */
import { z } from "zod";
import { addressSchema, duration, nameSchema } from "../model/options.ts";
import { SIGNING_ALGORITHMS } from "../model/signing.ts";
import { clientsSchema } from "./client-options.ts";
import { tokenOptionsSchema } from "./token/token-options.ts";

const LIMITS = {
  /** Characters of paths, addresses and names of variables; no real one comes near. */
  chars: 4096,
  /** Words of a command that prints a key. */
  words: 64,
  /** Key-encryption keys that are on their way out; each is tried on what it sealed, and rarely is. */
  previous: 8,
  /** Addresses of one feed; a follower tries them in turn. */
  feeds: 16,
  /** Names in the certificate of one server. */
  names: 32,
  /** Groups of proxies: their bundles are put in force, and those before them removed, by one commit of 1 000 writes. */
  proxies: 400,
} as const;

const pathSchema = z.string().min(1, "a path").max(LIMITS.chars);

const keyFile = {
  file: pathSchema.describe(
    "File that holds the key. One that group or others can read is refused.",
  ),
};
const keyEnv = {
  env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,254}$/, "the name of an environment variable")
    .describe("Environment variable that holds the key."),
};
const keyCommand = {
  command: z
    .array(z.string().max(LIMITS.chars), "a list: the program, then its arguments")
    .min(1, "a list: the program, then its arguments")
    .max(LIMITS.words, `at most ${LIMITS.words} words`)
    .readonly()
    .describe(
      "Program and its arguments, run without a shell at start; it prints the key. This is the way to a KMS or an HSM.",
    ),
};

const SOURCES = "{ file: … }, { env: … } or { command: [ … ] }";

/** Where a key-encryption key comes from: 32 bytes in base64url. */
export const keySourceSchema = z.union(
  [z.strictObject(keyFile), z.strictObject(keyEnv), z.strictObject(keyCommand)],
  SOURCES,
);

const previous = {
  previous: z
    .array(keySourceSchema, `a list of ${SOURCES}`)
    .max(LIMITS.previous, `at most ${LIMITS.previous}`)
    .readonly()
    .default([])
    .describe(
      "Up to 8 earlier keys, which open what they sealed and seal nothing more. One that is taken away too early makes what it sealed unreadable, and the process does not start.",
    ),
};

const keyEncryptionKeySchema = z
  .union(
    [
      z.strictObject({ ...keyFile, ...previous }),
      z.strictObject({ ...keyEnv, ...previous }),
      z.strictObject({ ...keyCommand, ...previous }),
    ],
    SOURCES,
  )
  .describe(
    "The key that everything secret in the store is sealed under (AES-256-GCM): 32 random bytes in base64url, from a file, an environment variable or a command. Whoever has it and the store can sign in our name; without it the store cannot be used.",
  );

/** A DNS name or an IP address, as a certificate carries it. */
const serverNameSchema = z
  .string()
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*|[0-9a-f:]+(?:\.[0-9.]+)?)$/,
    "a DNS name in lower case, or an IP address",
  )
  .max(253);

const serveSchema = z
  .strictObject({
    address: addressSchema.describe(
      "Where it listens, host:port, with TLS under a certificate of the authority's own small CA.",
    ),
    names: z
      .array(serverNameSchema, "a list of DNS names or IP addresses")
      .min(1, "at least one name")
      .max(LIMITS.names, `at most ${LIMITS.names}`)
      .readonly()
      .describe(
        "1 to 32 DNS names or IP addresses that its certificate is for. A follower that reaches it by another name refuses it.",
      ),
  })
  .readonly();

const maxStalenessSchema = duration({ min: "1s", max: "1h" })
  .prefault("10s")
  .describe(
    "How long requests are still decided on what was last heard from the authority, from 1s to 1h, 10s when left out. Beyond it every request is denied (503 `feed-stale`): a revocation could have been missed. A longer one outlasts longer outages, and is how long a revocation may go unseen in one.",
  );

const proxySchema = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^(?=[a-z*])[a-z0-9*.-]{1,63}$/,
        'a name of lower-case letters, digits, "-" and ".", in which * stands for any part',
      )
      .describe("Name that proxies are enrolled under; `*` in it stands for any part of one."),
    services: z
      .array(nameSchema, "a list of services")
      .min(1, "at least one service; no such entry for none")
      .readonly()
      .optional()
      .describe(
        "The services that they serve. They get those, the routes to them, and the shared rates that those routes name. All when left out.",
      ),
  })
  .readonly();

/** This process keeps the state. */
const keeperSchema = z
  .strictObject({
    issuer: z
      .string()
      .max(LIMITS.chars)
      .refine(isIssuer, "an https: URL without '?' and '#'; http: only on loopback")
      .describe(
        "URL that the keys we issue name as their issuer (`iss`), compared exactly by who verifies them. Changing it makes every key that was issued before unknown.",
      ),
    store: z
      .string()
      .max(LIMITS.chars)
      .regex(
        /^(?:sqlite:[^?#]|postgres(?:ql)?:\/\/[^/])/,
        "sqlite:PATH or postgres://user@host:port/database",
      )
      .describe(
        "Where the state is: `sqlite:PATH`, one file (mode 0600) on a local disk, for one authority; or `postgres://user@host:port/database` for several. A password comes by `${env:NAME}` or `${file:path}`.",
      ),
    keyEncryptionKey: keyEncryptionKeySchema,
    algorithm: z
      .enum(SIGNING_ALGORITHMS)
      .default("EdDSA")
      .describe(
        "What new signing keys are: `EdDSA` (Ed25519), or `ES256` for verifiers that do not know it. EdDSA when left out. Keys that are there already stay until they are rotated.",
      ),
    lifetime: duration({ min: "1s", max: "24h" })
      .prefault("5m")
      .describe(
        "Longest life of what we sign, from 1s to 24h, 5m when left out. A key that signs no more is published for so long (and the tolerated clock skew), so that what it signed can be verified to its end.",
      ),
    // As KEY_LIMITS of keys/key-policy.ts: a key is published an hour and a quarter before it signs.
    rotate: duration({ min: "3h", max: "365d" })
      .prefault("24h")
      .describe(
        "How long a signing key signs before the next one takes its place, from 3h to 365d and at least `lifetime`, 24h when left out. The next one is published ahead of that.",
      ),
    maxStaleness: maxStalenessSchema,
    tokens: tokenOptionsSchema
      .optional()
      .describe(
        "The token endpoint, on listeners with `serve: [token]`: keys for services, by OAuth 2.0. No keys are issued when left out.",
      ),
    serve: serveSchema
      .optional()
      .describe(
        "Where proxies follow the feed and machines enrol. Nobody can when left out: then this process is authority and proxy for itself alone.",
      ),
    proxies: z
      .array(proxySchema, "a list of { name, services }")
      .max(LIMITS.proxies, `at most ${LIMITS.proxies}`)
      .readonly()
      .optional()
      .describe(
        "1 to 400 entries: which services a proxy gets, by its name. The first entry that matches counts, and one that none matches serves nothing. Every proxy gets all when left out.",
      ),
    clients: clientsSchema
      .optional()
      .describe(
        'Clients of the token endpoint that have no identity of another authenticator, by `client_id`: how each proves who it is, and what it is to policies, as `Workload::"<authenticator of type sallyport>/<client id>"`. Up to 1000; others are registered with `sallyport clients create`.',
      ),
  })
  .refine(({ lifetime, rotate }) => lifetime <= rotate, {
    message: "at least lifetime: otherwise keys pile up that are published and sign nothing",
    path: ["rotate"],
  })
  .refine(({ lifetime, tokens }) => (tokens?.lifetime ?? 0) <= lifetime, {
    message: "at most authority.lifetime: a key would outlive what verifies it",
    path: ["tokens", "lifetime"],
  })
  .readonly();

/** This process follows those who keep it. */
const followerSchema = z
  .strictObject({
    feed: z
      .array(
        z
          .string()
          .max(LIMITS.chars)
          .refine(isOrigin, "an https: origin, such as https://authority.internal:9443"),
        "a list of https: origins",
      )
      .min(1, "at least one")
      .max(LIMITS.feeds, `at most ${LIMITS.feeds}`)
      .readonly()
      .describe(
        "1 to 16 origins of authorities or relays, such as `https://authority.internal:9443`. One at a time is followed; another where it fails. Services, routes, authenticators, limits and policies then come from there, and have no place in this file.",
      ),
    identity: pathSchema.describe(
      "Folder (mode 0700) of what `sallyport enrol` made: the key that never leaves it, its certificate, whom it trusts; and of the last good state, to start from while no authority is there.",
    ),
    maxStaleness: maxStalenessSchema,
    serve: serveSchema
      .optional()
      .describe(
        "Where others follow this one: a relay passes on what it has verified. Its certificate is for the name that it is enrolled under, so `names` is that one name.",
      ),
  })
  .readonly();

/** `authority`. Where both shapes could be meant, the key `feed` decides: it comes first. */
export const authoritySchema = z
  .union(
    [followerSchema, keeperSchema],
    "issuer, store and keyEncryptionKey, or feed and identity to follow another one's",
  )
  .describe(
    "State, signing keys and revocations: kept here, or followed over the feed of another process (with `feed`). Without it there are none, and nothing can be revoked before it expires.",
  );

export type KeySource = z.output<typeof keySourceSchema>;
/** Of a process that keeps the state. */
export type KeeperOptions = z.output<typeof keeperSchema>;
/** What of it a process that issues keys has to know: nothing of the store. */
export type IssuingOptions = Pick<KeeperOptions, "tokens" | "lifetime" | "clients">;
/** Of a proxy or relay that follows the feed. */
export type FollowerOptions = z.output<typeof followerSchema>;
export type AuthorityOptions = KeeperOptions | FollowerOptions;
/** Where the feed is served. */
export type ServeOptions = z.output<typeof serveSchema>;
/** One entry of `proxies`. */
export type ProxyOptions = z.output<typeof proxySchema>;

export function isFollower(options: AuthorityOptions | undefined): options is FollowerOptions {
  return options !== undefined && "feed" in options;
}

export function isKeeper(options: AuthorityOptions | undefined): options is KeeperOptions {
  return options !== undefined && !("feed" in options);
}

/** Undefined where no keys can be issued. */
export function issuingOptions(options: AuthorityOptions | undefined): IssuingOptions | undefined {
  if (!isKeeper(options)) return undefined;
  const { tokens, lifetime, clients } = options;
  return { tokens, lifetime, clients };
}

/**
 * What a proxy of this name gets: `undefined` nothing, `all`, or the services of the first entry that
 * matches.
 */
export function servicesOf(
  proxies: readonly ProxyOptions[] | undefined,
  name: string,
): "all" | readonly string[] | undefined {
  if (proxies === undefined) return "all";
  const found = proxies.find((one) => matchesName(one.name, name));
  return found === undefined ? undefined : (found.services ?? "all");
}

/** Whether `*` in the pattern can be put so that it is the name. Linear in both: never backtracks twice. */
export function matchesName(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return name === pattern;
  const last = rest.pop() ?? "";
  if (!name.startsWith(first) || name.length < first.length + last.length) return false;
  if (!name.endsWith(last)) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, at);
    if (found === -1 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

/** RFC 8414 section 2; loopback is for those who try it. */
function isIssuer(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== "" || url.password !== "") return false;
  if (/[?#]/.test(text)) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname);
}

function isOrigin(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== "https:" || url.pathname !== "/") return false;
  return url.username === "" && url.password === "" && !/[?#]/.test(text);
}
