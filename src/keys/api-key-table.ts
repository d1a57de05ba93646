/**
 * API keys as numbers in flat memory: 48 bytes a key, the owner's name beside them, and what a key may
 * once for all keys that may the same. A million of them, with owners of their own, take some 240 MB on
 * Node and 270 on Bun in each process that serves (`bench/api-keys.ts`).
 *
 * Open addressing by the first half of the digest (Knuth, The Art of Computer Programming, volume 3,
 * section 6.4), in parts that grow by themselves: nobody waits for a million rows to be moved.
 */
import { timingSafeEqual } from "node:crypto";
import {
  API_KEY_DIGEST,
  API_KEY_ID,
  API_KEY_LIMITS,
  type ApiKeyEntry,
  type ApiKeyProfile,
  readApiKeyProfile,
} from "../model/api-keys.ts";

const ROW = {
  /** Eight words; the first four are the id. */
  digest: 0,
  /** Seconds since the epoch; never 0, which marks a slot without a row. */
  created: 8,
  expires: 9,
  /** Where in the list of owners. */
  subject: 10,
  /** Where in the list of profiles, twice; and one more where it is revoked. */
  profile: 11,
  length: 12,
} as const;

const ID_WORDS = 4;
const DIGEST_BYTES = 32;
const ID_BYTES = 16;
const RANGE = 2 ** 32;

const LIMITS = {
  parts: 1024,
  /** Slots of the smallest part. */
  least: 4,
  load: 0.8,
  growth: 1.5,
} as const;

interface Part {
  slots: Uint32Array;
  capacity: number;
  count: number;
}

interface Profile {
  readonly text: string;
  readonly read: ApiKeyProfile | undefined;
  /** Keys that have it. */
  keys: number;
}

/** A row that was found. */
export interface ApiKeyRow {
  readonly subject: string;
  /** Undefined: it cannot be read. */
  readonly profile: ApiKeyProfile | undefined;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly revoked: boolean;
}

/** All of them at one moment, cut into pieces that fit into a frame each. */
export interface ApiKeyPieces {
  readonly size: number;
  readonly count: number;
  /** Each once; made when asked for. */
  readonly pieces: IterableIterator<readonly ApiKeyEntry[]>;
}

export class ApiKeyTable {
  readonly #parts: (Part | undefined)[] = Array.from({ length: LIMITS.parts });
  readonly #subjects = new Handles<string>();
  readonly #profiles = new Handles<Profile>();
  readonly #byText = new Map<string, number>();
  readonly #row = new Uint32Array(ROW.length);
  #size = 0;
  #swept = 0;

  get size(): number {
    return this.#size;
  }

  get parts(): number {
    return LIMITS.parts;
  }

  /** Adds it, or puts it in the place of what has its id. Throws TypeError for what is no entry. */
  set(entry: ApiKeyEntry): void {
    const row = this.#row;
    if (!API_KEY_DIGEST.test(entry.digest)) throw new TypeError("not the digest of an API key");
    const digest = Buffer.from(entry.digest, "base64url");
    this.#remove(digest);
    readWords(digest, row);
    row[ROW.created] = secondsOf(entry.createdMs);
    row[ROW.expires] = secondsOf(entry.expiresMs);
    row[ROW.subject] = this.#subjects.add(entry.subject);
    row[ROW.profile] = 2 * this.#handleOf(entry.profile) + (entry.revoked ? 1 : 0);
    this.#insert(row);
  }

  /** False where there is none. Throws TypeError for what is no id. */
  delete(id: string): boolean {
    if (!API_KEY_ID.test(id)) throw new TypeError("not the id of an API key");
    return this.#remove(Buffer.from(id, "hex"));
  }

  /**
   * By the whole digest. The row is found by its first half, which tells an attacker nothing: he does
   * not know the MAC key, so he cannot choose digests. The second half is compared in constant time.
   */
  find(digest: Buffer): ApiKeyRow | undefined {
    const found = this.#locate(digest);
    if (found === undefined) return undefined;
    const { slots, at } = found;
    for (let word = ID_WORDS; word < ROW.created; word++) {
      SECOND_HALF.writeUInt32BE(slots[at + word] ?? 0, 4 * (word - ID_WORDS));
    }
    if (!timingSafeEqual(SECOND_HALF, digest.subarray(ID_BYTES, DIGEST_BYTES))) return undefined;
    return this.#read(slots, at);
  }

  /** Throws TypeError for what is no id. */
  has(id: string): boolean {
    if (!API_KEY_ID.test(id)) throw new TypeError("not the id of an API key");
    return this.#locate(Buffer.from(id, "hex")) !== undefined;
  }

  clear(): void {
    this.#parts.fill(undefined);
    this.#subjects.clear();
    this.#profiles.clear();
    this.#byText.clear();
    this.#size = 0;
  }

  /** Forgets, from the next so many parts in turn, what expired long ago. Returns how many went. */
  sweep(nowMs: number, parts: number): number {
    const before = this.#size;
    for (let count = 0; count < parts; count++) {
      this.#sweepPart(this.#swept, (nowMs - API_KEY_LIMITS.keptMs) / 1000);
      this.#swept = (this.#swept + 1) % LIMITS.parts;
    }
    return before - this.#size;
  }

  /**
   * At least one piece. `bytes`: about what the entries of one take as JSON; one entry may take more.
   * Copies what is there: 100 ms for a million.
   */
  pieces(bytes: number): ApiKeyPieces {
    const rows = this.#parts.flatMap((part) => (part === undefined ? [] : [part.slots.slice()]));
    const subjects = this.#subjects.copy();
    const profiles = this.#profiles.copy();
    const sizes = cut(rows, { subjects, profiles, bytes });
    const entryAt = (slots: Uint32Array, at: number): ApiKeyEntry => ({
      digest: digestAt(slots, at),
      subject: subjects[slots[at + ROW.subject] ?? 0] ?? "",
      profile: profiles[(slots[at + ROW.profile] ?? 0) >>> 1]?.text ?? "",
      ...timesAt(slots, at),
    });
    return { size: this.#size, count: sizes.length, pieces: cutting(rows, sizes, entryAt) };
  }

  #read(slots: Uint32Array, at: number): ApiKeyRow {
    return {
      subject: this.#subjects.get(slots[at + ROW.subject] ?? 0) ?? "",
      profile: this.#profiles.get((slots[at + ROW.profile] ?? 0) >>> 1)?.read,
      ...timesAt(slots, at),
    };
  }

  #handleOf(text: string): number {
    const known = this.#byText.get(text);
    if (known !== undefined) {
      const profile = this.#profiles.get(known);
      if (profile !== undefined) profile.keys += 1;
      return known;
    }
    const made = this.#profiles.add({ text, read: readApiKeyProfile(text), keys: 1 });
    this.#byText.set(text, made);
    return made;
  }

  #letGo(handle: number): void {
    const profile = this.#profiles.get(handle);
    if (profile === undefined) return;
    profile.keys -= 1;
    if (profile.keys > 0) return;
    this.#byText.delete(profile.text);
    this.#profiles.remove(handle);
  }

  #locate(digest: Buffer): { readonly slots: Uint32Array; readonly at: number } | undefined {
    const row = this.#row;
    for (let word = 0; word < ID_WORDS; word++) row[word] = digest.readUInt32BE(4 * word);
    const part = this.#parts[partOf(row)];
    const at = part === undefined ? -1 : find(part, row);
    return part === undefined || at < 0 ? undefined : { slots: part.slots, at };
  }

  #insert(row: Uint32Array): void {
    const part = (this.#parts[partOf(row)] ??= emptyPart(LIMITS.least));
    if (part.count + 1 > part.capacity * LIMITS.load) {
      resize(part, Math.ceil(part.capacity * LIMITS.growth));
    }
    insert(part, row, 0);
    part.count += 1;
    this.#size += 1;
  }

  #remove(digest: Buffer): boolean {
    const found = this.#locate(digest);
    if (found === undefined) return false;
    const index = partOf(this.#row);
    const part = this.#parts[index];
    if (part === undefined) return false;
    this.#removeAt(part, found.at);
    if (part.count === 0) this.#parts[index] = undefined;
    return true;
  }

  #removeAt(part: Part, at: number): void {
    this.#subjects.remove(part.slots[at + ROW.subject] ?? 0);
    this.#letGo((part.slots[at + ROW.profile] ?? 0) >>> 1);
    closeGap(part, at);
    part.count -= 1;
    this.#size -= 1;
  }

  #sweepPart(index: number, beforeSeconds: number): void {
    const part = this.#parts[index];
    if (part === undefined) return;
    for (let at = 0; at < part.capacity * ROW.length;) {
      const there = part.slots[at + ROW.created] !== 0;
      // What moves up into the slot is looked at next.
      if (there && (part.slots[at + ROW.expires] ?? 0) < beforeSeconds) this.#removeAt(part, at);
      else at += ROW.length;
    }
    if (part.count === 0) this.#parts[index] = undefined;
  }
}

const SECOND_HALF = Buffer.alloc(DIGEST_BYTES - ID_BYTES);

/** Values by small numbers, which are given again once they are free. */
class Handles<T> {
  #values: (T | undefined)[] = [];
  readonly #free: number[] = [];

  get(handle: number): T | undefined {
    return this.#values[handle];
  }

  add(value: T): number {
    const handle = this.#free.pop() ?? this.#values.length;
    this.#values[handle] = value;
    return handle;
  }

  remove(handle: number): void {
    this.#values[handle] = undefined;
    this.#free.push(handle);
  }

  clear(): void {
    this.#values = [];
    this.#free.length = 0;
  }

  copy(): readonly (T | undefined)[] {
    return [...this.#values];
  }
}

/** How many rows each piece has; at least one piece. */
function cut(
  rows: readonly Uint32Array[],
  {
    subjects,
    profiles,
    bytes,
  }: {
    readonly subjects: readonly (string | undefined)[];
    readonly profiles: readonly (Profile | undefined)[];
    readonly bytes: number;
  },
): number[] {
  const sizes: number[] = [];
  let count = 0;
  let weight = 0;
  let seen = new Set<number>();
  for (const slots of rows) {
    for (let at = 0; at < slots.length; at += ROW.length) {
      if (slots[at + ROW.created] === 0) continue;
      const profile = (slots[at + ROW.profile] ?? 0) >>> 1;
      const subject = subjects[slots[at + ROW.subject] ?? 0] ?? "";
      const text = profiles[profile]?.text ?? "";
      let own = entryWeight(subject, seen.has(profile) ? "" : text);
      if (count > 0 && weight + own > bytes) {
        sizes.push(count);
        [count, weight, seen] = [0, 0, new Set()];
        own = entryWeight(subject, text);
      }
      count += 1;
      weight += own;
      seen.add(profile);
    }
  }
  if (count > 0 || sizes.length === 0) sizes.push(count);
  return sizes;
}

/** At least the bytes that an entry takes as JSON: no character of them takes more than three. */
export function entryWeight(subject: string, profile: string): number {
  return 100 + 3 * subject.length + 3 * profile.length;
}

function* cutting(
  rows: readonly Uint32Array[],
  sizes: readonly number[],
  entryAt: (slots: Uint32Array, at: number) => ApiKeyEntry,
): Generator<readonly ApiKeyEntry[]> {
  let piece: ApiKeyEntry[] = [];
  let made = 0;
  for (const slots of rows) {
    for (let at = 0; at < slots.length; at += ROW.length) {
      if (slots[at + ROW.created] === 0) continue;
      piece.push(entryAt(slots, at));
      if (piece.length < (sizes[made] ?? 0)) continue;
      yield piece;
      piece = [];
      made += 1;
    }
  }
  if (made === 0) yield piece;
}

function timesAt(
  slots: Uint32Array,
  at: number,
): Pick<ApiKeyRow, "createdMs" | "expiresMs" | "revoked"> {
  return {
    createdMs: (slots[at + ROW.created] ?? 0) * 1000,
    expiresMs: (slots[at + ROW.expires] ?? 0) * 1000,
    revoked: ((slots[at + ROW.profile] ?? 0) & 1) === 1,
  };
}

function digestAt(slots: Uint32Array, at: number): string {
  for (let word = 0; word < ROW.created; word++) {
    WHOLE.writeUInt32BE(slots[at + word] ?? 0, 4 * word);
  }
  return WHOLE.toString("base64url");
}

const WHOLE = Buffer.alloc(DIGEST_BYTES);

function readWords(digest: Buffer, row: Uint32Array): void {
  for (let word = 0; word < ROW.created; word++) row[word] = digest.readUInt32BE(4 * word);
}

/** Rounded down: the side on which a key ends earlier, and was made earlier for a cut-off. */
function secondsOf(ms: number): number {
  return Math.min(RANGE - 1, Math.max(1, Math.floor(ms / 1000)));
}

function emptyPart(capacity: number): Part {
  return { slots: new Uint32Array(capacity * ROW.length), capacity, count: 0 };
}

/** By other bits than those that say where in the part. */
function partOf(row: Uint32Array): number {
  return (row[3] ?? 0) % LIMITS.parts;
}

function homeOf(word: number, capacity: number): number {
  return Math.floor((word / RANGE) * capacity) * ROW.length;
}

/** The offset of the row of this id, or -1. A part is never full, so there is an end. */
function find({ slots, capacity }: Part, row: Uint32Array): number {
  const end = capacity * ROW.length;
  let at = homeOf(row[0] ?? 0, capacity);
  while (slots[at + ROW.created] !== 0) {
    if (
      slots[at] === row[0] &&
      slots[at + 1] === row[1] &&
      slots[at + 2] === row[2] &&
      slots[at + 3] === row[3]
    ) {
      return at;
    }
    at += ROW.length;
    if (at === end) at = 0;
  }
  return -1;
}

function insert({ slots, capacity }: Part, from: Uint32Array, offset: number): void {
  const end = capacity * ROW.length;
  let at = homeOf(from[offset] ?? 0, capacity);
  while (slots[at + ROW.created] !== 0) {
    at += ROW.length;
    if (at === end) at = 0;
  }
  for (let index = 0; index < ROW.length; index++) slots[at + index] = from[offset + index] ?? 0;
}

function resize(part: Part, capacity: number): void {
  const { slots } = part;
  part.capacity = capacity;
  part.slots = new Uint32Array(capacity * ROW.length);
  for (let at = 0; at < slots.length; at += ROW.length) {
    if (slots[at + ROW.created] !== 0) insert(part, slots, at);
  }
}

/** Empties a slot and moves up what was pushed beyond it (the same, algorithm R). */
function closeGap({ slots, capacity }: Part, removed: number): void {
  const end = capacity * ROW.length;
  let gap = removed;
  let at = removed;
  for (;;) {
    at += ROW.length;
    if (at === end) at = 0;
    if (slots[at + ROW.created] === 0) break;
    const home = homeOf(slots[at] ?? 0, capacity);
    // It stays where its home lies (cyclically) after the gap: a probe for it would not pass there.
    const stays = gap <= at ? gap < home && home <= at : gap < home || home <= at;
    if (stays) continue;
    slots.copyWithin(gap, at, at + ROW.length);
    gap = at;
  }
  slots.fill(0, gap, gap + ROW.length);
}
