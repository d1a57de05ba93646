/** Clients that are registered with the authority in this process: the register, and who asks for keys. */
import { randomBytes } from "node:crypto";
import { keysAuthenticator } from "../../config/keys-authenticator.ts";
import type { Config } from "../../config/schema.ts";
import {
  type ClientPrincipals,
  createClientPrincipals,
} from "../../identity/claims/client-principal.ts";
import { createClientDirectory } from "../../keys/client-directory.ts";
import { type ClientRegister, createClientRegister } from "../../keys/client-register.ts";
import { createUses } from "../../keys/uses.ts";
import { clientIdSchema } from "../../model/clients.ts";
import type { Store } from "../../model/store.ts";
import type { Instruments } from "../instruments.ts";
import type { Closers } from "./closers.ts";
import type { ClientLookup } from "./issuing.ts";

export interface OpenClients {
  readonly register: ClientRegister;
  readonly lookup: ClientLookup;
  /** What clients are to policies stands in the configuration. */
  inForce(config: Pick<Config, "authenticators">): void;
}

export function openClients(
  store: Store,
  instruments: Instruments,
  closers: Pick<Closers, "add">,
): OpenClients {
  let principals: ClientPrincipals | undefined;
  const directory = createClientDirectory({
    ...instruments,
    store,
    principalOf: (client) => principals?.(client),
  });
  closers.add(() => directory.close());
  const uses = createUses(
    { collection: "client-uses", things: "clients" },
    // Told by our own endpoint, of clients that it has just found.
    { ...instruments, store, has: (id) => clientIdSchema.safeParse(id).success },
  );
  closers.add(() => uses.close());
  return {
    register: createClientRegister({ ...instruments, store, randomBytes }),
    lookup: {
      client: (id) => directory.client(id),
      used: (id, atMs) => uses.note([{ id, atMs }]),
    },
    inForce({ authenticators }) {
      const keys = keysAuthenticator(Object.entries(authenticators));
      principals = keys && createClientPrincipals(keys.name, keys.principal);
      directory.forget();
    },
  };
}
