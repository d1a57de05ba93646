/**
 * What is revoked, as every proxy holds it: filled by the feed, asked by the gate on every request.
 *
 * Fails closed. Until it has been vouched for, when it was not for longer than its bound, and when
 * it could not take all that it was told, it is not fresh and the gate denies everything. While a
 * snapshot replaces it, what the former state denied stays denied until the new one is whole.
 */
import type { CredentialFacts } from "../model/facts.ts";
import { SallyportError } from "../model/errors.ts";
import type { Clock, Counter, Family, Log, Metrics, Timers } from "../model/ports.ts";
import { Recurring } from "../model/recurring.ts";
import {
  type RevocationEntry,
  type RevocationKind,
  type Revocations,
} from "../model/revocation.ts";
import { DIGEST_WORDS, digestTarget, readDigest } from "./revocation-digest.ts";
import { type Lineage, lineageOf } from "./revocation-lineage.ts";
import { NamedRows } from "./revocation-names.ts";
import { writeRow } from "./revocation-row.ts";
import { FOREVER, ROW, RevocationTable } from "./revocation-table.ts";

export interface RevocationListOptions {
  /** Milliseconds without word from the authority after which every request is denied. */
  readonly maxStalenessMs: number;
  /** Most entries. Default 4 000 000. With more it is not fresh until a snapshot fits. */
  readonly maxEntries?: number;
}

export interface RevocationListDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface RevocationList extends Revocations {
  /**
   * Takes what has changed. `reset`: a snapshot begins, of which these are the first entries; it is
   * in force alone from the next `heard` on, and until then beside what was there. Some 0.5 µs an
   * entry, in one turn: who has a million hands them over ten thousand at a time. Throws
   * SallyportError `feed-failed` for an entry that cannot be read; then it needs a reset.
   */
  apply(
    entries: Iterable<RevocationEntry>,
    lifted: Iterable<string>,
    options: { readonly reset: boolean },
  ): void;
  /** The authority vouches: all that it had changed until `asOfMs`, by its clock, has been applied. */
  heard(asOfMs: number): void;
  /** Something else that answers rest on has changed: open streams are decided again. */
  moved(): void;
  /** Entries held, those included that have expired and wait to be swept. */
  readonly size: number;
  /** Milliseconds by which it may be behind; Infinity when it was never vouched for. */
  staleness(nowMs: number): number;
  /** Sweeps no more. */
  close(): void;
}

const LIMITS = {
  /**
   * Twice what the register lets in (`revocation-register.ts`), so that a snapshot fits beside what
   * it replaces. 250 MB; beyond it something is wrong, and forgetting any would let somebody in.
   */
  maxEntries: 4_000_000,
  /** Between two slices of the sweep: all of the table is swept once in about a minute. */
  sweepMs: 1000,
  /** Parts in a slice of the sweep: half a millisecond with a million entries. */
  sweepParts: 16,
} as const;

/** Throws TypeError where a bound is not a positive number. */
export function createRevocationList(
  options: RevocationListOptions,
  deps: RevocationListDeps,
): RevocationList {
  const { maxStalenessMs, maxEntries = LIMITS.maxEntries } = options;
  if (!(maxStalenessMs > 0) || !(maxEntries > 0)) {
    throw new TypeError("a revocation list has a positive bound on staleness and on entries");
  }
  return new List({ maxStalenessMs, maxEntries }, deps);
}

/** What is known of one credential: hashing its names anew would cost a microsecond each. */
interface Known {
  /** Digests of its subject and, where it has one, its id. */
  readonly subject: Uint32Array;
  readonly id: Uint32Array | undefined;
  readonly lineage: Lineage | undefined;
  /** The version at which nothing denied it by id, subject or authenticator. */
  cleanAt: number;
}

/** When a credential was issued, by a clock that may be ahead. */
type Issued = Pick<CredentialFacts, "issuedAt" | "clockSkew">;

const NO_VERSION = -1;

class List implements RevocationList {
  readonly #options: Required<RevocationListOptions>;
  readonly #deps: RevocationListDeps;
  readonly #denials: Family<Counter>;
  readonly #table = new RevocationTable();
  readonly #row = new Uint32Array(ROW.length);
  readonly #known = new Recurring<CredentialFacts, Known>();
  readonly #services = new NamedRows(this.#table, (service) => ({ kind: "service", service }));
  readonly #authenticators = new NamedRows(this.#table, (authenticator) => ({
    kind: "authenticator",
    authenticator,
  }));
  readonly #watchers = new Set<() => void>();
  #version = 0;
  /** Of what is applied now. */
  #generation = 1;
  /** What came with an earlier one counts no more. Behind `#generation` while a snapshot comes in. */
  #inForce = 1;
  /** An entry is missing: it had no place, or could not be read. Until the next whole snapshot. */
  #incomplete = false;
  #swept = 0;
  /** By the authority's clock, what was vouched for last. */
  #asOfMs = Number.NEGATIVE_INFINITY;
  /** When that was, on our clock that never goes back: a wall clock set back makes nothing fresh. */
  #asOfMonotonic = Number.NEGATIVE_INFINITY;
  #toldStale = true;
  #cancel: () => void;

  constructor(options: Required<RevocationListOptions>, deps: RevocationListDeps) {
    this.#options = options;
    this.#deps = deps;
    const { metrics, timers } = deps;
    metrics.sampled(
      "sallyport_revocations",
      "Revocations that are held, those included that have expired within a minute.",
      () => this.size,
    );
    this.#denials = metrics.counter(
      "sallyport_revocation_denials",
      "Requests and streams denied by a revocation, by what the revocation names.",
      ["kind"],
    );
    this.#cancel = timers.after(LIMITS.sweepMs, () => this.#tick());
  }

  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#table.size;
  }

  fresh(nowMs: number): boolean {
    const { maxStalenessMs } = this.#options;
    return (
      !this.#incomplete &&
      nowMs - this.#asOfMs <= maxStalenessMs &&
      this.#deps.clock.monotonic() - this.#asOfMonotonic <= maxStalenessMs
    );
  }

  staleness(nowMs: number): number {
    const passed = this.#deps.clock.monotonic() - this.#asOfMonotonic;
    return Math.max(0, nowMs - this.#asOfMs, passed);
  }

  revokedBy(facts: CredentialFacts, service: string | undefined): RevocationKind | undefined {
    if (this.#table.size === 0) return undefined;
    const known = this.#known.get(facts);
    if (known?.cleanAt !== this.#version) {
      const kind = this.#lookUp(facts, known);
      if (kind !== undefined) return kind;
    }
    if (service === undefined) return undefined;
    const row = this.#services.row(service, this.#version);
    return row !== undefined && this.#isCutOff(row, facts) ? "service" : undefined;
  }

  blocksService(service: string | undefined): boolean {
    if (service === undefined || this.#table.size === 0) return false;
    const row = this.#services.row(service, this.#version);
    return row !== undefined && this.#isBlocked(row);
  }

  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => {
      this.#watchers.delete(changed);
    };
  }

  denied(by: RevocationKind): void {
    this.#denials.with(by).inc();
  }

  apply(
    entries: Iterable<RevocationEntry>,
    lifted: Iterable<string>,
    { reset }: { readonly reset: boolean },
  ): void {
    if (reset) this.#beginSnapshot();
    // A reset by itself changes no answer yet.
    let changed = false;
    try {
      for (const entry of entries) {
        changed = true;
        this.#put(entry);
      }
      for (const digest of lifted) {
        changed = true;
        if (!readDigest(digest, this.#row, ROW.digest)) this.#unreadable();
        this.#table.remove(this.#row);
      }
    } finally {
      if (changed) this.#changed();
    }
  }

  heard(asOfMs: number): void {
    const { clock, log } = this.#deps;
    const nowMs = clock.now();
    // A word of the future would keep us content for so long after the last one.
    if (asOfMs - nowMs > this.#options.maxStalenessMs) {
      log.error("the authority's clock is ahead by more than the bound; its word does not count", {
        aheadMs: asOfMs - nowMs,
      });
      return;
    }
    this.#asOfMs = Math.max(this.#asOfMs, asOfMs);
    const age = Math.max(0, nowMs - asOfMs);
    this.#asOfMonotonic = Math.max(this.#asOfMonotonic, clock.monotonic() - age);
    if (this.#inForce !== this.#generation) {
      this.#inForce = this.#generation;
      this.#changed();
    }
    this.#tellFreshness();
  }

  moved(): void {
    this.#changed();
  }

  close(): void {
    this.#cancel();
  }

  #beginSnapshot(): void {
    if (this.#incomplete) {
      // It denies everything by itself; what it holds may be what fills it.
      this.#table.clear();
      this.#incomplete = false;
      this.#asOfMs = Number.NEGATIVE_INFINITY;
      this.#asOfMonotonic = Number.NEGATIVE_INFINITY;
    }
    this.#generation += 1;
  }

  #put(entry: RevocationEntry): void {
    const row = this.#row;
    if (!writeRow(entry, row)) this.#unreadable();
    row[ROW.generation] = this.#generation;
    if (this.#table.size < this.#options.maxEntries || this.#table.has(row)) {
      this.#table.write(row);
      return;
    }
    if (this.#incomplete) return;
    // One long turn rather than no service: what has expired may make room.
    for (let index = 0; index < this.#table.parts; index++) this.#sweepPart(index);
    if (this.#table.size < this.#options.maxEntries) {
      this.#table.write(row);
      return;
    }
    this.#incomplete = true;
    this.#deps.log.error(
      "there are more revocations than can be held; every request is denied until a snapshot fits",
      { entries: this.#table.size },
    );
  }

  #unreadable(): never {
    this.#incomplete = true;
    throw new SallyportError(
      "feed-failed",
      "the digest of a revocation is not 16 bytes in base64url",
    );
  }

  #changed(): void {
    this.#version += 1;
    for (const changed of this.#watchers) changed();
  }

  /** The kind that denies the credential itself; notes where none does. */
  #lookUp(facts: CredentialFacts, known: Known | undefined): RevocationKind | undefined {
    const digests = known ?? digestsOf(facts);
    if (known === undefined && this.#known.again(facts)) this.#known.keep(facts, digests);
    const kind = this.#kind(digests, facts);
    if (kind === undefined) digests.cleanAt = this.#version;
    return kind;
  }

  #kind({ subject, id, lineage }: Known, facts: CredentialFacts): RevocationKind | undefined {
    if (id !== undefined && this.#denies(this.#find(id), facts)) return "id";
    if (this.#denies(this.#find(subject), facts)) return "subject";
    const row = this.#authenticators.row(facts.authenticator, this.#version);
    if (this.#denies(row, facts)) return "authenticator";
    return lineage === undefined ? undefined : this.#kindByLineage(lineage, facts);
  }

  /** What falls with what it was derived from. */
  #kindByLineage(
    { ids, subjects, authenticators }: Lineage,
    facts: CredentialFacts,
  ): RevocationKind | undefined {
    if (ids.some((digest) => this.#isTaken(this.#find(digest)))) return "id";
    const derived = { issuedAt: facts.issuedAt, clockSkew: facts.clockSkew + this.#lateSeconds };
    if (subjects.some((digest) => this.#denies(this.#find(digest), derived))) return "subject";
    const named = authenticators.some((name) =>
      this.#denies(this.#authenticators.row(name, this.#version), derived),
    );
    return named ? "authenticator" : undefined;
  }

  /** An id names one credential: what was derived from it is as dead, whenever that was. */
  #isTaken(row: Uint32Array | undefined): boolean {
    if (row === undefined) return false;
    return this.#isBlocked(row) || ((row[ROW.cutoff] ?? FOREVER) !== 0 && this.#counts(row));
  }

  /**
   * Whoever issues keys may hear of a revocation that much later than it was made, and until then derive
   * keys from what is revoked; they say that they were issued after the cut-off.
   */
  get #lateSeconds(): number {
    return this.#options.maxStalenessMs / 1000;
  }

  #find(digest: Uint32Array): Uint32Array | undefined {
    const row = this.#row;
    for (let index = 0; index < DIGEST_WORDS; index++) row[index] = digest[index] ?? 0;
    return this.#table.read(row) ? row : undefined;
  }

  #denies(row: Uint32Array | undefined, facts: Issued): boolean {
    return row !== undefined && (this.#isBlocked(row) || this.#isCutOff(row, facts));
  }

  #isBlocked(row: Uint32Array): boolean {
    return this.#counts(row) && this.#nowSeconds() < (row[ROW.blockedUntil] ?? FOREVER);
  }

  /**
   * Its issuer's clock may be ahead of the store's by the skew that we grant it, so what it says was
   * issued shortly after the cut-off may have been issued before. `iat` counts whole seconds: what was
   * issued in the second of the cut-off is dead. Without `iat` nobody can tell, so it is dead too.
   */
  #isCutOff(row: Uint32Array, { issuedAt, clockSkew }: Issued): boolean {
    const cutoff = row[ROW.cutoff] ?? FOREVER;
    if (cutoff === 0 || !this.#counts(row)) return false;
    return issuedAt === undefined || issuedAt <= cutoff + clockSkew;
  }

  #counts(row: Uint32Array): boolean {
    return (
      (row[ROW.generation] ?? 0) >= this.#inForce &&
      this.#nowSeconds() < (row[ROW.expires] ?? FOREVER)
    );
  }

  /** Asked only where an entry was found. */
  #nowSeconds(): number {
    return this.#deps.clock.now() / 1000;
  }

  #tick(): void {
    for (let count = 0; count < LIMITS.sweepParts; count++) {
      this.#sweepPart(this.#swept);
      this.#swept = (this.#swept + 1) % this.#table.parts;
    }
    this.#tellFreshness();
    this.#cancel = this.#deps.timers.after(LIMITS.sweepMs, () => this.#tick());
  }

  #sweepPart(index: number): void {
    this.#table.sweep(index, {
      nowSeconds: this.#nowSeconds(),
      generation: this.#inForce,
    });
  }

  /** Once each time: the gate says it with every request. */
  #tellFreshness(): void {
    const { clock, log } = this.#deps;
    const stale = !this.fresh(clock.now());
    if (stale === this.#toldStale) return;
    this.#toldStale = stale;
    if (!stale) {
      log.info("revocations are known; requests are decided", { entries: this.size });
      return;
    }
    log.error("revocations may be missing; every request is denied until the authority is heard", {
      staleMs: Math.round(this.staleness(clock.now())),
    });
  }
}

function digestsOf(facts: CredentialFacts): Known {
  const { authenticator, tokenId, principal } = facts;
  const subject = new Uint32Array(DIGEST_WORDS);
  digestTarget({ kind: "subject", authenticator, subject: principal.subject }, subject, 0);
  const lineage = lineageOf(facts);
  if (tokenId === undefined) return { subject, id: undefined, lineage, cleanAt: NO_VERSION };
  const id = new Uint32Array(DIGEST_WORDS);
  digestTarget({ kind: "id", authenticator, id: tokenId }, id, 0);
  return { subject, id, lineage, cleanAt: NO_VERSION };
}
