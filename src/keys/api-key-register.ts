/**
 * API keys as operators make, replace and end them: kept in the store, from where the feed carries what
 * proxies need of them. The text of a key is given to whoever asked for it and to nobody else, once: it
 * is neither kept nor logged.
 */
import type { KeyObject } from "node:crypto";
import { macOfApiKey, makeApiKey } from "../crypto/api-key-text.ts";
import type { Sealer } from "../crypto/seal.ts";
import { apiKeyId, API_KEY_ID } from "../model/api-keys.ts";
import { SallyportError } from "../model/errors.ts";
import type { Log } from "../model/ports.ts";
import type { Store, StoredDocument, Write } from "../model/store.ts";
import {
  type ApiKeyBody,
  apiKeyFromStore,
  type ApiKeyGrant,
  apiKeyKeptUntil,
  apiKeyToStore,
} from "./api-key-document.ts";
import { ensureApiKeyMac } from "./api-key-mac.ts";
import { usedMsOf, usesUpTo } from "./uses.ts";

/** One key as it stands. */
export interface ApiKey extends Omit<ApiKeyBody, "digest"> {
  readonly id: string;
  /** Of the commit that last wrote it. */
  readonly number: number;
  /** When it was last used, to within some minutes; undefined: not in living memory. */
  readonly usedMs: number | undefined;
}

/** A key with its text, which is nowhere else. */
export interface MadeApiKey {
  readonly key: ApiKey;
  readonly text: string;
}

export interface ApiKeyRefusal {
  readonly refused: "absent" | "changed" | "revoked" | "expired" | "replaced";
}

export interface ApiKeyRegister {
  /** Resolves when it is committed. Rejects with `api-keys-full`. */
  create(
    grant: ApiKeyGrant,
    options: { readonly prefix: string; readonly expiresMs: number; readonly by: string },
  ): Promise<MadeApiKey>;
  get(id: string): Promise<ApiKey | undefined>;
  /** By id, from after `after` on; `limit` from 1 to 1 000. Those that expired over a month ago are gone. */
  list(options: {
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<readonly ApiKey[]>;
  /** Another key that may the same; the one before ends after `overlapMs`, or earlier by itself. */
  rotate(
    id: string,
    options: Change & {
      readonly prefix: string;
      readonly overlapMs: number;
      /** Of the new one, counted from now. */
      readonly lifetimeMs: number;
    },
  ): Promise<(MadeApiKey & { readonly former: ApiKey }) | ApiKeyRefusal>;
  /** For good. Said again, nothing changes. */
  revoke(
    id: string,
    options: Change & { readonly reason?: string | undefined },
  ): Promise<ApiKey | ApiKeyRefusal>;
  /** Forgets it; its text is then unknown. */
  remove(id: string, options: Change): Promise<ApiKeyRefusal | undefined>;
}

export interface Change {
  readonly by: string;
  /** The number that it must have now; left out: whatever it is. */
  readonly expect?: number | undefined;
}

export interface ApiKeyRegisterDeps {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly log: Log;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** How many there are now. */
  readonly count: () => number;
}

const LIMITS = {
  /** Some 500 MB in each process that serves. */
  keys: 2_000_000,
  /** Of one key, when others write it at the same time. */
  tries: 10,
  page: 1000,
} as const;

export function createApiKeyRegister(deps: ApiKeyRegisterDeps): ApiKeyRegister {
  const { store, sealer, log } = deps;
  let mac: Promise<KeyObject> | undefined;

  function macKey(): Promise<KeyObject> {
    mac ??= ensureApiKeyMac(store, sealer).catch((error: unknown) => {
      mac = undefined;
      throw error;
    });
    return mac;
  }

  async function newText(prefix: string): Promise<{ text: string; digest: string; id: string }> {
    if (deps.count() >= LIMITS.keys) {
      throw new SallyportError(
        "api-keys-full",
        `there are ${LIMITS.keys} API keys, more are not taken`,
      );
    }
    const text = makeApiKey(prefix, deps.randomBytes);
    const digest = macOfApiKey(text, await macKey()).toString("base64url");
    return { text, digest, id: apiKeyId(digest) };
  }

  async function create(
    grant: ApiKeyGrant,
    { prefix, expiresMs, by }: { prefix: string; expiresMs: number; by: string },
  ): Promise<MadeApiKey> {
    const { text, digest, id } = await newText(prefix);
    const { timeMs } = await store.now();
    const body = { ...grant, digest, createdMs: timeMs, createdBy: by, expiresMs };
    const commit = await store.commit([writeOf(id, body, "absent")]);
    // Two keys of one id are less likely than a broken source of randomness.
    if (commit.conflict !== undefined) throw new TypeError("a new API key that is there already");
    const key = shownOf({ id, number: commit.number, body, usedMs: undefined });
    log.info("an API key was made", describe(key, by));
    return { key, text };
  }

  async function get(id: string): Promise<ApiKey | undefined> {
    if (!API_KEY_ID.test(id)) return undefined;
    const [document, use] = await Promise.all([
      store.get("api-keys", id),
      store.get("api-key-uses", id),
    ]);
    return document?.body === undefined ? undefined : keyFrom(document, use);
  }

  async function list({
    after,
    limit,
  }: {
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<readonly ApiKey[]> {
    if (!(limit >= 1 && limit <= LIMITS.page)) {
      throw new TypeError(`a page has from 1 to ${LIMITS.page} API keys`);
    }
    const documents = await store.list("api-keys", { after, limit });
    if (documents.length === 0) return [];
    // Of keys that there are, so no more of them than keys; those of removed ones may stand between.
    const last = documents.at(-1)?.id ?? "";
    const uses = await usesUpTo(store, "api-key-uses", { after, last });
    return documents.map((document) => keyFrom(document, uses.get(document.id)));
  }

  async function rotate(
    id: string,
    options: Parameters<ApiKeyRegister["rotate"]>[1],
  ): Promise<(MadeApiKey & { readonly former: ApiKey }) | ApiKeyRefusal> {
    const { prefix, overlapMs, lifetimeMs, by } = options;
    const made = await newText(prefix);
    for (let tries = 0; tries < LIMITS.tries; tries++) {
      // oxlint-disable-next-line no-await-in-loop -- again where somebody was faster
      const { timeMs: nowMs } = await store.now();
      // oxlint-disable-next-line no-await-in-loop -- see above
      const present = await stored(id);
      const refused = refusalOf(present, options.expect) ?? whyNotReplaced(present?.body, nowMs);
      if (refused !== undefined || present === undefined) return refused ?? ABSENT;
      const { body, number } = present;
      const { replaces: _replaces, replacedBy: _replacedBy, revoked: _revoked, ...grant } = body;
      const former = {
        ...body,
        replacedBy: made.id,
        expiresMs: Math.min(body.expiresMs, nowMs + Math.max(1000, overlapMs)),
      };
      const next = {
        ...grant,
        digest: made.digest,
        createdMs: nowMs,
        createdBy: by,
        expiresMs: nowMs + lifetimeMs,
        replaces: id,
      };
      // oxlint-disable-next-line no-await-in-loop -- see above
      const commit = await store.commit([
        writeOf(made.id, next, "absent"),
        writeOf(id, former, number),
      ]);
      if (commit.conflict !== undefined) continue;
      const at = { number: commit.number, usedMs: undefined };
      const key = shownOf({ ...at, id: made.id, body: next });
      log.info("an API key was replaced", { ...describe(key, by), former: id });
      return { key, text: made.text, former: shownOf({ ...at, id, body: former }) };
    }
    throw tooMany();
  }

  async function revoke(
    id: string,
    { by, expect, reason }: Change & { readonly reason?: string | undefined },
  ): Promise<ApiKey | ApiKeyRefusal> {
    for (let tries = 0; tries < LIMITS.tries; tries++) {
      // oxlint-disable-next-line no-await-in-loop -- again where somebody was faster
      const present = await stored(id);
      const refused = refusalOf(present, expect);
      if (refused !== undefined || present === undefined) return refused ?? ABSENT;
      const { body, number } = present;
      if (body.revoked !== undefined) return shownOf({ id, number, body, usedMs: undefined });
      // oxlint-disable-next-line no-await-in-loop -- see above
      const { timeMs } = await store.now();
      const revoked = { atMs: timeMs, by, ...(reason === undefined ? {} : { reason }) };
      const next = { ...body, revoked };
      // oxlint-disable-next-line no-await-in-loop -- see above
      const commit = await store.commit([writeOf(id, next, number)]);
      if (commit.conflict !== undefined) continue;
      const key = shownOf({ id, number: commit.number, body: next, usedMs: undefined });
      log.info("an API key was revoked", describe(key, by));
      return key;
    }
    throw tooMany();
  }

  async function remove(id: string, { by, expect }: Change): Promise<ApiKeyRefusal | undefined> {
    for (let tries = 0; tries < LIMITS.tries; tries++) {
      // oxlint-disable-next-line no-await-in-loop -- again where somebody was faster
      const document = API_KEY_ID.test(id) ? await store.get("api-keys", id) : undefined;
      if (document?.body === undefined) return ABSENT;
      if (expect !== undefined && document.number !== expect) return { refused: "changed" };
      // oxlint-disable-next-line no-await-in-loop -- see above
      const commit = await store.commit([
        { collection: "api-keys", id, body: undefined, expect: document.number },
        { collection: "api-key-uses", id, body: undefined },
      ]);
      if (commit.conflict !== undefined) continue;
      log.info("an API key was removed", { apiKey: id, by });
      return undefined;
    }
    throw tooMany();
  }

  async function stored(
    id: string,
  ): Promise<{ readonly body: ApiKeyBody; readonly number: number } | undefined> {
    if (!API_KEY_ID.test(id)) return undefined;
    const document = await store.get("api-keys", id);
    if (document?.body === undefined) return undefined;
    return { body: apiKeyFromStore(document), number: document.number };
  }

  return { create, get, list, rotate, revoke, remove };
}

const ABSENT: ApiKeyRefusal = { refused: "absent" };

function refusalOf(
  present: { readonly number: number } | undefined,
  expect: number | undefined,
): ApiKeyRefusal | undefined {
  if (present === undefined) return ABSENT;
  return expect === undefined || present.number === expect ? undefined : { refused: "changed" };
}

/** What has ended must not live on in another; one that was replaced would have two heirs. */
function whyNotReplaced(body: ApiKeyBody | undefined, nowMs: number): ApiKeyRefusal | undefined {
  if (body === undefined) return ABSENT;
  if (body.revoked !== undefined) return { refused: "revoked" };
  if (body.replacedBy !== undefined) return { refused: "replaced" };
  return body.expiresMs <= nowMs ? { refused: "expired" } : undefined;
}

function writeOf(id: string, body: ApiKeyBody, expect: number | "absent"): Write {
  const expiresMs = apiKeyKeptUntil(body);
  return { collection: "api-keys", id, body: apiKeyToStore(body), expiresMs, expect };
}

function keyFrom(document: StoredDocument, use: StoredDocument | undefined): ApiKey {
  const { id, number } = document;
  return shownOf({ id, number, body: apiKeyFromStore(document), usedMs: usedMsOf(use) });
}

/** Without the hash: nobody who looks at keys needs it. */
function shownOf({
  id,
  number,
  body,
  usedMs,
}: {
  readonly id: string;
  readonly number: number;
  readonly body: ApiKeyBody;
  readonly usedMs: number | undefined;
}): ApiKey {
  const { digest: _, ...shown } = body;
  return { ...shown, id, number, usedMs };
}

function describe({ id, authenticator }: ApiKey, by: string): { readonly [name: string]: string } {
  return { apiKey: id, authenticator, by };
}

function tooMany(): SallyportError {
  return new SallyportError("store-unavailable", "others kept writing the same API key");
}
