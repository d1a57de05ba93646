/**
 * Verified facts, so that a token's signature is checked once and not with every request.
 *
 * The key is the SHA-256 of the whole credential together with the hash of the configuration that
 * it was verified under: two authenticators never share an entry, and neither do two versions of
 * one. Failures are not kept: an attacker could fill it with them. An entry is not given out past
 * its expiry or once its key is not valid.
 *
 * Bounded in entries and bytes. Two generations: entries go into the young one; when it is full it
 * becomes the old one and the old one is dropped whole; a hit in the old one moves back. That keeps
 * what is in use at the cost of two map look-ups, without a list to re-link on every hit.
 */
import type { CredentialFacts } from "../model/facts.ts";
import type { Clock, Counter, Metrics } from "../model/ports.ts";

export interface FactsCacheOptions {
  /** Most entries. Default 10000. */
  readonly maxEntries?: number;
  /** Most bytes, estimated. Default 16 MiB. */
  readonly maxBytes?: number;
}

export interface FactsCache {
  get(configHash: string, credentialHash: string): CredentialFacts | undefined;
  /** `credentialChars`: length of the credential, which strings in the facts may keep alive. */
  put(configHash: string, facts: CredentialFacts, credentialChars: number): void;
  /** Entries, those included that are no longer given out. */
  readonly size: number;
}

const DEFAULTS = {
  /**
   * Tokens in use at once on one process; one that fell out costs a signature check. An entry holds
   * some 1.5 KB, but what counts is the garbage of those that come and go: under a flood of
   * different tokens Node stays 50 MB smaller with ten thousand than with twenty.
   */
  maxEntries: 10_000,
  maxBytes: 16 * 1024 * 1024,
} as const;

/** Heap of an entry with its objects and empty strings, measured on both runtimes. */
const ENTRY_BYTES = 1024;

/** Throws TypeError where a bound is not a positive number. */
export function createFactsCache(
  options: FactsCacheOptions,
  deps: { readonly clock: Clock; readonly metrics: Metrics },
): FactsCache {
  return new TwoGenerations({ ...DEFAULTS, ...options }, deps);
}

interface Entry {
  readonly facts: CredentialFacts;
  readonly bytes: number;
}

class TwoGenerations implements FactsCache {
  readonly #clock: Clock;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #hits: Counter;
  readonly #misses: Counter;
  #young = new Map<string, Entry>();
  #old = new Map<string, Entry>();
  #youngBytes = 0;

  constructor(
    options: Required<FactsCacheOptions>,
    deps: { readonly clock: Clock; readonly metrics: Metrics },
  ) {
    if (!(options.maxEntries >= 2) || !(options.maxBytes >= 2)) {
      throw new TypeError("a facts cache holds at least two entries and two bytes");
    }
    this.#clock = deps.clock;
    // Half for each generation.
    this.#maxEntries = options.maxEntries / 2;
    this.#maxBytes = options.maxBytes / 2;
    const lookups = deps.metrics.counter(
      "sallyport_facts_cache_lookups",
      "Look-ups of verified credentials, by result.",
      ["result"],
    );
    this.#hits = lookups.with("hit");
    this.#misses = lookups.with("miss");
    deps.metrics.sampled(
      "sallyport_facts_cache_entries",
      "Verified credentials that are kept.",
      () => this.size,
    );
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(configHash: string, credentialHash: string): CredentialFacts | undefined {
    const key = configHash + credentialHash;
    const entry = this.#young.get(key) ?? this.#promote(key);
    if (entry !== undefined && this.#serves(entry.facts)) {
      this.#hits.inc();
      return entry.facts;
    }
    if (entry !== undefined) this.#remove(key, entry);
    this.#misses.inc();
    return undefined;
  }

  put(configHash: string, facts: CredentialFacts, credentialChars: number): void {
    if (!this.#serves(facts)) return;
    const key = configHash + facts.credentialHash;
    this.#insert(key, { facts, bytes: weigh(facts) + credentialChars });
  }

  #serves(facts: CredentialFacts): boolean {
    return this.#clock.now() / 1000 < facts.expiresAt + facts.clockSkew && facts.valid();
  }

  #promote(key: string): Entry | undefined {
    const entry = this.#old.get(key);
    if (entry === undefined) return undefined;
    this.#old.delete(key);
    this.#insert(key, entry);
    return entry;
  }

  #insert(key: string, entry: Entry): void {
    // One that is larger than a generation by itself is not worth the others.
    if (entry.bytes > this.#maxBytes) return;
    const earlier = this.#young.get(key);
    if (earlier !== undefined) this.#remove(key, earlier);
    if (this.#young.size >= this.#maxEntries || this.#youngBytes + entry.bytes > this.#maxBytes) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(key, entry);
    this.#youngBytes += entry.bytes;
  }

  #remove(key: string, entry: Entry): void {
    if (this.#young.delete(key)) this.#youngBytes -= entry.bytes;
  }
}

const NONE: readonly never[] = [];

function weigh(facts: CredentialFacts): number {
  const { principal, device, narrowed = NONE, ancestors = NONE } = facts;
  let bytes = ENTRY_BYTES + text(principal.subject) + text(facts.tokenId) + text(facts.clientId);
  bytes += text(facts.acr) + texts(facts.amr) + texts(facts.audience ?? []) + texts(facts.scopes);
  bytes += texts(principal.roles) + texts(principal.groups) + attributeBytes(principal.attributes);
  if (device !== undefined) bytes += text(device.subject) + attributeBytes(device.attributes);
  for (const { type, ...members } of narrowed) {
    bytes += text(type);
    for (const names of Object.values(members)) bytes += texts(names ?? NONE);
  }
  for (const { authenticator, id, principal: owner } of ancestors) {
    bytes += 64 + text(authenticator) + text(id) + text(owner?.subject);
  }
  if (facts.actor !== undefined) bytes += text(facts.actor.subject) + texts(facts.actor.behind);
  return bytes;
}

function attributeBytes(attributes: CredentialFacts["principal"]["attributes"]): number {
  let bytes = 0;
  for (const value of Object.values(attributes)) {
    bytes += typeof value === "object" ? texts(value) : text(value);
  }
  return bytes;
}

/** Header of a string and two bytes a character, the worst of both runtimes. */
function text(value: string | number | bigint | boolean | undefined): number {
  return typeof value === "string" ? 24 + 2 * value.length : 16;
}

function texts(values: readonly string[]): number {
  let bytes = 32;
  for (const value of values) bytes += text(value);
  return bytes;
}
