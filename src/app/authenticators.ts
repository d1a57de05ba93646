/**
 * The ways to know a caller as running instances, and the ones that a route names put together for the
 * gate. One line for each type.
 */
import type { AuthenticatorOptions } from "../config/schema.ts";
import { ANONYMOUS_NAME } from "../gate/route-options.ts";
import type { FurtherWays, GateRoute } from "../gate/snapshot.ts";
import type {
  Authenticator,
  CertificateAuthenticator,
  SessionAuthenticator,
  TokenAuthenticator,
} from "../identity/authenticator.ts";
import { createApiKeyAuthenticator } from "../identity/api-key.ts";
import { createBearerSet } from "../identity/bearer.ts";
import { createCertificateSet } from "../identity/certificate-set.ts";
import { createIntrospectionAuthenticator } from "../identity/introspection.ts";
import { createJwtAuthenticator } from "../identity/jwt.ts";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import { createKubernetesAuthenticator } from "../identity/kubernetes.ts";
import { createJwtSvidAuthenticator } from "../identity/jwt-svid.ts";
import { createMtlsAuthenticator } from "../identity/mtls.ts";
import { createSallyportAuthenticator } from "../identity/sallyport.ts";
import type { SessionKeys } from "../identity/session/session-keys.ts";
import { createSessionSet } from "../identity/session-set.ts";
import type { WorkloadSource } from "../identity/spiffe/workload-source.ts";
import type { RevocationTarget } from "../model/revocation.ts";
import type { CertificateVerifier } from "../model/verifiers.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";
import { createDocumentFetcher } from "../platform/document-fetcher.ts";
import { readFileBytes } from "../platform/files.ts";
import { createJsonClient } from "../platform/json-client.ts";
import { type CredentialFiles, createOwnCredentials } from "../platform/own-credentials.ts";
import { sendOutgoing } from "../platform/outgoing-http.ts";
import type { Instruments } from "./instruments.ts";

export type Authenticators = ReadonlyMap<string, Authenticator>;

/** Rejects with ConfigError where a file that one of them names cannot be used; then none stays open. */
export async function createAuthenticators(
  options: Readonly<Record<string, AuthenticatorOptions>>,
  instruments: Instruments,
  { sessionKeys = () => [], workload, vocabulary = [] }: AuthenticatorParts = {},
): Promise<Authenticators> {
  const made = new Map<string, Authenticator>();
  const deps = { ...depsOf(instruments, sessionKeys), workload, vocabulary };
  try {
    for (const [name, one] of Object.entries(options)) {
      made.set(name, await create(name, one, deps));
    }
  } catch (error) {
    // A reload that fails must not keep the key sets that it had opened.
    for (const authenticator of made.values()) authenticator.close();
    throw error;
  }
  return made;
}

/** What they are made of beside their options. */
export interface AuthenticatorParts {
  readonly sessionKeys?: SessionKeys;
  readonly workload?: WorkloadSource | undefined;
  /** What all of them declare, those of other proxies among them. */
  readonly vocabulary?: readonly VocabularyAuthenticator[];
}

type Options<T extends AuthenticatorOptions["type"]> = Extract<
  AuthenticatorOptions,
  { type: T }
> & {
  readonly name: string;
};

type Deps = ReturnType<typeof depsOf> & {
  readonly workload: WorkloadSource | undefined;
  readonly vocabulary: readonly VocabularyAuthenticator[];
};

type Created = Authenticator | Promise<Authenticator>;

const CREATE: {
  readonly [T in AuthenticatorOptions["type"]]: (options: Options<T>, deps: Deps) => Created;
} = {
  jwt: createJwtAuthenticator,
  // Its client of OpenID Connect is loaded where people log in.
  async oidc(options, deps) {
    const { createOidcAuthenticator } = await import("../identity/oidc.ts");
    return createOidcAuthenticator(options, deps);
  },
  introspection: createIntrospectionAuthenticator,
  "api-key": createApiKeyAuthenticator,
  kubernetes: createKubernetesAuthenticator,
  mtls: createMtlsAuthenticator,
  "jwt-svid": createJwtSvidAuthenticator,
  sallyport: createSallyportAuthenticator,
};

function depsOf(instruments: Instruments, sessionKeys: SessionKeys) {
  const { clock, timers, log, metrics, keySets, apiKeys, trustBundles, asked, shared } =
    instruments;
  const { publishedKeys } = instruments;
  const fetcher = createDocumentFetcher();
  const readFile = readFileBytes;
  const send = sendOutgoing;
  const own = (files: CredentialFiles) => createOwnCredentials(files, { clock, readFile });
  const jsonClient = (files: CredentialFiles) => createJsonClient(own(files));
  const documentFetcher = (files: CredentialFiles) => createDocumentFetcher(own(files));
  return {
    clock,
    timers,
    log,
    metrics,
    keySets,
    apiKeys,
    publishedKeys,
    trustBundles,
    asked,
    shared,
    fetcher,
    send,
    readFile,
    jsonClient,
    documentFetcher,
    sessionKeys,
    // Asked each time: the authority comes to be after the instruments.
    revoke: async (target: RevocationTarget, expiresMs: number) => {
      await instruments.ending.revoke?.(target, expiresMs);
    },
  };
}

function create(name: string, options: AuthenticatorOptions, deps: Deps): Created {
  const make = CREATE[options.type] as (options: object, deps: Deps) => Created;
  return make({ ...options, name }, deps);
}

/** What the gate asks about the credentials of one route. */
export type Ways = Pick<GateRoute, "bearer" | "further" | "unread" | "anonymous">;

/**
 * Puts together the ways of routes. Those that name the same authenticators share them, so that the last
 * credential of a connection serves them all.
 */
export function createWays(
  authenticators: Authenticators,
  { facts }: Pick<Instruments, "facts">,
): (names: readonly string[]) => Ways {
  const prefixes = prefixesOf(authenticators);
  const bearers = once((names) => {
    const ways = named(names, authenticators);
    const tokens = ways.filter((one) => one.proves === "token");
    return tokens.length === 0 ? undefined : createBearerSet(tokens, facts, prefixes);
  });
  const further = once((names) => furtherWays(named(names, authenticators), names));
  const all = [...ownFields(tokensOf([...authenticators.values()])).keys()];
  const unread = once((names) => {
    const own = ownFields(tokensOf(named(names, authenticators)));
    const others = all.filter((name) => !own.has(name));
    return others.length === 0 ? undefined : others;
  });
  return (names) => {
    const ways = names.filter((name) => name !== ANONYMOUS_NAME);
    return {
      bearer: bearers(ways),
      further: further(ways),
      unread: unread(ways),
      anonymous: names.includes(ANONYMOUS_NAME),
    };
  };

  function furtherWays(
    ways: readonly Authenticator[],
    names: readonly string[],
  ): FurtherWays | undefined {
    const certificates = ways.filter((one) => one.proves === "certificate");
    const sessions = ways.filter((one) => one.proves === "session");
    const fields = ownFields(tokensOf(ways));
    if (certificates.length + sessions.length + fields.size === 0) return undefined;
    return {
      certificate: certificateOf(certificates),
      session: sessionOf(sessions),
      fields: [...fields].map(([name, tokens]) => ({
        name,
        bearer: createBearerSet(tokens, facts, prefixes),
      })),
      order: new Map(names.map((name, index) => [name, index])),
    };
  }
}

/** Who can log in: those of a browser session, by name, and of each list of names in its order. */
export function loginsOf(authenticators: Authenticators): {
  readonly byName: ReadonlyMap<string, LoginAuthenticator>;
  readonly named: (names: readonly string[]) => readonly LoginAuthenticator[];
} {
  const byName = new Map<string, LoginAuthenticator>();
  for (const [name, one] of authenticators) {
    if (one.proves === "session") byName.set(name, one.login);
  }
  return { byName, named: once((names) => names.flatMap((name) => byName.get(name) ?? [])) };
}

/** Of all there are: what a connection proves on any route. Undefined where nobody asks for certificates. */
export function certificatesOf(authenticators: Authenticators): CertificateVerifier | undefined {
  return certificateOf([...authenticators.values()].filter((one) => one.proves === "certificate"));
}

/** From now on listeners verify callers by these. */
export function publishAuthorities(
  authenticators: Authenticators,
  { trust }: Pick<Instruments, "trust">,
): void {
  const sources = [...authenticators].flatMap(([name, one]) =>
    one.proves === "certificate" && one.authorities !== undefined
      ? [[name, one.authorities] as const]
      : [],
  );
  trust.publish(new Map(sources));
}

function certificateOf(ways: readonly CertificateAuthenticator[]): CertificateVerifier | undefined {
  return ways.length === 0 ? undefined : createCertificateSet(ways);
}

function sessionOf(ways: readonly SessionAuthenticator[]): FurtherWays["session"] {
  return ways.length === 0 ? undefined : createSessionSet(ways);
}

function tokensOf(ways: readonly Authenticator[]): readonly TokenAuthenticator[] {
  return ways.filter((one) => one.proves === "token");
}

function ownFields(ways: readonly TokenAuthenticator[]): Map<string, TokenAuthenticator[]> {
  const fields = new Map<string, TokenAuthenticator[]>();
  for (const one of ways) {
    if (one.field === undefined) continue;
    const others = fields.get(one.field);
    if (others === undefined) fields.set(one.field, [one]);
    else others.push(one);
  }
  return fields;
}

function named(names: readonly string[], authenticators: Authenticators): readonly Authenticator[] {
  const ways = names.flatMap((name) => authenticators.get(name) ?? []);
  if (ways.length !== names.length) throw new TypeError("an authenticator that is not there");
  return ways;
}

/** Of the API keys of any route. */
function prefixesOf(authenticators: Authenticators): readonly string[] {
  return [...authenticators.values()].flatMap((one) =>
    one.proves === "token" && one.takes.by === "prefix" ? [one.takes.prefix] : [],
  );
}

/** Makes one value for each list of names: there may be ten thousand routes and few such lists. */
export function once<T>(make: (names: readonly string[]) => T): (names: readonly string[]) => T {
  const made = new Map<string, T>();
  return (names) => {
    const key = names.join(" ");
    const known = made.get(key);
    if (known !== undefined || made.has(key)) return known as T;
    const value = make(names);
    made.set(key, value);
    return value;
  };
}
