/**
 * The keys that sign on our behalf: one a use, made, published, used, retired and removed by
 * themselves, the same on every replica over one store.
 *
 * Refuses to sign (`signing-unavailable`) once its key is retired and no successor could be had. An
 * emergency rotation takes all keys of a use out of publication in the commit that brings the new
 * one, so nothing that they signed verifies from then on. The key of the feed is replaced in this way
 * by itself where the store was put back from a backup (`store-life.ts`).
 */
import { generateSigningKey } from "../crypto/signing-key.ts";
import type { Sealer } from "../crypto/seal.ts";
import { SallyportError } from "../model/errors.ts";
import type { Clock, Log, LogFields, Metrics, Timers } from "../model/ports.ts";
import { KEY_USES, type KeyUse, type PublishedKey, type Signer } from "../model/signing.ts";
import type { Store, StoredDocument, Write } from "../model/store.ts";
import { createKeeper, type Keeper, type Reading, type Unreadable } from "./keeper.ts";
import { registerKeyMetrics } from "./key-metrics.ts";
import { checkKeyOptions, type KeyOptions, keyPolicy } from "./key-policy.ts";
import {
  type KeyCause,
  keyRecordBody,
  type KeyRecord,
  publishedKey,
  readKeyRecord,
} from "./key-record.ts";
import {
  currentOf,
  dueOf,
  isPublished,
  nextDueMs,
  type Step,
  stepsDue,
  stepsToRotate,
  type Times,
  timesFrom,
} from "./schedule.ts";
import { Listeners } from "./listeners.ts";
import { nextId, readEach } from "./sealed-record.ts";
import { StoreLife } from "./store-life.ts";

export interface KeyManagerDeps {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** From 0 to 1, for jitter; `Math.random` when left out. */
  readonly random?: (() => number) | undefined;
}

/** `upcoming`: published and not used yet. `active`: signs. `retired`: only verifies. */
export type KeyState = "upcoming" | "active" | "retired";

/** A key as operators see it: nothing private. */
export interface KeyInfo extends PublishedKey {
  readonly state: KeyState;
  readonly createdMs: number;
  /** When its successor is to sign; undefined but for the active one. */
  readonly nextMs: number | undefined;
  readonly because: KeyCause;
  readonly by: string | undefined;
  /** Names of the keys that it put an end to at once. */
  readonly replaced: readonly string[];
}

export interface RotateOptions {
  /**
   * False: the next key is published now and signs as soon as everybody knows it. True: a new key
   * signs at once, and nothing verifies that the former ones have signed.
   */
  readonly emergency: boolean;
  /** Who asks; it is kept with the key. */
  readonly by?: string | undefined;
}

export interface KeyManager {
  /** Reads the keys, and makes those that are missing. Rejects as the store does, or with `key-encryption-failed`. */
  start(): Promise<void>;
  /** All keys that are to be known now, by use and by time. */
  published(): readonly PublishedKey[];
  /** Of each use and state; without private parts. */
  list(): readonly KeyInfo[];
  /** The key for one signature; ask again for the next. Throws SallyportError `signing-unavailable`. */
  signer(use: KeyUse): Signer;
  /** Resolves once the new key is in the store. Rejects as the store does; then nothing was changed, or asking again completes it. */
  rotate(use: KeyUse | "all", options: RotateOptions): Promise<void>;
  /** Called after what is published or used may have changed. Returns the function that ends it. */
  changed(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Throws ConfigError for options that do not fit together. */
export function createKeyManager(options: KeyOptions, deps: KeyManagerDeps): KeyManager {
  checkKeyOptions(options);
  return new ScheduledKeys(options, deps);
}

/** Who asks for the rotation after a restore. */
const BY_RESTORE = "restored-store";

/** Records by use, each in the order of `activeMs`. */
type KeysByUse = ReadonlyMap<KeyUse, readonly KeyRecord[]>;

class ScheduledKeys implements KeyManager {
  readonly #options: KeyOptions;
  readonly #deps: KeyManagerDeps;
  readonly #keeper: Keeper<KeysByUse>;
  readonly #life: StoreLife;
  readonly #listeners: Listeners;
  readonly #metrics: ReturnType<typeof registerKeyMetrics>;
  /** What was read last, by id and number: opening costs more than all the rest. */
  #known: ReadonlyMap<string, KeyRecord> | undefined;
  #shown = "";

  constructor(options: KeyOptions, deps: KeyManagerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#life = new StoreLife(deps.store);
    this.#listeners = new Listeners(deps.log);
    this.#keeper = createKeeper<KeysByUse>(
      {
        collection: "signing-keys",
        empty: new Map(),
        look: () => this.#life.look(),
        read: (documents) => this.#read(documents),
        plan: (keys, at) => this.#plan(keys, at),
        dueMs: (keys, nowMs) =>
          Math.min(...KEY_USES.map((use) => nextDueMs(of(keys, use), this.#policy(use), nowMs))),
        looked: () => this.#looked(),
        failed: (reason) => this.#failed(reason),
      },
      deps,
    );
    this.#metrics = registerKeyMetrics(deps.metrics, {
      keys: () => this.list(),
      secondsToRotation: (use) => this.#secondsToRotation(use),
    });
  }

  start(): Promise<void> {
    return this.#keeper.start();
  }

  published(): readonly PublishedKey[] {
    const nowMs = this.#keeper.now();
    return this.#all()
      .filter((record) => isPublished(record, nowMs))
      .map(publishedKey);
  }

  list(): readonly KeyInfo[] {
    const nowMs = this.#keeper.now();
    return this.#all()
      .filter((record) => isPublished(record, nowMs))
      .map((record) => this.#info(record, nowMs));
  }

  signer(use: KeyUse): Signer {
    const current = currentOf(of(this.#keeper.state, use), this.#keeper.now());
    if (current?.key !== undefined) return current.key;
    this.#metrics.failed("no-key");
    throw new SallyportError("signing-unavailable", `there is no key for ${use} that may sign now`);
  }

  async rotate(use: KeyUse | "all", options: RotateOptions): Promise<void> {
    const uses = use === "all" ? KEY_USES : [use];
    const { emergency, by } = options;
    await (emergency ? this.#replace(uses, by) : this.#bringForward(uses, by));
  }

  changed(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }

  async #bringForward(uses: readonly KeyUse[], by: string | undefined): Promise<void> {
    await this.#keeper.act((keys, nowMs, { length }) => {
      if (length > 0) return undefined;
      return uses.flatMap((use) => {
        const records = of(keys, use);
        const steps = stepsToRotate(records, this.#policy(use), nowMs);
        return this.#writes(use, records, steps, { because: "asked", by });
      });
    });
  }

  async #replace(uses: readonly KeyUse[], by: string | undefined): Promise<void> {
    const all = uses.length === KEY_USES.length;
    // What is to go is fixed when it is first seen: where another replica was faster, nothing is left
    // to do, and its new key is not taken for one of the old.
    const doomed = new Map<KeyUse, ReadonlySet<string>>();
    await this.#keeper.act((keys, nowMs, unreadable) => {
      const broken = unreadable.filter((one) => all || uses.some((use) => isOf(one, use)));
      // Where nothing opens, the key-encryption key is another one, and ours would open nowhere else.
      const opens = KEY_USES.some((use) => of(keys, use).length > 0);
      if (broken.length < unreadable.length || (broken.length > 0 && !opens)) return undefined;
      const writes = uses.flatMap((use) => {
        const records = of(keys, use);
        const first = doomed.get(use);
        if (first === undefined) doomed.set(use, new Set(records.map(({ kid }) => kid)));
        else if (first.size > 0 && !records.some(({ kid }) => first.has(kid))) return [];
        const ids = [...records, ...broken].map(({ id }) => id);
        return this.#writesOfEmergency(use, { records, ids, nowMs, by });
      });
      return [...writes, ...broken.map(remove)];
    });
  }

  #writesOfEmergency(
    use: KeyUse,
    given: {
      readonly records: readonly KeyRecord[];
      /** Also of records that cannot be read. */
      readonly ids: readonly string[];
      readonly nowMs: number;
      readonly by: string | undefined;
    },
  ): Write[] {
    const { records, ids, nowMs, by } = given;
    const times = timesFrom(this.#policy(use), nowMs, nowMs);
    const made = this.#make(use, ids, { ...times, because: "emergency", by });
    const removals = records.map((record) => remove(record));
    return [create({ ...made, replaced: records.map(({ kid }) => kid) }, this.#deps), ...removals];
  }

  #plan(keys: KeysByUse, at: { readonly nowMs: number; readonly steady: boolean }): Write[] {
    const writes = KEY_USES.flatMap((use) => {
      const records = of(keys, use);
      if (use === "feed" && records.length > 0 && this.#life.restored) {
        if (!at.steady) return [];
        const ids = records.map(({ id }) => id);
        return this.#writesOfEmergency(use, { records, ids, nowMs: at.nowMs, by: BY_RESTORE });
      }
      // While it is in doubt what time it is, only what there is none of is made.
      if (!at.steady && records.length > 0) return [];
      const steps = stepsDue(records, this.#policy(use), at.nowMs);
      const because = records.length === 0 ? "first" : "schedule";
      return this.#writes(use, records, steps, { because, by: undefined });
    });
    // In the same commit; and not before the key can be replaced.
    const waits = this.#life.restored && !at.steady;
    return waits ? writes : [...writes, ...this.#life.remember()];
  }

  #writes(
    use: KeyUse,
    records: readonly KeyRecord[],
    steps: readonly Step<KeyRecord>[],
    origin: Pick<KeyRecord, "because" | "by">,
  ): Write[] {
    return steps.map((step) => {
      if (step.do === "make") {
        const ids = records.map(({ id }) => id);
        return create(this.#make(use, ids, { ...step.times, ...origin }), this.#deps);
      }
      const { key } = step;
      if (step.do === "remove") return remove(key);
      return step.do === "move"
        ? replace(key, { ...key, ...step.times }, this.#deps)
        : replace(key, { ...key, key: undefined, signs: false }, this.#deps);
    });
  }

  #make(
    use: KeyUse,
    ids: readonly string[],
    given: Times & Pick<KeyRecord, "because" | "by">,
  ): KeyRecord {
    const { algorithm } = this.#options;
    const key = generateSigningKey(algorithm);
    const id = nextId(use, ids);
    const { kid, jwk } = key;
    return {
      id,
      number: 0,
      use,
      kid,
      algorithm,
      jwk,
      key,
      signs: true,
      replaced: [],
      ...given,
    };
  }

  #read(documents: readonly StoredDocument[]): Reading<KeysByUse> {
    const before = this.#known;
    const versionOf = ({ id, number }: Pick<StoredDocument, "id" | "number">): string =>
      `${id} ${number}`;
    const { records: found, ...rest } = readEach(
      documents,
      (document) => before?.get(versionOf(document)) ?? readKeyRecord(this.#deps.sealer, document),
    );
    const state = new Map<KeyUse, readonly KeyRecord[]>();
    for (const use of KEY_USES) {
      const records = found.filter((record) => record.use === use);
      state.set(
        use,
        records.toSorted((a, b) => a.activeMs - b.activeMs),
      );
    }
    if (rest.fault !== undefined) return { state, ...rest };
    const known = new Map(found.map((record) => [versionOf(record), record]));
    this.#known = known;
    // What was there at the start was made some time.
    const kids = new Set([...(before ?? known).values()].map(({ kid }) => kid));
    for (const record of known.values()) if (!kids.has(record.kid)) this.#noticed(record);
    return { state, ...rest };
  }

  /** A key that was not here before: made by this replica or by another one. */
  #noticed({ use, kid, because, by, createdMs, activeMs }: KeyRecord): void {
    this.#metrics.seen(use, because);
    const fields = { use, kid, because, by, active_in_seconds: (activeMs - createdMs) / 1000 };
    if (because === "emergency" && by === BY_RESTORE) {
      this.#deps.log.warn(
        "the store was restored: its feed key was replaced, since proxies may know that an emergency ended it",
        fields,
      );
    } else if (because === "emergency") {
      this.#deps.log.warn("an emergency rotation put an end to all former keys of a use", fields);
    } else this.#deps.log.info("a signing key was made", fields);
  }

  #looked(): void {
    const nowMs = this.#keeper.now();
    const shown = JSON.stringify([
      this.published(),
      KEY_USES.map((use) => currentOf(of(this.#keeper.state, use), nowMs)?.kid),
    ]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#listeners.notify();
  }

  #failed(reason: string): LogFields {
    this.#metrics.failed(reason);
    return { seconds_left: Math.round(this.#secondsLeft()) };
  }

  /** Until the first use has no key to sign with. */
  #secondsLeft(): number {
    const nowMs = this.#keeper.now();
    const ends = KEY_USES.map((use) =>
      Math.max(nowMs, ...of(this.#keeper.state, use).map((record) => record.retiredMs)),
    );
    return (Math.min(...ends) - nowMs) / 1000;
  }

  #secondsToRotation(use: KeyUse): number | undefined {
    const nowMs = this.#keeper.now();
    const current = currentOf(of(this.#keeper.state, use), nowMs);
    return current === undefined ? undefined : (dueOf(current, this.#policy(use)) - nowMs) / 1000;
  }

  #info(record: KeyRecord, nowMs: number): KeyInfo {
    const { createdMs, because, by, replaced } = record;
    const active = currentOf(of(this.#keeper.state, record.use), nowMs) === record;
    const state = active ? "active" : record.activeMs > nowMs ? "upcoming" : "retired";
    const nextMs = active ? dueOf(record, this.#policy(record.use)) : undefined;
    return { ...publishedKey(record), state, createdMs, nextMs, because, by, replaced };
  }

  #all(): readonly KeyRecord[] {
    return KEY_USES.flatMap((use) => of(this.#keeper.state, use));
  }

  #policy(use: KeyUse) {
    return keyPolicy(use, this.#options);
  }
}

function of(keys: KeysByUse, use: KeyUse): readonly KeyRecord[] {
  return keys.get(use) ?? [];
}

function isOf({ id }: Unreadable, use: KeyUse): boolean {
  return id.startsWith(`${use}.`);
}

function create(record: KeyRecord, { sealer }: Pick<KeyManagerDeps, "sealer">): Write {
  const body = keyRecordBody(sealer, record);
  return { collection: "signing-keys", id: record.id, body, expect: "absent" };
}

function replace(
  { id, number }: KeyRecord,
  record: KeyRecord,
  { sealer }: Pick<KeyManagerDeps, "sealer">,
): Write {
  const body = keyRecordBody(sealer, record);
  return { collection: "signing-keys", id, body, expect: number };
}

function remove({ id, number }: Unreadable): Write {
  return { collection: "signing-keys", id, body: undefined, expect: number };
}
