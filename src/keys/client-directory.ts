/**
 * Registered clients as the token endpoint asks for them, by id: remembered for a moment, since a client
 * asks for keys often and is changed rarely. A change that the store tells of is heeded at once.
 *
 * Refuses (as if there were none) one that is disabled, and one that the configuration in force has no
 * place for; while the store is away, whoever is not remembered.
 */
import { clientIdSchema } from "../model/clients.ts";
import type { RegisteredClient } from "../model/issued-keys.ts";
import type { Clock, Log } from "../model/ports.ts";
import type { Principal } from "../model/principal.ts";
import type { Store } from "../model/store.ts";
import { type ClientBody, clientFromStore, type ClientGrant } from "./client-document.ts";

const LIMITS = {
  /** How long a change goes unseen where the store tells of none: another authority's, over Postgres. */
  rememberedMs: 2000,
  /** Some 20 MB. Strangers can ask for any id: the oldest go. */
  clients: 10_000,
} as const;

/** Who a client is to policies by the configuration in force; undefined: it has no place for clients. */
export type PrincipalOf = (
  client: Pick<ClientGrant, "id" | "roles" | "groups" | "attributes">,
) => Principal | { readonly detail: string } | undefined;

export interface ClientDirectory {
  /** Rejects with `store-unavailable` and `store-failed`. */
  client(id: string): Promise<RegisteredClient | undefined>;
  /** Another configuration is in force. */
  forget(): void;
  close(): void;
}

export interface ClientDirectoryDeps {
  readonly store: Pick<Store, "get" | "watch">;
  readonly clock: Clock;
  readonly log: Log;
  readonly principalOf: PrincipalOf;
}

interface Remembered {
  readonly client: RegisteredClient | undefined;
  readonly untilMs: number;
}

export function createClientDirectory(deps: ClientDirectoryDeps): ClientDirectory {
  const { store, clock, log, principalOf } = deps;
  let remembered = new Map<string, Remembered>();
  let asked = new Map<string, Promise<RegisteredClient | undefined>>();

  // What is being read now may be from before the change, so nobody who comes later shares it.
  function forget(): void {
    remembered = new Map();
    asked = new Map();
  }

  async function read(id: string): Promise<RegisteredClient | undefined> {
    const into = remembered;
    const document = await store.get("clients", id);
    const client =
      document?.body === undefined ? undefined : clientOf(id, clientFromStore(document));
    if (into.size >= LIMITS.clients) into.delete(into.keys().next().value ?? id);
    into.set(id, { client, untilMs: clock.monotonic() + LIMITS.rememberedMs });
    return client;
  }

  function clientOf(id: string, body: ClientBody): RegisteredClient | undefined {
    const { roles, groups, attributes, proofs, disabled } = body;
    if (disabled !== undefined) return undefined;
    const principal = principalOf({ id, roles, groups, attributes });
    if (principal === undefined || "detail" in principal) {
      const why = principal?.detail ?? "no authenticator is of type sallyport";
      log.warn("a registered client does not fit the configuration and gets no key", {
        client: id,
        why,
      });
      return undefined;
    }
    return Object.freeze({
      id,
      principal,
      keys: proofs.flatMap((one) => (one.type === "key" ? [one.jwk] : [])),
      certificates: proofs.flatMap((one) => (one.type === "certificate" ? [one.id] : [])),
      secrets: proofs.flatMap((one) => (one.type === "secret" ? [one.digest] : [])),
      source: "registered",
    });
  }

  const unwatch = store.watch(forget);
  return {
    client(id) {
      const known = remembered.get(id);
      if (known !== undefined && clock.monotonic() < known.untilMs) {
        return Promise.resolve(known.client);
      }
      if (!clientIdSchema.safeParse(id).success) return Promise.resolve(undefined);
      const running = asked.get(id);
      if (running !== undefined) return running;
      const asking = asked;
      const found = read(id).finally(() => asking.delete(id));
      asking.set(id, found);
      return found;
    },
    forget,
    close: unwatch,
  };
}
