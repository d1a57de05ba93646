/**
 * The API keys as each process that serves holds them: filled by the feed, asked with each key that is
 * not known yet, and where they have changed with each that is.
 *
 * Fails closed: without the MAC key nothing is found, and a key whose profile cannot be read is good for
 * nothing. While a snapshot comes in, what was there counts, and what the new one says is revoked is
 * already; the new one takes its place as a whole.
 */
import { createSecretKey, type KeyObject } from "node:crypto";
import { macOfApiKey } from "../crypto/api-key-text.ts";
import type { ApiKeyEntry, ApiKeys, ApiKeyUse, KnownApiKey } from "../model/api-keys.ts";
import type { Metrics } from "../model/ports.ts";
import { type ApiKeyRow, ApiKeyTable } from "./api-key-table.ts";

export interface ApiKeyNews {
  readonly entries: readonly ApiKeyEntry[];
  /** Ids of those that were removed. */
  readonly gone: readonly string[];
  /** base64url; undefined: as it was. Empty: there is none. */
  readonly mac: string | undefined;
}

export interface ApiKeyDirectory extends ApiKeys {
  /** `reset`: a snapshot begins. True where an answer may have changed. Throws TypeError for what is no entry. */
  apply(news: ApiKeyNews, options: { readonly reset: boolean }): boolean;
  /** The authority vouches for what was applied: a snapshot is whole. True where an answer may have changed. */
  heard(): boolean;
  /** Those that were used since it was asked last. */
  takeUses(): readonly ApiKeyUse[];
  /** Keys, those included that have expired lately. */
  readonly size: number;
  /** Forgets some of those that expired long ago; to be called now and then. */
  sweep(nowMs: number): void;
}

const LIMITS = {
  /** Uses that are remembered between two reports; beyond it those of further keys are not told. */
  uses: 10_000,
  /** Parts that are swept at a time, of 1024. */
  sweepParts: 16,
} as const;

export function createApiKeyDirectory({ metrics }: { readonly metrics: Metrics }): ApiKeyDirectory {
  return new Directory(metrics);
}

class Directory implements ApiKeyDirectory {
  version = 0;
  #table = new ApiKeyTable();
  /** A snapshot that is coming in. */
  #next: ApiKeyTable | undefined;
  #mac: KeyObject | undefined;
  #macText = "";
  #uses = new Map<string, number>();

  constructor(metrics: Metrics) {
    metrics.sampled(
      "sallyport_api_keys",
      "API keys that are known here, those included that expired in the last 30 days.",
      () => this.size,
    );
  }

  get size(): number {
    return this.#table.size;
  }

  find(text: string): KnownApiKey | undefined {
    if (this.#mac === undefined) return undefined;
    const digest = macOfApiKey(text, this.#mac);
    const row = this.#row(digest);
    if (row?.profile === undefined) return undefined;
    const { profile, subject, createdMs, expiresMs, revoked } = row;
    const id = digest.toString("hex", 0, 16);
    return Object.freeze({
      ...profile,
      id,
      digest,
      profile,
      subject,
      createdMs,
      expiresMs,
      revoked,
    }) satisfies Found;
  }

  stands(known: KnownApiKey): boolean {
    const { digest, profile, subject, createdMs, expiresMs, revoked } = known as Found;
    if (this.#mac === undefined) return false;
    const row = this.#row(digest);
    return (
      row !== undefined &&
      row.profile === profile &&
      row.subject === subject &&
      row.createdMs === createdMs &&
      row.expiresMs === expiresMs &&
      row.revoked === revoked
    );
  }

  ended(known: KnownApiKey): boolean {
    const row = this.#row((known as Found).digest);
    return row === undefined || row.revoked;
  }

  used(id: string, nowMs: number): void {
    if (this.#uses.size < LIMITS.uses || this.#uses.has(id)) this.#uses.set(id, nowMs);
  }

  takeUses(): readonly ApiKeyUse[] {
    const uses = [...this.#uses].map(([id, atMs]) => ({ id, atMs }));
    this.#uses = new Map();
    return uses;
  }

  apply({ entries, gone, mac }: ApiKeyNews, { reset }: { readonly reset: boolean }): boolean {
    const told = mac !== undefined && mac !== this.#macText;
    if (told) {
      this.#macText = mac;
      this.#mac = mac === "" ? undefined : createSecretKey(mac, "base64url");
    }
    if (reset) this.#next = new ApiKeyTable();
    const table = this.#next ?? this.#table;
    for (const entry of entries) table.set(entry);
    for (const id of gone) table.delete(id);
    const changed = told || entries.length + gone.length > 0;
    if (changed) this.version += 1;
    return changed;
  }

  heard(): boolean {
    if (this.#next === undefined) return false;
    const changed = this.#next.size + this.#table.size > 0;
    this.#table = this.#next;
    this.#next = undefined;
    if (changed) this.version += 1;
    return changed;
  }

  sweep(nowMs: number): void {
    this.#table.sweep(nowMs, LIMITS.sweepParts);
  }

  #row(digest: Buffer): ApiKeyRow | undefined {
    const row = this.#table.find(digest);
    const next = row === undefined ? undefined : this.#next?.find(digest);
    return next?.revoked === true ? next : row;
  }
}

/** What `find` has given, with what `stands` needs. */
interface Found extends KnownApiKey {
  readonly digest: Buffer;
  readonly profile: KnownApiKey | object;
}
