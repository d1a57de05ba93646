/**
 * Revocations as operators write them: kept in the store, one document a target, from where the feed
 * carries them to every proxy. Each verb may be repeated when nobody knows what became of it: told
 * twice is as told once, and a block is never shortened nor a cut-off moved back by being told again.
 */
import { SallyportError } from "../model/errors.ts";
import type { Log } from "../model/ports.ts";
import { NEVER, type RevocationMode, type RevocationTarget } from "../model/revocation.ts";
import type { Store, StoredDocument, Write } from "../model/store.ts";
import { revocationDigest } from "./revocation-digest.ts";
import {
  bodyFromStore,
  bodyToStore,
  expiryOf,
  LATEST_MS,
  type RevocationBody,
  storedExpiry,
} from "./revocation-document.ts";

/** One revocation as it stands. */
export interface Revocation extends RevocationBody {
  /** Its id: `revocationDigest(target)`. */
  readonly digest: string;
  /** Of the commit that last wrote it. */
  readonly number: number;
  /** The store's clock at that commit, in milliseconds since the epoch. */
  readonly timeMs: number;
}

export interface RevokeOptions {
  readonly mode: RevocationMode;
  /** Of a block: when it ends by itself, in milliseconds since the epoch. Default `NEVER`. */
  readonly untilMs?: number | undefined;
  /**
   * Of a cut-off: when all that it denies has expired by itself, such as the `exp` of the one token
   * that it names. Default: `DEFAULTS.cutoffMs` from now. `NEVER`: it is kept until it is lifted.
   */
  readonly expiresMs?: number | undefined;
  /** For operators, at most 500 characters. */
  readonly reason?: string | undefined;
  /** Who says so: a principal's id. */
  readonly by: string;
}

export interface LiftOptions {
  readonly mode?: RevocationMode | undefined;
  /** Of what is left; as it was when left out. */
  readonly reason?: string | undefined;
  readonly by: string;
  /** The number that it must have now, else RevocationChanged; left out: whatever it is. */
  readonly expect?: number | undefined;
}

/** It is not as whoever lifts it has seen it: somebody else took more away meanwhile. */
export class RevocationChanged extends Error {
  constructor() {
    super("the revocation has changed since it was read");
    this.name = "RevocationChanged";
  }
}

export interface RevocationRegister {
  /** Resolves when it is committed; the feed takes it from there. */
  revoke(target: RevocationTarget, options: RevokeOptions): Promise<Revocation>;
  /**
   * Lifts what `mode` says, all of it where left out. Resolves to what is left, undefined where
   * nothing is. What was issued before a cut-off that is lifted is good again.
   */
  lift(target: RevocationTarget, options: LiftOptions): Promise<Revocation | undefined>;
  get(target: RevocationTarget): Promise<Revocation | undefined>;
  /** By digest, from after `after` on. `limit` from 1 to 1 000. */
  list(options: {
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<readonly Revocation[]>;
}

export interface RevocationRegisterDeps {
  readonly store: Store;
  readonly log: Log;
  /** How many are in force now, as this process's own `RevocationList` counts them. */
  readonly inForce: () => number;
}

export const DEFAULTS = {
  /**
   * How long a cut-off is kept that was not told when. An expired cut-off lets in again what it
   * denied and what has not expired, so it outlasts what anybody sensibly issues: certificates of
   * public authorities live for at most 398 days, tokens for less.
   */
  cutoffMs: 400 * 86_400_000,
} as const;

const LIMITS = {
  /** Half of what a proxy's list holds (`revocation-list.ts`), in 60 bytes each on the feed. */
  entries: 2_000_000,
  /** Of one target, when others write it at the same time. */
  tries: 10,
  page: 1000,
} as const;

export function createRevocationRegister(deps: RevocationRegisterDeps): RevocationRegister {
  const { store, log } = deps;

  async function revoke(target: RevocationTarget, options: RevokeOptions): Promise<Revocation> {
    const { timeMs: nowMs } = await store.now();
    const written = await change(target, (present) => {
      if (present === undefined && deps.inForce() >= LIMITS.entries) {
        throw new SallyportError(
          "revocations-full",
          `${LIMITS.entries} revocations are in force, more are not taken`,
        );
      }
      return revoked(present, { target, options, nowMs });
    });
    if (written === undefined) throw new TypeError("a revocation that was written is there");
    log.info("access was taken away", { ...describe(written), mode: options.mode });
    return written;
  }

  async function lift(
    target: RevocationTarget,
    { mode, reason, by, expect }: LiftOptions,
  ): Promise<Revocation | undefined> {
    let lifted = false;
    const left = await change(target, (present) => {
      if (expect !== undefined && present?.number !== expect) throw new RevocationChanged();
      if (present === undefined) return undefined;
      const cutoff = mode === "block" ? present.cutoff : undefined;
      const block = mode === "revoke" ? present.block : undefined;
      lifted = cutoff !== present.cutoff || block !== present.block;
      if (!lifted) return present;
      if ((cutoff ?? block) === undefined) return undefined;
      return bodyOf({ target, cutoff, block, reason: reason ?? present.reason, by });
    });
    if (lifted) {
      log.info("access was given back", {
        revocation: revocationDigest(target),
        kind: target.kind,
        mode: mode ?? "all",
        by,
      });
    }
    return left;
  }

  /** Writes what `next` makes of what is there, again from the start where somebody was faster. */
  async function change(
    target: RevocationTarget,
    next: (present: Revocation | undefined) => RevocationBody | undefined,
  ): Promise<Revocation | undefined> {
    for (let tries = 0; tries < LIMITS.tries; tries++) {
      const present = await get(target);
      const wanted = next(present);
      if (wanted === present) return present;
      const write = writeOf(revocationDigest(target), wanted, present);
      const commit = await store.commit([write]);
      if (commit.conflict !== undefined) continue;
      const { number, timeMs } = commit;
      return wanted === undefined ? undefined : { ...wanted, digest: write.id, number, timeMs };
    }
    throw new SallyportError("store-unavailable", "others kept writing the same revocation");
  }

  async function get(target: RevocationTarget): Promise<Revocation | undefined> {
    const document = await store.get("revocations", revocationDigest(target));
    return document?.body === undefined ? undefined : revocationFrom(document);
  }

  async function list(options: {
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<readonly Revocation[]> {
    const { after, limit } = options;
    if (!(limit >= 1 && limit <= LIMITS.page)) {
      throw new TypeError(`a page has from 1 to ${LIMITS.page} revocations`);
    }
    const documents = await store.list("revocations", { after, limit });
    return documents.map(revocationFrom);
  }

  return { revoke, lift, get, list };
}

/** What is there, and what it is told now: the later cut-off and the longer block count. */
function revoked(
  present: RevocationBody | undefined,
  told: {
    readonly target: RevocationTarget;
    readonly options: RevokeOptions;
    /** By the store's clock. */
    readonly nowMs: number;
  },
): RevocationBody {
  const { target, options, nowMs } = told;
  const { mode, reason, by } = options;
  let cutoff = isOver(present?.cutoff?.expiresMs, nowMs) ? undefined : present?.cutoff;
  let block = isOver(present?.block?.untilMs, nowMs) ? undefined : present?.block;
  if (mode === "revoke") {
    const expiresMs = future(options.expiresMs ?? nowMs + DEFAULTS.cutoffMs, nowMs);
    cutoff = {
      atMs: Math.max(cutoff?.atMs ?? 0, nowMs),
      expiresMs: Math.max(cutoff?.expiresMs ?? 0, expiresMs),
    };
  } else {
    const untilMs = future(options.untilMs ?? NEVER, nowMs);
    block = { untilMs: Math.max(block?.untilMs ?? 0, untilMs) };
  }
  return bodyOf({ target, cutoff, block, reason: reason ?? present?.reason, by });
}

/** Without members that are undefined: the store keeps JSON. */
function bodyOf({ target, cutoff, block, reason, by }: RevocationBody): RevocationBody {
  return {
    target,
    ...(cutoff === undefined ? {} : { cutoff }),
    ...(block === undefined ? {} : { block }),
    ...(reason === undefined ? {} : { reason }),
    by,
  };
}

function isOver(ms: number | undefined, nowMs: number): boolean {
  return ms !== undefined && ms <= nowMs;
}

/** Throws TypeError: what is over already would deny nothing, and what no proxy can keep would stop them all. */
function future(ms: number, nowMs: number): number {
  if (Number.isSafeInteger(ms) && ms > nowMs && (ms <= LATEST_MS || ms === NEVER)) return ms;
  throw new TypeError("a revocation ends in the future and before the year 2100, or never");
}

function writeOf(
  id: string,
  wanted: RevocationBody | undefined,
  present: Revocation | undefined,
): Write {
  return {
    collection: "revocations",
    id,
    body: wanted === undefined ? undefined : bodyToStore(wanted),
    expiresMs: wanted === undefined ? undefined : storedExpiry(expiryOf(wanted)),
    expect: present?.number ?? "absent",
  };
}

function revocationFrom(document: StoredDocument): Revocation {
  const { id: digest, number, timeMs } = document;
  return { ...bodyFromStore(document), digest, number, timeMs };
}

/** Without the target's name and the operator's reason: logs are read by more people. */
function describe({ digest, target, by }: Revocation): { [name: string]: string } {
  return { revocation: digest, kind: target.kind, by };
}
