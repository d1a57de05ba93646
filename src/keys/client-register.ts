/**
 * Clients of the token endpoint as operators register, stop and forget them, and the ways in which each
 * proves who it is: a new one is added, both are good, then the former one is taken away. The text of a
 * secret is given to whoever asked for it and to nobody else, once: it is neither kept nor logged.
 */
import { createHash } from "node:crypto";
import { CLIENT_LIMITS, clientIdSchema } from "../model/clients.ts";
import { SallyportError } from "../model/errors.ts";
import type { Log } from "../model/ports.ts";
import type { Store, StoredDocument, Write } from "../model/store.ts";
import {
  type ClientBody,
  clientFromStore,
  type ClientGrant,
  type ClientProof,
  clientToStore,
} from "./client-document.ts";
import { usedMsOf, usesUpTo } from "./uses.ts";

/** One way to prove who it is, without what nobody who looks at it needs. */
export type ShownProof =
  | Extract<ClientProof, { type: "key" | "certificate" }>
  | Omit<Extract<ClientProof, { type: "secret" }>, "digest">;

/** One client as it stands. */
export interface Client extends Omit<ClientBody, "proofs"> {
  readonly id: string;
  readonly proofs: readonly ShownProof[];
  /** Of the commit that last wrote it. */
  readonly number: number;
  /** When it last got a key, to within some minutes; undefined: not in living memory. */
  readonly usedMs: number | undefined;
}

/** What is added: a public key or a thumbprint as it is, a secret as one that is made here. */
export type NewProof =
  | { readonly type: "key"; readonly id: string; readonly jwk: Record<string, string> }
  | { readonly type: "certificate"; readonly id: string }
  | { readonly type: "secret" };

/** A client with the secret that was made for it, which is nowhere else. */
export interface MadeClient {
  readonly client: Client;
  /** What was added last. */
  readonly proof?: ShownProof | undefined;
  readonly secret?: string | undefined;
}

export interface ClientRefusal {
  readonly refused: "absent" | "changed" | "exists" | "known" | "full";
}

export interface ClientChange {
  readonly by: string;
  /** The number that it must have now; left out: whatever it is. */
  readonly expect?: number | undefined;
}

export interface ClientRegister {
  /** Resolves when it is committed. */
  create(
    grant: ClientGrant,
    options: { readonly proof?: NewProof | undefined; readonly by: string },
  ): Promise<MadeClient | ClientRefusal>;
  get(id: string): Promise<Client | undefined>;
  /** By id, from after `after` on; `limit` from 1 to 1 000. */
  list(options: {
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<readonly Client[]>;
  /** Refuses one that it has (`known`), and more than there is room for (`full`). */
  addProof(id: string, proof: NewProof, options: ClientChange): Promise<MadeClient | ClientRefusal>;
  /** Undefined: it has no such proof. */
  removeProof(
    id: string,
    proofId: string,
    options: ClientChange,
  ): Promise<Client | ClientRefusal | undefined>;
  /** It gets no further key until it is enabled. Said again, nothing changes. */
  disable(
    id: string,
    options: ClientChange & { readonly reason?: string | undefined },
  ): Promise<Client | ClientRefusal>;
  enable(id: string, options: ClientChange): Promise<Client | ClientRefusal>;
  remove(id: string, options: ClientChange): Promise<ClientRefusal | undefined>;
}

export interface ClientRegisterDeps {
  readonly store: Store;
  readonly log: Log;
  readonly randomBytes: (bytes: number) => Uint8Array;
}

const LIMITS = {
  /** Of one client, when others write it at the same time. */
  tries: 10,
  page: 1000,
  /** Of a secret; as a key of AES-256. */
  secretBytes: 32,
} as const;

export function createClientRegister({
  store,
  log,
  randomBytes,
}: ClientRegisterDeps): ClientRegister {
  function made(proof: NewProof, at: { readonly addedMs: number; readonly addedBy: string }): Made {
    if (proof.type !== "secret") return { proof: { ...proof, ...at } };
    const secret = Buffer.from(randomBytes(LIMITS.secretBytes)).toString("base64url");
    const digest = createHash("sha256").update(secret, "utf8").digest("base64url");
    const id = Buffer.from(randomBytes(12)).toString("base64url");
    return { proof: { type: "secret", id, digest, ...at }, secret };
  }

  async function create(
    { id, ...grant }: ClientGrant,
    { proof, by }: { readonly proof?: NewProof | undefined; readonly by: string },
  ): Promise<MadeClient | ClientRefusal> {
    const { timeMs } = await store.now();
    const first = proof && made(proof, { addedMs: timeMs, addedBy: by });
    const proofs = first === undefined ? [] : [first.proof];
    const body: ClientBody = { ...grant, proofs, createdMs: timeMs, createdBy: by };
    const commit = await store.commit([writeOf(id, body, "absent")]);
    if (commit.conflict !== undefined) return { refused: "exists" };
    log.info("a client was registered", { client: id, by });
    const client = shownOf({ id, number: commit.number, body, usedMs: undefined });
    return { client, proof: first && shownProof(first.proof), secret: first?.secret };
  }

  async function get(id: string): Promise<Client | undefined> {
    if (!isId(id)) return undefined;
    const [document, use] = await Promise.all([
      store.get("clients", id),
      store.get("client-uses", id),
    ]);
    return document?.body === undefined ? undefined : clientOf(document, use);
  }

  async function list({
    after,
    limit,
  }: {
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<readonly Client[]> {
    if (!(limit >= 1 && limit <= LIMITS.page)) {
      throw new TypeError(`a page has from 1 to ${LIMITS.page} clients`);
    }
    const documents = await store.list("clients", { after, limit });
    if (documents.length === 0) return [];
    const last = documents.at(-1)?.id ?? "";
    const uses = await usesUpTo(store, "client-uses", { after, last });
    return documents.map((document) => clientOf(document, uses.get(document.id)));
  }

  /** `next` says what becomes of it: a body, the same one for no change, or why not. */
  async function change<Refused>(
    id: string,
    { expect, what, by }: ClientChange & { readonly what: string },
    next: (body: ClientBody, nowMs: number) => ClientBody | { readonly not: Refused },
  ): Promise<Client | ClientRefusal | { readonly not: Refused }> {
    for (let tries = 0; tries < LIMITS.tries; tries++) {
      // oxlint-disable-next-line no-await-in-loop -- again where somebody was faster
      const document = isId(id) ? await store.get("clients", id) : undefined;
      if (document?.body === undefined) return ABSENT;
      const { number } = document;
      if (expect !== undefined && number !== expect) return { refused: "changed" };
      const body = clientFromStore(document);
      // oxlint-disable-next-line no-await-in-loop -- see above
      const { timeMs } = await store.now();
      const changed = next(body, timeMs);
      if ("not" in changed) return changed;
      if (changed === body) return shownOf({ id, number, body, usedMs: undefined });
      // oxlint-disable-next-line no-await-in-loop -- see above
      const commit = await store.commit([writeOf(id, changed, number)]);
      if (commit.conflict !== undefined) continue;
      log.info(what, { client: id, by });
      return shownOf({ id, number: commit.number, body: changed, usedMs: undefined });
    }
    throw new SallyportError("store-unavailable", "others kept writing the same client");
  }

  async function addProof(
    id: string,
    proof: NewProof,
    options: ClientChange,
  ): Promise<MadeClient | ClientRefusal> {
    let first: Made | undefined;
    const outcome = await change<"known" | "full">(
      id,
      { ...options, what: "a client can prove who it is in another way" },
      (body, nowMs) => {
        if (proof.type !== "secret" && body.proofs.some((one) => one.id === proof.id)) {
          return { not: "known" };
        }
        if (body.proofs.length >= CLIENT_LIMITS.proofs) return { not: "full" };
        first = made(proof, { addedMs: nowMs, addedBy: options.by });
        return { ...body, proofs: [...body.proofs, first.proof] };
      },
    );
    if ("not" in outcome) return { refused: outcome.not };
    if ("refused" in outcome) return outcome;
    return { client: outcome, proof: first && shownProof(first.proof), secret: first?.secret };
  }

  async function removeProof(
    id: string,
    proofId: string,
    options: ClientChange,
  ): Promise<Client | ClientRefusal | undefined> {
    const what = "a client can prove who it is in a way less";
    const outcome = await change<"absent">(id, { ...options, what }, (body) => {
      const proofs = body.proofs.filter((one) => one.id !== proofId);
      return proofs.length === body.proofs.length ? { not: "absent" } : { ...body, proofs };
    });
    return "not" in outcome ? undefined : outcome;
  }

  async function disable(
    id: string,
    options: ClientChange & { readonly reason?: string | undefined },
  ): Promise<Client | ClientRefusal> {
    const { by, reason } = options;
    return settled(
      await change<never>(id, { ...options, what: "a client was disabled" }, (body, atMs) => {
        if (body.disabled !== undefined) return body;
        return { ...body, disabled: { atMs, by, ...(reason === undefined ? {} : { reason }) } };
      }),
    );
  }

  async function enable(id: string, options: ClientChange): Promise<Client | ClientRefusal> {
    return settled(
      await change<never>(id, { ...options, what: "a client was enabled" }, (body) => {
        const { disabled, ...rest } = body;
        return disabled === undefined ? body : rest;
      }),
    );
  }

  async function remove(
    id: string,
    { by, expect }: ClientChange,
  ): Promise<ClientRefusal | undefined> {
    for (let tries = 0; tries < LIMITS.tries; tries++) {
      // oxlint-disable-next-line no-await-in-loop -- again where somebody was faster
      const document = isId(id) ? await store.get("clients", id) : undefined;
      if (document?.body === undefined) return ABSENT;
      if (expect !== undefined && document.number !== expect) return { refused: "changed" };
      // oxlint-disable-next-line no-await-in-loop -- see above
      const commit = await store.commit([
        { collection: "clients", id, body: undefined, expect: document.number },
        { collection: "client-uses", id, body: undefined },
      ]);
      if (commit.conflict !== undefined) continue;
      log.info("a client was removed", { client: id, by });
      return undefined;
    }
    throw new SallyportError("store-unavailable", "others kept writing the same client");
  }

  return { create, get, list, addProof, removeProof, disable, enable, remove };
}

interface Made {
  readonly proof: ClientProof;
  readonly secret?: string | undefined;
}

const ABSENT: ClientRefusal = { refused: "absent" };

function isId(id: string): boolean {
  return clientIdSchema.safeParse(id).success;
}

function settled(
  outcome: Client | ClientRefusal | { readonly not: never },
): Client | ClientRefusal {
  if ("not" in outcome) throw new TypeError("nothing was refused");
  return outcome;
}

function writeOf(id: string, body: ClientBody, expect: number | "absent"): Write {
  return { collection: "clients", id, body: clientToStore(body), expect };
}

function clientOf(document: StoredDocument, use: StoredDocument | undefined): Client {
  const { id, number } = document;
  return shownOf({ id, number, body: clientFromStore(document), usedMs: usedMsOf(use) });
}

function shownOf({
  id,
  number,
  body,
  usedMs,
}: {
  readonly id: string;
  readonly number: number;
  readonly body: ClientBody;
  readonly usedMs: number | undefined;
}): Client {
  return { ...body, proofs: body.proofs.map(shownProof), id, number, usedMs };
}

function shownProof(proof: ClientProof): ShownProof {
  if (proof.type !== "secret") return proof;
  const { digest: _, ...shown } = proof;
  return shown;
}
