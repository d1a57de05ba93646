/**
 * Issuing provisioning keys in the authority's own process: the key manager signs, the register takes
 * back, and who was registered is asked of the store.
 */
import { signJws } from "../../crypto/sign-jws.ts";
import type { KeyManager } from "../../keys/key-manager.ts";
import type { RevocationRegister } from "../../keys/revocation-register.ts";
import { KEY_TYPE, type KeyIssuing } from "../../model/issued-keys.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Clock } from "../../model/ports.ts";
import type { Signer } from "../../model/signing.ts";

/** Clients that were registered with the authority. */
export interface ClientLookup {
  /** Rejects with `store-unavailable`. */
  client: KeyIssuing["client"];
  used: KeyIssuing["used"];
}

export interface IssuingParts {
  readonly keys: Pick<KeyManager, "signer" | "changed">;
  readonly revocations: Pick<RevocationRegister, "revoke">;
  readonly clients: ClientLookup;
  readonly clock: Clock;
  /** The longest life of a key, in milliseconds: so long its signer stays published. */
  readonly lifetimeMs: number;
}

export interface OwnIssuing extends KeyIssuing {
  close(): void;
}

export function createIssuing(issuer: string, parts: IssuingParts): OwnIssuing {
  const { keys, revocations, clients, clock, lifetimeMs } = parts;
  let current: Signer | undefined;
  let untilMs = 0;
  const end = keys.changed(() => {
    current = undefined;
  });
  return {
    issuer,
    sign(claims) {
      if (claims.iss !== issuer || claims.exp * 1000 > clock.now() + lifetimeMs) {
        throw new TypeError("a key of another issuer, or one that outlives its signer");
      }
      const nowMs = clock.monotonic();
      if (current === undefined || nowMs >= untilMs) {
        current = keys.signer("tokens");
        untilMs = nowMs + ASK_MS;
      }
      // What is left out is no member of JSON.
      return signJws(current, { typ: KEY_TYPE }, claims as unknown as JsonObject);
    },
    client: (id) => clients.client(id),
    used: (id, nowMs) => clients.used(id, nowMs),
    async revoke(target, { expiresMs, by }) {
      await revocations.revoke(target, { mode: "revoke", expiresMs, by });
    },
    close: end,
  };
}

/** Milliseconds in which a signer is not asked for again: asking sorts all keys. */
const ASK_MS = 1000;

/** Where nobody can be registered. */
export const NO_CLIENTS: ClientLookup = Object.freeze({
  client: () => Promise.resolve(undefined),
  used: () => undefined,
});
