/**
 * What the authority publishes: which proxies run which bundle of configuration and policies. The
 * bundles themselves are kept by their hash; one document says which are in force, and remembers what
 * was before.
 *
 * Refuses, at a start, to publish what was in force once and has been replaced since: of several
 * authorities one may come up with an old file, and must not put the clock back for all proxies.
 * Whoever means it asks for it, by a reload.
 */
import { z } from "zod";
import { SallyportError } from "../../model/errors.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Clock, Log } from "../../model/ports.ts";
import type { Store, StoredDocument, Write } from "../../model/store.ts";
import { type BundleAssignment, isBundleHash } from "../feed/feed-settings.ts";

export interface Bundle {
  /** `sha256-<base64url>` over the bytes. */
  readonly hash: string;
  /** UTF-8. */
  readonly bytes: Uint8Array;
}

/** All that one configuration gives to proxies. */
export interface Publication {
  /** Of the whole configuration, whatever part of it each proxy gets. */
  readonly hash: string;
  /** The first whose name matches counts. */
  readonly parts: readonly PublishedPart[];
}

/** What one group of proxies is to run. */
export interface PublishedPart {
  /** Pattern of their names. */
  readonly proxy: string;
  readonly services: "all" | readonly string[];
  readonly bundle: Bundle;
}

/** The same as it is remembered: the bundle by its hash. */
export interface RememberedPart extends BundleAssignment {
  readonly services: "all" | readonly string[];
  /** Of the bundle. */
  readonly bytes: number;
}

/** One that is or was in force, for operators. */
export interface PublishedBundle {
  readonly hash: string;
  readonly atMs: number;
  readonly by: string;
  readonly parts: readonly RememberedPart[];
  readonly inForce: boolean;
}

export type Published = "published" | "unchanged" | "outdated";

export interface BundleRegister {
  /** Reads what is in force; rejects where the store cannot be read. */
  start(): Promise<void>;
  /** `start`: not where it was replaced already. `asked`: in any case. Rejects as `Store` does. */
  publish(
    publication: Publication,
    options: { readonly by: string; readonly how: "start" | "asked" },
  ): Promise<Published>;
  assignments(): readonly BundleAssignment[];
  changed(listener: () => void): () => void;
  /** A bundle that is or was lately in force. Rejects as `Store` does. */
  bytes(hash: string): Promise<Buffer | undefined>;
  /** Newest first. */
  list(): readonly PublishedBundle[];
  close(): void;
}

const LIMITS = {
  /** Publications that are remembered, with their bundles: enough to see who put back what. */
  history: 20,
  /** Tries where others publish at the same time. */
  tries: 5,
} as const;

/** The one document that is no bundle. */
const IN_FORCE = "in-force";

export interface BundleRegisterDeps {
  readonly store: Pick<Store, "get" | "commit" | "watch">;
  readonly clock: Clock;
  readonly log: Log;
}

export function createBundleRegister(deps: BundleRegisterDeps): BundleRegister {
  return new StoredBundles(deps);
}

type Entry = Omit<PublishedBundle, "inForce">;

class StoredBundles implements BundleRegister {
  readonly #deps: BundleRegisterDeps;
  readonly #listeners = new Set<() => void>();
  #endWatch: (() => void) | undefined;
  #history: readonly Entry[] = [];
  #number: number | "absent" = "absent";
  #reading: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(deps: BundleRegisterDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    await this.#read("start");
    this.#endWatch = this.#deps.store.watch(() => void this.#refresh());
  }

  async publish(
    publication: Publication,
    { by, how }: { readonly by: string; readonly how: "start" | "asked" },
  ): Promise<Published> {
    for (let tried = 0; tried < LIMITS.tries; tried++) {
      await this.#read();
      const [current, ...earlier] = this.#history;
      if (current !== undefined && isSame(current, publication)) return "unchanged";
      if (how === "start" && earlier.some((entry) => isSame(entry, publication))) return "outdated";
      if (await this.#commit(publication, by)) return "published";
    }
    throw new SallyportError("store-unavailable", "others publish bundles all the time");
  }

  assignments(): readonly BundleAssignment[] {
    return this.#history[0]?.parts ?? [];
  }

  changed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async bytes(hash: string): Promise<Buffer | undefined> {
    if (!isBundleHash(hash)) return undefined;
    const document = await this.#deps.store.get("bundles", hash);
    const text = document?.body?.["text"];
    return typeof text === "string" ? Buffer.from(text, "utf8") : undefined;
  }

  list(): readonly PublishedBundle[] {
    return this.#history.map((entry, index) => ({ ...entry, inForce: index === 0 }));
  }

  close(): void {
    this.#closed = true;
    this.#endWatch?.();
    this.#listeners.clear();
  }

  async #commit(publication: Publication, by: string): Promise<boolean> {
    const parts = publication.parts.map(({ proxy, services, bundle: { hash, bytes } }) => ({
      proxy,
      services,
      bundle: hash,
      bytes: bytes.length,
    }));
    const entry: Entry = { hash: publication.hash, atMs: this.#deps.clock.now(), by, parts };
    const kept = [entry, ...this.#history].slice(0, LIMITS.history);
    const bundles = new Map(publication.parts.map(({ bundle }) => [bundle.hash, bundle.bytes]));
    const writes: Write[] = [
      {
        collection: "bundles",
        id: IN_FORCE,
        body: { history: kept.map(bodyOf) },
        expect: this.#number,
      },
      ...[...bundles].map(([id, bytes]): Write => {
        const text = Buffer.from(bytes).toString("utf8");
        return { collection: "bundles", id, body: { text } };
      }),
      ...forgotten(this.#history, kept).map((id): Write => ({
        collection: "bundles",
        id,
        body: undefined,
      })),
    ];
    const done = await this.#deps.store.commit(writes);
    if (done.conflict !== undefined) return false;
    this.#take(kept, done.number, "later");
    return true;
  }

  async #refresh(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#again = true;
      return await this.#reading;
    }
    this.#reading = this.#readAgain();
    await this.#reading;
    this.#reading = undefined;
  }

  async #readAgain(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#read();
      } catch {
        // The state of the authority says that the store is away; what is in force stays so.
      }
    } while (this.#again && !this.#closed);
  }

  async #read(at: "start" | "later" = "later"): Promise<void> {
    const document = await this.#deps.store.get("bundles", IN_FORCE);
    if (this.#closed) return;
    const number = document?.number ?? "absent";
    if (number === this.#number) return;
    this.#take(document === undefined ? [] : historyOf(document), number, at);
  }

  #take(history: readonly Entry[], number: number | "absent", at: "start" | "later"): void {
    const before = this.#history[0];
    this.#history = history;
    this.#number = number;
    const now = history[0];
    if (now === undefined || now === before) return;
    const event = at === "start" ? "the published bundle is known" : "a bundle is published";
    this.#deps.log.info(event, { hash: now.hash, by: now.by });
    for (const listener of this.#listeners) listener();
  }
}

/**
 * The same for each proxy, whatever file it came from: authorities differ in addresses of their own, and
 * none of them is outdated by that.
 */
function isSame(entry: Entry, { parts }: Publication): boolean {
  if (entry.parts.length !== parts.length) return false;
  return entry.parts.every(
    ({ proxy, bundle }, index) =>
      parts[index]?.proxy === proxy && parts[index].bundle.hash === bundle,
  );
}

/** Bundles that no remembered publication names any more. */
function forgotten(before: readonly Entry[], after: readonly Entry[]): string[] {
  const names = (history: readonly Entry[]): string[] =>
    history.flatMap(({ parts }) => parts.map(({ bundle }) => bundle));
  const kept = new Set(names(after));
  return [...new Set(names(before))].filter((hash) => !kept.has(hash));
}

function bodyOf({ hash, atMs, by, parts }: Entry): JsonObject {
  return {
    hash,
    atMs,
    by,
    parts: parts.map(({ proxy, services, bundle, bytes }) => ({ proxy, services, bundle, bytes })),
  };
}

/** Throws `store-failed` where the document is not one that `bodyOf` made. */
function historyOf({ body }: StoredDocument): readonly Entry[] {
  const read = historySchema.safeParse(body?.["history"]);
  if (read.success) return read.data;
  const message = "what the store says of published bundles is damaged";
  throw new SallyportError("store-failed", message, { cause: read.error });
}

const historySchema = z.array(
  z.strictObject({
    hash: z.string(),
    atMs: z.number(),
    by: z.string(),
    parts: z.array(
      z.strictObject({
        proxy: z.string(),
        services: z.union([z.literal("all"), z.array(z.string())]),
        bundle: z.string(),
        bytes: z.number(),
      }),
    ),
  }),
);
