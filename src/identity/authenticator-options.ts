/**
 * All ways to know a caller as the configuration names them, and what the checks of a configuration have
 * to know of each: its words in policies, which tokens are its own, and whether those are meant for
 * somebody. A new way adds its schema to the union; the compiler then lists the switches.
 */
import { z } from "zod";
import type { AuthenticatorGrants, VocabularyAuthenticator } from "../model/vocabulary.ts";
import { apiKeyOptionsSchema, apiKeyWords } from "./api-key-options.ts";
import type { Takes } from "./authenticator.ts";
import { introspectionOptionsSchema, mapIntrospectionFiles } from "./introspection-options.ts";
import { jwtOptionsSchema } from "./jwt-options.ts";
import { jwtSvidOptionsSchema } from "./jwt-svid-options.ts";
import { mapMtlsFiles, mtlsOptionsSchema, mtlsWords } from "./mtls-options.ts";
import { mapOidcFiles, oidcOptionsSchema } from "./oidc-options.ts";
import {
  KUBERNETES_WORDS,
  kubernetesOptionsSchema,
  mapKubernetesFiles,
} from "./kubernetes-options.ts";
import { clientWords } from "./claims/client-principal.ts";
import { claimWords, type PrincipalOptions } from "./claims/principal-options.ts";
import type { Grant } from "./claims/static-principal-options.ts";
import { sallyportOptionsSchema } from "./sallyport-options.ts";
import { bundleFile, mapBundleFiles, type TrustBundleOptions } from "./spiffe/trust-options.ts";
import { WORKLOAD_API } from "./spiffe/workload-api-options.ts";

/** One way to know a caller; `type` tells which. */
export const authenticatorSchema = z.discriminatedUnion("type", [
  jwtOptionsSchema,
  oidcOptionsSchema,
  introspectionOptionsSchema,
  apiKeyOptionsSchema,
  kubernetesOptionsSchema,
  mtlsOptionsSchema,
  jwtSvidOptionsSchema,
  sallyportOptionsSchema,
]);

export type AuthenticatorOptions = z.output<typeof authenticatorSchema>;

/** What the checks of a configuration ask about one type of authenticator. */
interface Description<Options> {
  /** What it adds to the words of policies. */
  readonly words: (options: Options) => Omit<VocabularyAuthenticator, "name">;
  /** What its callers can have in policies, and what they cannot. */
  readonly grants: (options: Options) => AuthenticatorGrants;
  /** Which tokens are its own; undefined for what is known by no token. */
  readonly tokens: (options: Options) => Takes | undefined;
  /**
   * Its own audience: undefined where it takes tokens that are meant for somebody and names nobody, so
   * each of its routes must; `none` for what is meant for whoever verifies it.
   */
  readonly audience: (options: Options) => readonly string[] | undefined | "none";
  /** Public files that it names, and what stands there: they travel to proxies. */
  readonly files: (options: Options) => readonly NamedFile[];
  /** The same options with each path of a file, public or secret, as `change` makes it. */
  readonly mapFiles: (options: Options, change: (file: string) => string) => Options;
  /** All others: they are read at each proxy, by the path as written. Left out: it names none. */
  readonly ownFiles?: (options: Options) => readonly OwnFile[];
  /**
   * Where it knows callers by their certificates: the trust domain, or undefined for plain ones. Of one
   * trust domain there is one on a route.
   */
  readonly certificates?: (options: Options) => { readonly trustDomain: string | undefined };
}

export interface NamedFile {
  readonly at: readonly string[];
  readonly value: string;
  /** A SPIFFE bundle, or authorities in PEM; for JWT-SVIDs a bundle only. Other files are known by their place. */
  readonly holds?: "bundle" | "jwt-bundle";
}

export interface OwnFile extends Omit<NamedFile, "holds"> {
  /** A private key, or that of an `oidc` client: nobody else should be able to read it. A token. Undefined: certificates. */
  readonly holds: "private-key" | "client-key" | "token" | undefined;
}

const DESCRIPTIONS: {
  readonly [T in AuthenticatorOptions["type"]]: Description<
    Extract<AuthenticatorOptions, { type: T }>
  >;
} = {
  jwt: {
    words: ({ principal }) => claimWords(principal),
    grants: claimGrants,
    tokens: ({ issuer }) => ({ by: "issuer", issuer }),
    audience: ({ audience }) => audience,
    files: ({ jwks }) => (jwks === undefined ? [] : [{ at: ["jwks"], value: jwks }]),
    mapFiles: (options, change) =>
      options.jwks?.startsWith("file:") === true
        ? { ...options, jwks: `file:${change(options.jwks.slice("file:".length))}` }
        : options,
  },
  oidc: {
    words: ({ principal }) => claimWords(principal),
    grants: claimGrants,
    tokens: () => undefined,
    audience: () => "none",
    files: () => [],
    // Keys of sessions may come from elsewhere, and are looked at where that is known.
    ownFiles: ({ client: { privateKey } }) =>
      named({ privateKey }, ["client"]).map(({ at, value }) => ({
        at,
        value,
        holds: "client-key" as const,
      })),
    mapFiles: mapOidcFiles,
  },
  introspection: {
    words: ({ principal }) => claimWords(principal),
    grants: claimGrants,
    tokens: ({ issuer }) => ({ by: "rest", issuer }),
    audience: ({ audience, insecureAnyAudience }) =>
      audience ?? (insecureAnyAudience ? "none" : undefined),
    files: ({ ca }) => named({ ca }),
    ownFiles: ({ client: { certificate, key, privateKey } }) =>
      own({ certificate, key, privateKey }, ["client"]),
    mapFiles: mapIntrospectionFiles,
  },
  "api-key": {
    words: apiKeyWords,
    grants: () => ({ scopedRoles: true, groups: true, subjectPrefix: undefined }),
    tokens: ({ prefix }) => ({ by: "prefix", prefix }),
    audience: () => "none",
    files: () => [],
    mapFiles: (options) => options,
  },
  kubernetes: {
    words: () => KUBERNETES_WORDS,
    grants: () => ({ scopedRoles: false, groups: true, subjectPrefix: "system:serviceaccount:" }),
    tokens: ({ issuer }) => ({ by: "issuer", issuer }),
    audience: ({ audience }) => audience,
    // The kubelet puts them into each pod, our own token among them: none travels.
    files: () => [],
    ownFiles: ({ ca, tokenFile }) => own({ ca, tokenFile }),
    mapFiles: mapKubernetesFiles,
  },
  mtls: {
    words: mtlsWords,
    grants: certificateGrants,
    tokens: () => undefined,
    audience: () => "none",
    files: ({ bundle, ca }) => [...bundleFiles(bundle), ...bundlesAt({ ca })],
    mapFiles: mapMtlsFiles,
    certificates: ({ trustDomain }) => ({ trustDomain }),
  },
  "jwt-svid": {
    words: mtlsWords,
    grants: certificateGrants,
    tokens: ({ trustDomain }) => ({ by: "trust-domain", trustDomain }),
    audience: ({ audience }) => audience,
    files: ({ bundle }) =>
      bundleFiles(bundle).map((file) =>
        typeof bundle === "string" ? { ...file, holds: "jwt-bundle" as const } : file,
      ),
    mapFiles: (options, change) => ({ ...options, bundle: mapBundleFiles(options.bundle, change) }),
  },
  sallyport: {
    words: ({ principal }) => ({ ...clientWords(principal), issued: true }),
    grants: () => ({ scopedRoles: true, groups: true, subjectPrefix: undefined }),
    // Where it is left out, it is filled in before anybody asks.
    tokens: ({ issuer }) => (issuer === undefined ? undefined : { by: "issuer", issuer }),
    audience: () => "none",
    files: () => [],
    mapFiles: (options) => options,
  },
};

function bundleFiles(bundle: TrustBundleOptions | undefined): readonly NamedFile[] {
  if (bundle === undefined || bundle === WORKLOAD_API) return [];
  if (typeof bundle === "string") return bundlesAt({ bundle });
  const { ca, endpointBundle } = bundle;
  return bundlesAt({ ca, endpointBundle }, ["bundle"]);
}

/** SPIFFE bundles, or authorities in PEM. */
function bundlesAt(...where: Parameters<typeof named>): readonly NamedFile[] {
  return named(...where).map(({ at, value }) => ({
    at,
    value: bundleFile(value),
    holds: "bundle" as const,
  }));
}

/** Those of the files that are named, under their keys. */
function named(
  files: Readonly<Record<string, string | undefined>>,
  within: readonly string[] = [],
): NamedFile[] {
  return Object.entries(files).flatMap(([name, value]) =>
    value === undefined ? [] : [{ at: [...within, name], value }],
  );
}

function own(
  files: Readonly<Record<string, string | undefined>>,
  within: readonly string[] = [],
): OwnFile[] {
  return named(files, within).map((file) => ({ ...file, holds: HOLDS[file.at.at(-1) ?? ""] }));
}

/** Tokens of service accounts are open to all of their pod, and lie in a memory file system. */
const HOLDS: Readonly<Record<string, OwnFile["holds"]>> = {
  key: "private-key",
  privateKey: "private-key",
  tokenFile: "token",
};

/** Roles and groups of claims come as providers send them. */
function claimGrants({ principal }: { readonly principal: PrincipalOptions }): AuthenticatorGrants {
  const { roles, groups } = principal;
  return {
    scopedRoles: roles !== undefined,
    groups: groups !== undefined,
    subjectPrefix: undefined,
  };
}

/** Those of names stand in the configuration, and roles are bare. */
function certificateGrants({
  match = [],
  trustDomain,
}: {
  readonly match?: readonly Grant[] | undefined;
  readonly trustDomain?: string | undefined;
}): AuthenticatorGrants {
  return {
    scopedRoles: false,
    groups: match.flatMap(({ groups }) => groups),
    subjectPrefix: trustDomain === undefined ? undefined : `spiffe://${trustDomain}/`,
  };
}

/** What its callers can have in policies, beside what its words say. */
export function authenticatorGrants(options: AuthenticatorOptions): AuthenticatorGrants {
  return describe(options).grants(options);
}

export function authenticatorWords(
  options: AuthenticatorOptions,
): ReturnType<Description<AuthenticatorOptions>["words"]> {
  return describe(options).words(options);
}

export function tokensOf(options: AuthenticatorOptions): Takes | undefined {
  return describe(options).tokens(options);
}

export function audienceOf(options: AuthenticatorOptions): readonly string[] | undefined | "none" {
  return describe(options).audience(options);
}

export function authenticatorFiles(options: AuthenticatorOptions): readonly NamedFile[] {
  return describe(options).files(options);
}

export function authenticatorOwnFiles(options: AuthenticatorOptions): readonly OwnFile[] {
  return describe(options).ownFiles?.(options) ?? [];
}

export function mapAuthenticatorFiles<Options extends AuthenticatorOptions>(
  options: Options,
  change: (file: string) => string,
): Options {
  return describe(options).mapFiles(options, change) as Options;
}

/** Of one that knows callers by their certificates. */
export function certificatesOf(
  options: AuthenticatorOptions,
): { readonly trustDomain: string | undefined } | undefined {
  return describe(options).certificates?.(options);
}

/** What stands before a path at this place: key sets may be URLs. */
export function filePrefix(at: readonly string[]): string {
  return at.at(-1) === "jwks" ? "file:" : "";
}

/** Which of them fits is known by `type` alone, which no type of the language follows. */
function describe({ type }: AuthenticatorOptions): Description<AuthenticatorOptions> {
  const all: Readonly<Record<string, unknown>> = DESCRIPTIONS;
  return all[type] as Description<AuthenticatorOptions>;
}
