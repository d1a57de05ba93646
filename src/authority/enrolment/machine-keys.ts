/**
 * Keys that machines sign assertions with, as the authority keeps and publishes them: one document a
 * machine, which goes with it.
 *
 * Refuses a key without the proof that the machine has it (the endpoint's part), one of another machine,
 * times beyond a week, and more keys than one frame of the feed can hold. What a key signs lives for a
 * minute, so it is never kept for longer than its own times say.
 */
import { z } from "zod";
import { jwkThumbprint } from "../../crypto/jwk.ts";
import { SallyportError } from "../../model/errors.ts";
import type { JsonObject } from "../../model/json.ts";
import type { PublishedKey } from "../../model/signing.ts";
import { SIGNING_ALGORITHMS } from "../../model/signing.ts";
import type { Store, StoredDocument } from "../../model/store.ts";
import type { ProvenKey } from "./enrolment-proof.ts";

export const MACHINE_KEY_LIMITS = {
  /** Of one machine: one in use, one to come, one retired, and one more after a restart or two. */
  each: 4,
  /** Of all: what the settings of the feed can carry beside the rest, at some 200 bytes each. */
  inAll: 1000,
  /** Milliseconds: two days are what a machine's own schedule makes of it. */
  lifeMs: 7 * 86_400_000,
} as const;

/** Ids of what is no machine that could be enrolled: the authorities' own workers. */
export const OWN_PREFIX = "@";

export interface KeyTimes {
  readonly activeMs: number;
  readonly retiredMs: number;
  readonly removedMs: number;
}

export interface MachineKeys {
  /** Resolves to whether it is kept; asked again with the same key it changes its times. Rejects as `Store` does. */
  publish(
    machine: string,
    key: Pick<ProvenKey, "jwk" | "thumbprint" | "algorithm">,
    times: KeyTimes,
  ): Promise<"published" | "too-many-keys" | "contended">;
}

const ATTEMPTS = 5;
const time = z.int().min(0);

const schema = z.strictObject({
  keys: z.array(
    z.strictObject({
      algorithm: z.enum(SIGNING_ALGORITHMS),
      jwk: z.record(z.string(), z.string()),
      activeMs: time,
      retiredMs: time,
      removedMs: time,
    }),
  ),
});

type StoredKey = z.output<typeof schema>["keys"][number];

export function createMachineKeys({ store }: { readonly store: Store }): MachineKeys {
  async function publishOnce(
    machine: string,
    key: StoredKey,
  ): Promise<"published" | "too-many-keys" | undefined> {
    const [document, { timeMs: nowMs }] = await Promise.all([
      store.get("assertion-keys", machine),
      store.now(),
    ]);
    const others = (document === undefined ? [] : storedKeys(document)).filter(
      ({ jwk, removedMs }) => nowMs < removedMs && jwkThumbprint(jwk) !== jwkThumbprint(key.jwk),
    );
    // The newest are the ones that are used; what falls out was signed with long ago.
    const kept = [...others, key]
      .toSorted((a, b) => a.activeMs - b.activeMs)
      .slice(-MACHINE_KEY_LIMITS.each);
    if (document === undefined && (await isFull())) return "too-many-keys";
    const commit = await store.commit([
      {
        collection: "assertion-keys",
        id: machine,
        body: JSON.parse(JSON.stringify({ keys: kept })) as JsonObject,
        expiresMs: Math.max(...kept.map(({ removedMs }) => removedMs)),
        expect: document?.number ?? "absent",
      },
    ]);
    return commit.conflict === undefined ? "published" : undefined;
  }

  /** By machines: each has one key nearly all the time, and the feed leaves out what does not fit. */
  async function isFull(): Promise<boolean> {
    const all = await store.list("assertion-keys", { limit: MACHINE_KEY_LIMITS.inAll });
    return all.length >= MACHINE_KEY_LIMITS.inAll;
  }

  return {
    async publish(machine, { jwk, algorithm }, { activeMs, retiredMs, removedMs }) {
      const key = { algorithm, jwk: { ...jwk }, activeMs, retiredMs, removedMs };
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        // oxlint-disable-next-line no-await-in-loop -- each begins with what met the last one
        const outcome = await publishOnce(machine, key);
        if (outcome !== undefined) return outcome;
      }
      return "contended";
    },
  };
}

/** What a document of `assertion-keys` says. Throws SallyportError `store-failed` where that is nothing. */
export function readMachineKeys(document: StoredDocument): readonly PublishedKey[] {
  return storedKeys(document).map(({ algorithm, jwk, ...times }) => {
    const kid = jwkThumbprint(jwk);
    if (kid === undefined) throw damaged(document);
    return machineKey(document.id, { algorithm, kid, jwk, ...times });
  });
}

/** As it is published: named by its thumbprint, and with the machine that signs with it. */
export function machineKey(
  machine: string,
  {
    algorithm,
    kid,
    jwk,
    ...times
  }: KeyTimes & Pick<PublishedKey, "algorithm" | "kid"> & { readonly jwk: JsonObject },
): PublishedKey {
  const { kty, crv, x, y } = jwk;
  const members = y === undefined ? { kty, crv, x } : { kty, crv, x, y };
  return {
    kid,
    use: "assertions",
    algorithm,
    jwk: { ...members, kid, alg: algorithm, use: "sig" },
    machine,
    ...times,
  };
}

function storedKeys(document: StoredDocument): readonly StoredKey[] {
  const result = schema.safeParse(document.body);
  if (!result.success) throw damaged(document);
  return result.data.keys;
}

function damaged({ collection, id }: StoredDocument): SallyportError {
  return new SallyportError("store-failed", `${collection}/${id} does not fit this version`);
}
