/**
 * The authority's own small CA: what enrolled machines, the authority's servers and the feed's key
 * are known by. One level: roots that sign end entities, made, published ahead, changed and removed
 * by the same schedule as signing keys, the same on every replica.
 *
 * ECDSA on P-256 throughout: TLS clients that take Ed25519 in certificates are still the exception
 * (Java since 15, no browser, no managed load balancer), while everybody takes P-256 (RFC 8446
 * section 9.1 makes it mandatory).
 *
 * Refuses to issue past the end of its root, for longer than a month, and names that could be read
 * as others.
 */
import type { KeyObject } from "node:crypto";
import { type CertificateUsage, issueCertificate } from "../crypto/issue-certificate.ts";
import type { Sealer } from "../crypto/seal.ts";
import { SallyportError } from "../model/errors.ts";
import type { Clock, Log, LogFields, Metrics, Timers } from "../model/ports.ts";
import type { Store, StoredDocument, Write } from "../model/store.ts";
import { createKeeper, type Keeper, type Reading, type Unreadable } from "./keeper.ts";
import { Listeners } from "./listeners.ts";
import {
  makeRoot,
  readRootRecord,
  type RootCause,
  rootRecordBody,
  type RootRecord,
} from "./root-record.ts";
import {
  currentOf,
  dueOf,
  isPublished,
  nextDueMs,
  type SchedulePolicy,
  SKEW_MS,
  type Step,
  stepsDue,
  stepsToRotate,
  type Times,
  timesFrom,
} from "./schedule.ts";
import { nextId, readEach } from "./sealed-record.ts";

const DAY = 24 * 3_600_000;

export const CERTIFICATE_LIMITS = {
  /** Long enough for a clock that is off by a skew at each end. */
  minLifetimeMs: 5 * 60_000,
  /** What has been off for a month enrols anew. Also what a root outlives its last certificate by. */
  maxLifetimeMs: 30 * DAY,
  /**
   * A machine whose clock is behind would see a fresh certificate as not valid yet. Not more: who
   * reads logs by the beginning of a certificate should find when it was issued.
   */
  backdateMs: SKEW_MS,
} as const;

/** Roots are trusted by who was told of them: a machine that hears of it within a month keeps its trust, and one that does not has no valid certificate left either. */
const ROOTS: SchedulePolicy = {
  rotateMs: 365 * DAY,
  graceMs: 90 * DAY,
  lifetimeMs: CERTIFICATE_LIMITS.maxLifetimeMs,
  aheadMs: CERTIFICATE_LIMITS.maxLifetimeMs,
  makeMs: 60 * DAY,
};

export interface CertificateAuthorityDeps {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** From 0 to 1, for jitter; `Math.random` when left out. */
  readonly random?: (() => number) | undefined;
}

export interface CertificateOrder {
  /** P-256, P-384, Ed25519, or RSA from 2048 bits on. Whoever orders has proof that its private half is the machine's. */
  readonly publicKey: KeyObject;
  readonly commonName: string;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  /** At least one. */
  readonly usages: readonly CertificateUsage[];
  /** From now on, in milliseconds: from five minutes to 30 days. */
  readonly lifetimeMs: number;
}

export interface MachineCertificate {
  readonly pem: string;
  readonly der: Buffer;
  /** Lower-case hex. */
  readonly serial: string;
  readonly notAfterMs: number;
}

/** A root as operators see it. */
export interface RootInfo {
  readonly pem: string;
  readonly state: "upcoming" | "active" | "retired";
  readonly createdMs: number;
  readonly activeMs: number;
  /** When its successor is to sign; undefined but for the active one. */
  readonly nextMs: number | undefined;
  readonly removedMs: number;
  readonly because: RootCause;
  readonly by: string | undefined;
}

export interface CertificateAuthority {
  /** Reads the roots, and makes the first one. Rejects as the store does, or with `key-encryption-failed`. */
  start(): Promise<void>;
  /** PEM of every root that is to be trusted now, oldest first. */
  roots(): readonly string[];
  list(): readonly RootInfo[];
  /**
   * Throws SallyportError `signing-unavailable` without a root that may sign, `certificate-invalid`
   * for names and keys that are refused, and RangeError for a life out of bounds.
   */
  issue(order: CertificateOrder): MachineCertificate;
  /**
   * Another root. Without `emergency` it is published now, and signs in a month. With it the former
   * roots are trusted no longer: every machine has to enrol anew.
   */
  rotate(options: { readonly emergency: boolean; readonly by?: string | undefined }): Promise<void>;
  /** Called after the roots may have changed. Returns the function that ends it. */
  changed(listener: () => void): () => void;
  close(): Promise<void>;
}

export function createCertificateAuthority(deps: CertificateAuthorityDeps): CertificateAuthority {
  return new ScheduledRoots(deps);
}

class ScheduledRoots implements CertificateAuthority {
  readonly #deps: CertificateAuthorityDeps;
  readonly #keeper: Keeper<readonly RootRecord[]>;
  readonly #listeners: Listeners;
  readonly #issued: (usage: string) => void;
  readonly #failures: (reason: string) => void;
  #shown = "";

  constructor(deps: CertificateAuthorityDeps) {
    this.#deps = deps;
    this.#listeners = new Listeners(deps.log);
    this.#keeper = createKeeper<readonly RootRecord[]>(
      {
        collection: "certificate-authorities",
        empty: [],
        read: (documents) => this.#read(documents),
        plan: (roots, at) => this.#plan(roots, at),
        dueMs: (roots, nowMs) => nextDueMs(roots, ROOTS, nowMs),
        looked: () => this.#looked(),
        failed: (reason) => this.#failed(reason),
      },
      deps,
    );
    const { metrics } = deps;
    const issued = metrics.counter(
      "sallyport_certificates_issued_total",
      "Certificates that our own CA has issued, by what they are good for.",
      ["usage"],
    );
    this.#issued = (usage) => issued.with(usage).inc();
    const failures = metrics.counter(
      "sallyport_certificate_authority_failures_total",
      "Times that roots could not be kept as scheduled, or that there was none to sign with.",
      ["reason"],
    );
    this.#failures = (reason) => failures.with(reason).inc();
    metrics.sampled(
      "sallyport_certificate_authority_rotation_due_seconds",
      "Until the successor of the root in use is to sign; below zero it is late.",
      () => {
        const current = this.#current();
        return current === undefined ? 0 : (dueOf(current, ROOTS) - this.#keeper.now()) / 1000;
      },
    );
  }

  start(): Promise<void> {
    return this.#keeper.start();
  }

  roots(): readonly string[] {
    return this.list().map(({ pem }) => pem);
  }

  list(): readonly RootInfo[] {
    const nowMs = this.#keeper.now();
    const current = this.#current();
    return this.#keeper.state
      .filter((root) => isPublished(root, nowMs))
      .map((root) => {
        const { pem, createdMs, activeMs, removedMs, because, by } = root;
        const active = root === current;
        const state = active ? "active" : activeMs > nowMs ? "upcoming" : "retired";
        const nextMs = active ? dueOf(root, ROOTS) : undefined;
        return { pem, state, createdMs, activeMs, nextMs, removedMs, because, by };
      });
  }

  issue(order: CertificateOrder): MachineCertificate {
    const { lifetimeMs, usages } = order;
    const { minLifetimeMs, maxLifetimeMs, backdateMs } = CERTIFICATE_LIMITS;
    if (!(lifetimeMs >= minLifetimeMs && lifetimeMs <= maxLifetimeMs)) {
      throw new RangeError("a certificate lives from five minutes to 30 days");
    }
    if (usages.length === 0) throw new TypeError("a certificate is good for something");
    const nowMs = this.#keeper.now();
    const root = this.#current();
    if (root?.key === undefined) {
      this.#failures("no-root");
      throw new SallyportError("signing-unavailable", "there is no root that may sign now");
    }
    const notBeforeMs = Math.max(nowMs - backdateMs, root.notBeforeMs);
    const notAfterMs = wholeSecond(Math.min(nowMs + lifetimeMs, root.notAfterMs));
    const issued = issueCertificate(
      { ...order, notBeforeMs, notAfterMs },
      { commonName: root.commonName, privateKey: root.key.privateKey },
    );
    for (const usage of new Set(usages)) this.#issued(usage);
    return { pem: issued.pem, der: issued.der, serial: issued.serial, notAfterMs };
  }

  async rotate(options: { readonly emergency: boolean; readonly by?: string }): Promise<void> {
    const { emergency, by } = options;
    let doomed: ReadonlySet<string> | undefined;
    await this.#keeper.act((roots, nowMs, unreadable) => {
      if (unreadable.length > 0 && !(emergency && roots.length > 0)) return undefined;
      if (!emergency) {
        const steps = stepsToRotate(roots, ROOTS, nowMs);
        return this.#writes(roots, steps, { because: "asked", by });
      }
      // Where another replica was faster, its new root is not one of those that are to go.
      const ids = doomed ?? new Set(roots.map(({ id }) => id));
      if (doomed !== undefined && !roots.some(({ id }) => ids.has(id))) return [];
      doomed = ids;
      const all = [...roots, ...unreadable];
      const made = this.#make(all, timesFrom(ROOTS, nowMs, nowMs), { because: "emergency", by });
      return [create(made, this.#deps), ...all.map(remove)];
    });
  }

  changed(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }

  #current(): RootRecord | undefined {
    return currentOf(this.#keeper.state, this.#keeper.now());
  }

  #plan(
    roots: readonly RootRecord[],
    at: { readonly nowMs: number; readonly steady: boolean },
  ): Write[] {
    if (!at.steady && roots.length > 0) return [];
    const because = roots.length === 0 ? "first" : "schedule";
    return this.#writes(roots, stepsDue(roots, ROOTS, at.nowMs), { because, by: undefined });
  }

  #writes(
    roots: readonly RootRecord[],
    steps: readonly Step<RootRecord>[],
    origin: Pick<RootRecord, "because" | "by">,
  ): Write[] {
    return steps.flatMap((step) => {
      if (step.do === "make") return [create(this.#make(roots, step.times, origin), this.#deps)];
      const { key } = step;
      if (step.do === "remove") return [remove(key)];
      if (step.do === "erase") {
        return [replace(key, { ...key, key: undefined, signs: false }, this.#deps)];
      }
      // What is in the certificate stays: a root is never trusted past its own end.
      if (step.times.removedMs > key.notAfterMs) return [];
      return [replace(key, { ...key, ...step.times }, this.#deps)];
    });
  }

  #make(
    roots: readonly Unreadable[],
    times: Times,
    origin: Pick<RootRecord, "because" | "by">,
  ): RootRecord {
    const id = nextId(
      "root",
      roots.map((root) => root.id),
    );
    const notBeforeMs = times.createdMs - CERTIFICATE_LIMITS.backdateMs;
    return makeRoot({ id, times, notBeforeMs, ...origin });
  }

  #read(documents: readonly StoredDocument[]): Reading<readonly RootRecord[]> {
    const known = new Map(this.#keeper.state.map((root) => [`${root.id} ${root.number}`, root]));
    const { records, ...rest } = readEach(
      documents,
      (document) =>
        known.get(`${document.id} ${document.number}`) ??
        readRootRecord(this.#deps.sealer, document),
    );
    return { state: records.toSorted((a, b) => a.activeMs - b.activeMs), ...rest };
  }

  #looked(): void {
    const shown = JSON.stringify([this.roots(), this.#current()?.id]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#deps.log.info("the certificate authority has its roots", {
      roots: this.roots().length,
      active: this.#current()?.commonName,
      because: this.#current()?.because,
    });
    this.#listeners.notify();
  }

  #failed(reason: string): LogFields {
    this.#failures(reason);
    const until = Math.max(0, ...this.#keeper.state.map(({ retiredMs }) => retiredMs));
    return { seconds_left: Math.round(Math.max(0, until - this.#keeper.now()) / 1000) };
  }
}

function create(root: RootRecord, { sealer }: Pick<CertificateAuthorityDeps, "sealer">): Write {
  const body = rootRecordBody(sealer, root);
  return { collection: "certificate-authorities", id: root.id, body, expect: "absent" };
}

function replace(
  { id, number }: RootRecord,
  root: RootRecord,
  { sealer }: Pick<CertificateAuthorityDeps, "sealer">,
): Write {
  const body = rootRecordBody(sealer, root);
  return { collection: "certificate-authorities", id, body, expect: number };
}

function remove({ id, number }: Unreadable): Write {
  return { collection: "certificate-authorities", id, body: undefined, expect: number };
}

/** As a certificate can hold it. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
