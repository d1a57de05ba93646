/** All clients that a configuration declares, as running values. */
import { readKeySet } from "../../crypto/jwk.ts";
import { ConfigError } from "../../model/errors.ts";
import type { RegisteredClient } from "../../model/issued-keys.ts";
import type { Log } from "../../model/ports.ts";
import type { ClientsOptions } from "../client-options.ts";
import { type DeclaredClientDeps, readDeclaredClient } from "./declared-client.ts";

export type DeclaredClients = ReadonlyMap<string, RegisteredClient>;

/** By id. Throws ConfigError where a file changed since it was checked. */
export function createDeclaredClients(
  clients: ClientsOptions,
  deps: DeclaredClientDeps & { readonly log: Log },
): DeclaredClients {
  const declared = new Map<string, RegisteredClient>();
  for (const [id, options] of Object.entries(clients)) {
    const read = readDeclaredClient(id, options, deps);
    if ("faults" in read) {
      throw new ConfigError(
        read.faults.map(({ at, message, remedy }) => ({
          message: `authority.clients.${[id, ...at].join(".")}: ${message}`,
          remedy,
        })),
      );
    }
    if (options.insecureSecret !== undefined) {
      deps.log.warn("an insecure option is on", { client: id, option: "insecureSecret" });
    }
    declared.set(id, read.client);
  }
  return declared;
}

/**
 * What two clients have in common that each should have alone: with it, one could be taken for the
 * other. The id of the second, and what it is.
 */
export function sharedProofs(clients: Iterable<RegisteredClient>): readonly {
  readonly id: string;
  readonly with: string;
  readonly what: "keys" | "certificates";
}[] {
  const owners = new Map<string, string>();
  const shared: {
    readonly id: string;
    readonly with: string;
    readonly what: "keys" | "certificates";
  }[] = [];
  for (const { id, keys, certificates } of clients) {
    const proofs = [
      ...readThumbprints(keys).map((one) => ["keys", one] as const),
      ...certificates.map((one) => ["certificates", one] as const),
    ];
    for (const [what, thumbprint] of proofs) {
      const owner = owners.get(`${what} ${thumbprint}`);
      if (owner === undefined) owners.set(`${what} ${thumbprint}`, id);
      else if (owner !== id) shared.push({ id, with: owner, what });
    }
  }
  return shared;
}

function readThumbprints(keys: RegisteredClient["keys"]): readonly string[] {
  if (keys.length === 0) return [];
  return readKeySet({ keys: [...keys] }).keys.map(({ thumbprint }) => thumbprint);
}
