/** Clients of the token endpoint that a configuration declares, for whoever serves that endpoint. */
import { isKeeper } from "../authority/authority-options.ts";
import {
  createDeclaredClients,
  type DeclaredClients,
} from "../authority/clients/declared-clients.ts";
import { keysAuthenticator } from "../config/keys-authenticator.ts";
import type { Config } from "../config/schema.ts";
import { createClientPrincipals } from "../identity/claims/client-principal.ts";
import type { Log } from "../model/ports.ts";
import { readFileBytes } from "../platform/files.ts";

/** By id; none where no authenticator knows keys. Throws ConfigError where a file changed since the check. */
export function declaredClients(
  { authority, authenticators }: Pick<Config, "authority" | "authenticators">,
  log: Log,
): DeclaredClients {
  const keys = keysAuthenticator(Object.entries(authenticators));
  if (keys === undefined || !isKeeper(authority)) return new Map();
  const principals = createClientPrincipals(keys.name, keys.principal);
  return createDeclaredClients(authority.clients ?? {}, {
    readFile: readFileBytes,
    principals,
    log,
  });
}
