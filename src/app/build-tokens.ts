/** Who can get keys at the token endpoint, and for what, of one configuration. */
import { createDeclaredClients } from "../authority/clients/declared-clients.ts";
import { issuingOptions } from "../authority/authority-options.ts";
import { createTargets } from "../authority/token/targets.ts";
import type { TokenSnapshot } from "../authority/token/token-call.ts";
import { keysAuthenticator } from "../config/keys-authenticator.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { createClientPrincipals } from "../identity/claims/client-principal.ts";
import type { ProofVerifier } from "../model/verifiers.ts";
import { readFileBytes } from "../platform/files.ts";
import type { Ways } from "./authenticators.ts";
import type { Instruments } from "./instruments.ts";

/** Undefined where no listener serves the endpoint. Throws ConfigError where a client's file changed since it was checked. */
export function tokenSnapshot(
  {
    config,
    descriptions,
    issuing = issuingOptions(config.authority),
  }: Pick<LoadedConfig, "config" | "descriptions" | "issuing">,
  given: {
    readonly waysOf: (names: readonly string[]) => Ways;
    readonly proofs: ProofVerifier;
    readonly log: Instruments["log"];
  },
): TokenSnapshot | undefined {
  const listeners = config.listeners.filter(({ serve }) => serve.includes("token"));
  const keys = keysAuthenticator(Object.entries(config.authenticators));
  if (listeners.length === 0 || keys === undefined || issuing?.tokens === undefined)
    return undefined;
  const { waysOf, proofs, log } = given;
  const { tokens, lifetime, clients = {} } = issuing;
  const own = waysOf([keys.name]).bearer;
  if (own === undefined) throw new TypeError("keys are tokens");
  const { bearer, further } = waysOf(tokens.clients);
  const principals = createClientPrincipals(keys.name, keys.principal);
  return {
    origins: new Map(
      listeners.flatMap(({ name, publicOrigin }) =>
        publicOrigin === undefined ? [] : [[name, publicOrigin]],
      ),
    ),
    certificateListeners: named(listeners.filter(({ tls }) => tls?.clients !== undefined)),
    keyListeners: named(listeners.filter(({ serve }) => serve.includes("well-known"))),
    authenticator: keys.name,
    lifetimeMs: tokens.lifetime ?? lifetime,
    mostLifetimeMs: lifetime,
    targets: createTargets(
      Object.keys(config.services),
      config.routes,
      Object.entries(descriptions).flatMap(([service, { operations }]) =>
        operations.map(({ id }) => [service, id] as const),
      ),
    ),
    declared: createDeclaredClients(clients, { readFile: readFileBytes, principals, log }),
    certificates: further?.certificate,
    assertions: bearer,
    subjects: waysOf(tokens.subjects).bearer,
    keys: own,
    proofs,
    proofAlgorithms: config.dpop.algorithms,
  };
}

function named(listeners: Config["listeners"]): ReadonlySet<string> {
  return new Set(listeners.map(({ name }) => name));
}
