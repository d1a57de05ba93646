/**
 * What the authority knows, kept in memory and kept up with the store: revocations, and the settings
 * that go with them. Whoever follows gets all of it first and then each change.
 *
 * It vouches for freshness only by what it has read: `asOf` is the store's own clock at the last read
 * that found nothing more to come. When the store cannot be read, `asOf` stands still, and with it
 * every proxy's patience.
 */
import { ApiKeyTable, type ApiKeyPieces, entryWeight } from "../../keys/api-key-table.ts";
import { API_KEY_MAC_ID } from "../../keys/api-key-mac.ts";
import type { ApiKeyEntry } from "../../model/api-keys.ts";
import { SallyportError } from "../../model/errors.ts";
import type { FeedConsumer, FeedPosition } from "../../model/feed.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import type { RevocationEntry } from "../../model/revocation.ts";
import type { PublishedKey } from "../../model/signing.ts";
import type { Store, StoredDocument } from "../../model/store.ts";
import {
  type BundleAssignment,
  type FeedSettings,
  NO_NEWS,
  NO_SETTINGS,
  settingsDigest,
  settingsNews,
  type SettingsNews,
  writeSettings,
} from "../feed/feed-settings.ts";
import { OWN_PREFIX } from "../enrolment/machine-keys.ts";
import { unpackRevocations } from "./revocation-pack.ts";
import { type RevocationPieces, KnownRevocations } from "./known-revocations.ts";

export interface AuthorityStateDeps {
  readonly store: Pick<Store, "epoch" | "get" | "list" | "changes" | "now" | "watch">;
  /** The signing keys as they are published. */
  readonly keys: {
    published(): readonly PublishedKey[];
    changed(listener: () => void): () => void;
  };
  /** The certificate authorities of enrolled machines, in PEM. */
  readonly ca: {
    roots(): readonly string[];
    changed(listener: () => void): () => void;
  };
  /** Which proxies run what. Left out: none is told. */
  readonly bundles?:
    | {
        assignments(): readonly BundleAssignment[];
        changed(listener: () => void): () => void;
      }
    | undefined;
  /** What a document of `revocations` says. Throws where it says nothing that can be read. */
  readonly entryOf: (document: StoredDocument) => RevocationEntry;
  /** The machine that a document of `workloads` keeps out although its certificate may be good. */
  readonly disabledOf?: ((document: StoredDocument) => string | undefined) | undefined;
  /** API keys; left out: none is told of. */
  readonly apiKeys?:
    | {
        /** What a document of `api-keys` says. Throws where it says nothing that can be read. */
        readonly entryOf: (document: StoredDocument) => ApiKeyEntry;
        /** The key in a document of `mac-keys`. Throws where it does not open. */
        readonly macOf: (document: StoredDocument) => string;
      }
    | undefined;
  /** What a document of `assertion-keys` says. Throws where it says nothing that can be read. */
  readonly machineKeysOf?: ((document: StoredDocument) => readonly PublishedKey[]) | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** One step of revocations and API keys. */
export interface StateStep {
  readonly revocations: readonly RevocationEntry[];
  readonly lifted: readonly string[];
  readonly apiKeys: readonly ApiKeyEntry[];
  readonly apiKeysGone: readonly string[];
  /** Number of the last step before it: nothing changed between. */
  readonly before: number;
}

/** Hears all that changes, in order. Must not throw. */
export interface StateObserver {
  /** All is to be read anew: a new epoch, or changes were missed. */
  reset(): void;
  stepped(step: StateStep, at: FeedPosition): void;
  settingsChanged(): void;
  /** These documents of `workloads` changed: who they name may be let in no more. */
  workloadsChanged(ids: readonly string[]): void;
  current(at: FeedPosition, asOfMs: number): void;
}

export interface AuthorityState {
  /** Reads everything; rejects with `store-unavailable` or `store-failed` where that is not possible. */
  start(): Promise<void>;
  /** `who`: the name by which a bundle is chosen. The consumer must not throw. Returns what ends it. */
  follow(consumer: FeedConsumer, who: string): () => void;
  observe(observer: StateObserver): () => void;
  position(): FeedPosition;
  /** Number of the last step. */
  readonly lastStep: number;
  /** The store's clock when all up to the position was known; 0 before the first time. */
  readonly asOfMs: number;
  readonly settings: FeedSettings;
  /** As `writeSettings` writes them, and the digest of that. */
  readonly settingsText: string;
  readonly settingsDigest: string;
  /**
   * All that changed after `since`, read from the store, and up to which number; undefined: it
   * remembers no more, or it is too much for one step. Rejects as the store does.
   */
  stepSince(since: number): Promise<(StateStep & { readonly upTo: number }) | undefined>;
  /** All revocations of now, in pieces of at most so many. A copy. */
  pieces(records: number): RevocationPieces;
  /** All API keys of now, in pieces that take about so many bytes. A copy. */
  apiKeyPieces(bytes: number): ApiKeyPieces;
  /** How many revocations. */
  readonly size: number;
  /** Whether there is an API key of this id. */
  hasApiKey(id: string): boolean;
  /** How many API keys, those included that expired lately. */
  readonly apiKeyCount: number;
  /** Reads what is new now, instead of within the second. Never rejects. */
  refresh(): Promise<void>;
  close(): void;
}

const LIMITS = {
  /** The store is read at least so often, so that staleness is known to the second. */
  readEveryMs: 500,
  /** A read that takes longer is given up: the next may find the way again. */
  readMs: 10_000,
  /** Documents of one read. Fewer than one frame may hold, as a commit is never split. */
  changes: 4096,
  list: 5000,
  /** Parts of the table of revocations that are swept with each reading: all in half a minute. */
  sweepParts: 4,
  /** Revocations of one step to a consumer in memory when all are handed over. */
  step: 8192,
  /** About the bytes of one step: less than a frame (`FRAME_LIMITS.line`) holds. */
  stepBytes: 400 * 1024,
  /** Of one revocation in it. */
  revocationBytes: 46,
} as const;

export function createAuthorityState(deps: AuthorityStateDeps): AuthorityState {
  return new StoreState(deps);
}

class StoreState implements AuthorityState {
  settings: FeedSettings = NO_SETTINGS;
  settingsText = writeSettings(NO_SETTINGS);
  settingsDigest = settingsDigest(this.settingsText);
  lastStep = 0;
  asOfMs = 0;
  readonly #deps: AuthorityStateDeps;
  readonly #table = new KnownRevocations();
  readonly #apiKeys = new ApiKeyTable();
  #apiKeyMac: string | undefined;
  readonly #disabled = new Map<string, string>();
  readonly #machineKeys = new Map<string, readonly PublishedKey[]>();
  /** When the first of them has to leave the settings. */
  #keysDueMs = Infinity;
  readonly #observers = new Set<StateObserver>();
  readonly #endings: (() => void)[] = [];
  #epoch = "";
  #number = 0;
  #reading: Promise<void> | undefined;
  /** Something changed while it was being read. */
  #again = false;
  /** Counts readings: one that was given up must not touch the state any more. */
  #turn = 0;
  #callOff: (() => void) | undefined;
  #closed = false;
  #failing = false;
  /** The store has gone back: nothing is vouched for until it has another epoch. */
  #lost = false;

  constructor(deps: AuthorityStateDeps) {
    this.#deps = deps;
    deps.metrics.sampled(
      "sallyport_authority_revocations",
      "Revocations that the authority holds.",
      () => this.#table.size,
    );
    deps.metrics.sampled(
      "sallyport_authority_position",
      "Number of the last commit that the authority has read.",
      () => this.#number,
    );
    deps.metrics.sampled(
      "sallyport_authority_staleness_seconds",
      "Seconds since the authority last knew that it has read everything, by the store's clock.",
      () => (this.asOfMs === 0 ? Number.MAX_SAFE_INTEGER : this.#age() / 1000),
    );
  }

  get size(): number {
    return this.#table.size;
  }

  get apiKeyCount(): number {
    return this.#apiKeys.size;
  }

  hasApiKey(id: string): boolean {
    return this.#apiKeys.has(id);
  }

  apiKeyPieces(bytes: number): ApiKeyPieces {
    return this.#apiKeys.pieces(bytes);
  }

  async start(): Promise<void> {
    await this.#read(this.#turn);
    const { store, keys, ca, bundles } = this.#deps;
    const settle = (): void => this.#settle();
    this.#endings.push(
      keys.changed(settle),
      ca.changed(settle),
      store.watch(() => void this.refresh()),
    );
    if (bundles !== undefined) this.#endings.push(bundles.changed(settle));
    this.#schedule();
  }

  position(): FeedPosition {
    return { epoch: this.#epoch, number: this.#number };
  }

  pieces(records: number): RevocationPieces {
    return this.#table.pieces(records);
  }

  observe(observer: StateObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  follow(consumer: FeedConsumer, who: string): () => void {
    const follower = new MemoryFollower(this, consumer, who);
    const end = this.observe(follower);
    follower.reset();
    if (this.asOfMs > 0) follower.current(this.position(), this.asOfMs);
    return end;
  }

  async stepSince(since: number): Promise<(StateStep & { readonly upTo: number }) | undefined> {
    const { epoch, number } = this.position();
    const found = new Map<string, StoredDocument>();
    let at = since;
    while (at < number) {
      // oxlint-disable-next-line no-await-in-loop -- each begins where the last one ended
      const changes = await this.#deps.store.changes(at, LIMITS.changes);
      if (changes.gap || epoch !== this.#epoch) return undefined;
      for (const document of changes.documents) {
        const { collection, id } = document;
        if (isTold(document)) found.set(`${collection}/${id}`, document);
      }
      if (found.size > LIMITS.step || (!changes.more && changes.upTo < number)) return undefined;
      at = changes.upTo;
    }
    const told = this.#told([...found.values()]);
    if (weightOf(told) > LIMITS.stepBytes) return undefined;
    return { ...told, before: since, upTo: at };
  }

  refresh(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if (this.#reading !== undefined) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#readAll().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  close(): void {
    this.#closed = true;
    this.#turn += 1;
    this.#callOff?.();
    for (const end of this.#endings.splice(0)) end();
    this.#observers.clear();
  }

  #age(): number {
    return Math.max(0, this.#deps.clock.now() - this.asOfMs);
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#callOff = this.#deps.timers.after(LIMITS.readEveryMs, () => {
      // Followers drop what has expired by themselves: it is in the entry.
      this.#table.sweep(this.#deps.clock.now(), LIMITS.sweepParts);
      this.#apiKeys.sweep(this.#deps.clock.now(), LIMITS.sweepParts);
      if (this.#deps.clock.now() >= this.#keysDueMs) this.#settle();
      this.#schedule();
      void this.refresh();
    });
  }

  async #readAll(): Promise<void> {
    do {
      this.#again = false;
      await this.#readOnce();
    } while (this.#again && !this.#closed);
  }

  /** One reading, given up where it does not end: the store may hang and yet answer a new question. */
  async #readOnce(): Promise<void> {
    const turn = ++this.#turn;
    let callOff: (() => void) | undefined;
    const tooLong = new Promise<void>((resolve) => {
      callOff = this.#deps.timers.after(LIMITS.readMs, () => {
        if (turn === this.#turn) this.#turn += 1;
        this.#failed(new Error("the store does not answer"));
        resolve();
      });
    });
    const reading = this.#read(turn).then(
      () => this.#succeeded(turn),
      (error: unknown) => {
        if (turn === this.#turn) this.#failed(error);
      },
    );
    await Promise.race([reading, tooLong]);
    callOff?.();
  }

  #succeeded(turn: number): void {
    if (turn !== this.#turn || !this.#failing) return;
    this.#failing = false;
    this.#deps.log.info("the store can be read again");
  }

  /** Said once; the metric of staleness says how long. */
  #failed(error: unknown): void {
    if (this.#failing || this.#closed) return;
    this.#failing = true;
    this.#deps.log.error("the store cannot be read: nothing is vouched for until it can", {
      error: error instanceof Error ? error : new Error(String(error)),
    });
  }

  /** Up to the number that the store has now; then, and only then, all is known as of that moment. */
  async #read(turn: number): Promise<void> {
    const { store } = this.#deps;
    const epoch = await store.epoch();
    const now = await store.now();
    if (turn !== this.#turn) return;
    if (epoch === this.#epoch && (this.#lost || now.number < this.#number)) {
      // What was read is gone and yet nobody made a new epoch. It stays so when the number has caught
      // up: those that are counted again are others, and who knows the former ones would miss them.
      this.#lost = true;
      throw new Error(
        "the store has gone back within one epoch: what was committed since is lost. `sallyport store new-epoch` lets proxies go on by what is there; make anew what was revoked",
      );
    }
    this.#lost = false;
    if (epoch !== this.#epoch) await this.#readEverything(epoch, turn);
    else await this.#readChanges(now.number, turn);
    if (turn !== this.#turn || this.#number < now.number) return;
    this.asOfMs = now.timeMs;
    for (const observer of this.#observers) observer.current(this.position(), now.timeMs);
  }

  async #readChanges(upTo: number, turn: number): Promise<void> {
    while (this.#number < upTo) {
      const changes = await this.#deps.store.changes(this.#number, LIMITS.changes);
      if (turn !== this.#turn) return;
      if (changes.gap) {
        await this.#readEverything(this.#epoch, turn);
        return;
      }
      this.#take(changes.documents, changes.upTo);
      if (!changes.more && changes.upTo < upTo) return;
    }
  }

  /** Changes that happen meanwhile come again with those after `number`: each says all of its entry. */
  async #readEverything(epoch: string, turn: number): Promise<void> {
    const { store } = this.#deps;
    const { number } = await store.now();
    const revocations: RevocationEntry[] = [];
    for await (const document of listed(store, "revocations")) {
      revocations.push(this.#entryOf(document));
    }
    const disabled = new Map<string, string>();
    const machines = new Set<string>();
    for await (const document of listed(store, "workloads")) {
      machines.add(document.id);
      this.#note(document, disabled);
    }
    const machineKeys = new Map<string, readonly PublishedKey[]>();
    for await (const document of listed(store, "assertion-keys")) {
      // Those of a machine that is gone go with it, whatever the store still has.
      if (isOwn(document.id) || machines.has(document.id)) this.#noteKeys(document, machineKeys);
    }
    // Before the keys: whoever is told of one is told under what it was hashed.
    let mac: string | undefined;
    const apiKeys: ApiKeyEntry[] = [];
    if (this.#deps.apiKeys !== undefined) {
      const kept = await store.get("mac-keys", API_KEY_MAC_ID);
      mac = kept && this.#macOf(kept);
      for await (const document of listed(store, "api-keys")) {
        const entry = this.#apiKeyOf(document);
        if (entry !== undefined) apiKeys.push(entry);
      }
    }
    if (turn !== this.#turn) return;
    this.#epoch = epoch;
    this.#number = number;
    this.lastStep = number;
    this.#table.clear();
    for (const entry of revocations) this.#table.set(entry);
    this.#apiKeys.clear();
    for (const entry of apiKeys) this.#apiKeys.set(entry);
    this.#apiKeyMac = mac;
    this.#disabled.clear();
    for (const [id, name] of disabled) this.#disabled.set(id, name);
    this.#machineKeys.clear();
    for (const [id, keys] of machineKeys) this.#machineKeys.set(id, keys);
    this.#writeSettings();
    for (const observer of this.#observers) observer.reset();
  }

  #take(documents: readonly StoredDocument[], upTo: number): void {
    const macs = documents.filter(({ collection }) => collection === "mac-keys");
    for (const document of macs) {
      if (document.id === API_KEY_MAC_ID) this.#apiKeyMac = this.#macOf(document);
    }
    // Before the keys: whoever is told of one is told under what it was hashed.
    if (macs.length > 0) this.#settle();
    // In the order of commits, and never a part of one: what is vouched for next is all up to a number.
    const steps = inSteps(documents.filter(isTold)).map((some) => ({
      ...this.#told(some),
      number: some.at(-1)?.number ?? upTo,
    }));
    const workloads = documents.filter(({ collection }) => collection === "workloads");
    for (const document of workloads) {
      this.#note(document, this.#disabled);
      if (document.body === undefined) this.#machineKeys.delete(document.id);
    }
    for (const document of documents) {
      if (document.collection === "assertion-keys") this.#noteKeys(document, this.#machineKeys);
    }
    for (const [index, { number, ...told }] of steps.entries()) {
      this.#number = index === steps.length - 1 ? upTo : number;
      this.#step(told);
    }
    this.#number = upTo;
    this.#settle();
    if (workloads.length === 0) return;
    const ids = workloads.map(({ id }) => id);
    for (const observer of this.#observers) observer.workloadsChanged(ids);
  }

  #step(told: Told): void {
    for (const entry of told.revocations) this.#table.set(entry);
    for (const digest of told.lifted) this.#table.delete(digest);
    for (const entry of told.apiKeys) this.#apiKeys.set(entry);
    for (const id of told.apiKeysGone) this.#apiKeys.delete(id);
    const step = { ...told, before: this.lastStep };
    this.lastStep = this.#number;
    for (const observer of this.#observers) observer.stepped(step, this.position());
  }

  /**
   * One that cannot be read (a later version wrote it) ends the reading: nothing is vouched for while
   * somebody may have been denied and it is not known who.
   */
  #entryOf(document: StoredDocument): RevocationEntry {
    try {
      return this.#deps.entryOf(document);
    } catch (cause) {
      const message = `the revocation ${document.id} in the store cannot be read`;
      throw new SallyportError("store-failed", message, { cause });
    }
  }

  /** What documents of revocations and API keys say. */
  #told(documents: readonly StoredDocument[]): Told {
    const told = {
      revocations: [] as RevocationEntry[],
      lifted: [] as string[],
      apiKeys: [] as ApiKeyEntry[],
      apiKeysGone: [] as string[],
    };
    for (const document of documents) {
      const { collection, id, body } = document;
      if (collection === "revocations") {
        if (body === undefined) told.lifted.push(id);
        else told.revocations.push(this.#entryOf(document));
        continue;
      }
      const entry = body === undefined ? undefined : this.#apiKeyOf(document);
      if (entry === undefined) told.apiKeysGone.push(id);
      else told.apiKeys.push(entry);
    }
    return told;
  }

  /** One that cannot be read (a later version wrote it) is good for nothing, and harms no other. */
  #apiKeyOf(document: StoredDocument): ApiKeyEntry | undefined {
    try {
      return this.#deps.apiKeys?.entryOf(document);
    } catch (error) {
      this.#deps.log.error("an API key in the store cannot be read: nobody is let in by it", {
        apiKey: document.id,
        error: error instanceof Error ? error : new Error(String(error)),
      });
      return undefined;
    }
  }

  #macOf(document: StoredDocument): string | undefined {
    return document.body === undefined ? undefined : this.#deps.apiKeys?.macOf(document);
  }

  #note(document: StoredDocument, disabled: Map<string, string>): void {
    const name = document.body === undefined ? undefined : this.#deps.disabledOf?.(document);
    if (name === undefined) disabled.delete(document.id);
    else disabled.set(document.id, name);
  }

  #noteKeys(document: StoredDocument, keys: Map<string, readonly PublishedKey[]>): void {
    let told: readonly PublishedKey[] = [];
    try {
      if (document.body !== undefined) told = this.#deps.machineKeysOf?.(document) ?? [];
    } catch (error) {
      // Nobody is let in by them: services refuse what that one machine signs, and all else goes on.
      this.#deps.log.error("the keys of a machine for assertions cannot be read", {
        machine: document.id,
        error: error instanceof Error ? error : new Error(String(error)),
      });
    }
    if (told.length === 0) keys.delete(document.id);
    else keys.set(document.id, told);
  }

  /** Of machines that are let in, as long as they verify. */
  #publishedOfMachines(): readonly PublishedKey[] {
    const nowMs = this.#deps.clock.now();
    const published: PublishedKey[] = [];
    let dueMs = Infinity;
    for (const [id, keys] of this.#machineKeys) {
      if (this.#disabled.has(id)) continue;
      for (const key of keys) {
        if (nowMs >= key.removedMs) continue;
        published.push(key);
        dueMs = Math.min(dueMs, key.removedMs);
      }
    }
    this.#keysDueMs = dueMs;
    return published;
  }

  /** Takes up the settings of now, where they changed. */
  #settle(): void {
    if (this.#closed || !this.#writeSettings()) return;
    for (const observer of this.#observers) observer.settingsChanged();
  }

  #writeSettings(): boolean {
    const { keys, ca, bundles, log } = this.#deps;
    let settings: FeedSettings = {
      keys: keys.published(),
      machineKeys: this.#publishedOfMachines(),
      authorities: ca.roots(),
      bundles: bundles?.assignments() ?? [],
      disabled: [...new Set(this.#disabled.values())],
      ...(this.#apiKeyMac === undefined ? {} : { apiKeyMac: this.#apiKeyMac }),
    };
    let text: string;
    try {
      try {
        text = writeSettings(settings);
      } catch (error) {
        if (settings.machineKeys.length === 0) throw error;
        log.error("there are too many keys of machines for one frame: none of them is published", {
          keys: settings.machineKeys.length,
        });
        // Who is disabled must be heard of, whatever becomes of assertions.
        settings = { ...settings, machineKeys: [] };
        text = writeSettings(settings);
      }
    } catch (error) {
      log.error("the settings of the feed are too large: those before stay in force", {
        error: error instanceof Error ? error : new Error(String(error)),
      });
      return false;
    }
    if (text === this.settingsText) return false;
    this.settings = settings;
    this.settingsText = text;
    this.settingsDigest = settingsDigest(text);
    return true;
  }
}

/** Of an authority's own workers, which nobody enrolled. */
function isOwn(id: string): boolean {
  return id.startsWith(OWN_PREFIX);
}

type Told = Omit<StateStep, "before">;

function isTold({ collection }: StoredDocument): boolean {
  return collection === "revocations" || collection === "api-keys";
}

/** About the bytes that they take in a frame. */
function weightOf({ revocations, apiKeys }: Told): number {
  const keys = apiKeys.reduce((sum, one) => sum + entryWeight(one.subject, one.profile), 0);
  return keys + LIMITS.revocationBytes * revocations.length;
}

/** Whole commits, in as few steps as fit into a frame each. What a commit may hold fits by far. */
function inSteps(documents: readonly StoredDocument[]): StoredDocument[][] {
  const steps: StoredDocument[][] = [];
  let step: StoredDocument[] = [];
  let weight = 0;
  for (const document of documents.toSorted((a, b) => a.number - b.number)) {
    const own = document.collection === "api-keys" ? bodyWeight(document) : LIMITS.revocationBytes;
    if (weight + own > LIMITS.stepBytes && step.at(-1)?.number !== document.number) {
      steps.push(step);
      [step, weight] = [[], 0];
    }
    step.push(document);
    weight += own;
  }
  if (step.length > 0) steps.push(step);
  return steps;
}

/** Its entry takes less than the document, however it is escaped. */
function bodyWeight({ body }: StoredDocument): number {
  return 100 + 3 * JSON.stringify(body ?? {}).length;
}

async function* listed(
  store: Pick<Store, "list">,
  collection: "revocations" | "workloads" | "api-keys" | "assertion-keys",
): AsyncGenerator<StoredDocument> {
  let after: string | undefined;
  for (;;) {
    const page = await store.list(collection, { after, limit: LIMITS.list });
    yield* page;
    after = page.at(-1)?.id;
    if (page.length < LIMITS.list) return;
  }
}

/** A consumer in the same process: gets what others get over the wire. */
class MemoryFollower implements StateObserver {
  readonly #state: StoreState;
  readonly #consumer: FeedConsumer;
  readonly #who: string;
  #told: FeedSettings = NO_SETTINGS;

  constructor(state: StoreState, consumer: FeedConsumer, who: string) {
    this.#state = state;
    this.#consumer = consumer;
    this.#who = who;
  }

  reset(): void {
    const at = this.#state.position();
    let news = this.#news(true);
    let reset = true;
    for (const piece of this.#state.pieces(LIMITS.step).packed) {
      const revocations = unpackRevocations(piece) ?? [];
      this.#consumer.apply({ revocations, lifted: [], ...news }, at, { reset });
      news = NO_NEWS;
      reset = false;
    }
    if (this.#state.apiKeyCount === 0) return;
    for (const apiKeys of this.#state.apiKeyPieces(LIMITS.stepBytes).pieces) {
      const change = { revocations: [], lifted: [], apiKeys, ...NO_NEWS };
      this.#consumer.apply(change, at, { reset: false });
    }
  }

  stepped(step: StateStep, at: FeedPosition): void {
    const { revocations, lifted, apiKeys, apiKeysGone } = step;
    const change = { revocations, lifted, apiKeys, apiKeysGone, ...NO_NEWS };
    this.#consumer.apply(change, at, { reset: false });
  }

  settingsChanged(): void {
    const at = this.#state.position();
    const change = { revocations: [], lifted: [], ...this.#news(false) };
    this.#consumer.apply(change, at, { reset: false });
  }

  workloadsChanged(): void {
    // Who may follow is asked where they connect.
  }

  current(at: FeedPosition, asOfMs: number): void {
    this.#consumer.current(at, asOfMs);
  }

  #news(all: boolean): SettingsNews {
    const news = settingsNews(all ? undefined : this.#told, this.#state.settings, this.#who);
    this.#told = this.#state.settings;
    return news;
  }
}
