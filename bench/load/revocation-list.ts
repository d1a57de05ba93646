/**
 * A program that fills a revocation list as the feed does, asks it as the gate does, and prints what
 * that cost as one line of JSON: `revocation-list.ts ENTRIES`. A process of its own, so that its
 * memory is the list's.
 */
import { hash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { type GateInput, isDenial } from "../../src/gate/decision.ts";
import { createGate } from "../../src/gate/gate.ts";
import { createRouter } from "../../src/gate/router.ts";
import type { GateRoute } from "../../src/gate/snapshot.ts";
import { createRevocationList, type RevocationList } from "../../src/keys/revocation-list.ts";
import type { CredentialFacts } from "../../src/model/facts.ts";
import {
  NEVER,
  NO_REVOCATIONS,
  type RevocationEntry,
  type Revocations,
} from "../../src/model/revocation.ts";
import { METHODS } from "../../src/model/vocabulary.ts";
import { revocationDigest } from "../../src/keys/revocation-digest.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { createDecisionIds } from "../../src/platform/decision-id.ts";
import type { Timers } from "../../src/model/ports.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

export interface RevocationFigures {
  readonly entries: number;
  /** Resident memory that the list added, the garbage of filling it collected. */
  readonly residentBytes: number;
  /** Of one entry with its digest read from text, in microseconds. */
  readonly applyUs: number;
  /** The longest that one entry took: what growing holds up a process for, in milliseconds. */
  readonly longestEntryMs: number;
  /** The longest turn in which a thousand were taken, collections included, in milliseconds. */
  readonly longestTurnMs: number;
  /** The longest slice of the sweep, in milliseconds. */
  readonly longestSweepMs: number;
  /** A credential that was asked about before, nothing having changed: what a request pays, in microseconds. */
  readonly known: Spread;
  /** The same after a change: its names are looked up anew. */
  readonly changed: Spread;
  /** A credential that never came before: its names are hashed, too. */
  readonly first: Spread;
  /** One that is revoked. */
  readonly revoked: Spread;
  /**
   * A decision of the gate about credentials that are known, policies and log left out, in
   * microseconds: where there is no authority, and with this list.
   */
  readonly decisionUs: { readonly without: number; readonly with: number };
}

export interface Spread {
  readonly medianUs: number;
  readonly p99Us: number;
}

const LIMITS = {
  /** Entries in one turn. */
  turn: 1000,
  /** Look-ups in one timed batch: the clock is coarser than one. */
  batch: 32,
  batches: 3000,
  /** Credentials in use: as many as what recurs is kept of. */
  credentials: 4096,
  /** Half of the entries are blocks of ids, as many cut-offs of subjects. */
  kinds: 2,
  /** Callers of the decisions, decisions in a round, and rounds. */
  callers: 50,
  decisions: 20_000,
  rounds: 30,
} as const;

if (import.meta.main) {
  console.log(JSON.stringify(await measure(Number(process.argv[2]))));
  process.exit(0);
}

async function measure(entries: number): Promise<RevocationFigures> {
  const silent = (): void => undefined;
  const sweeps = sweepTimes();
  const list = createRevocationList(
    { maxStalenessMs: 3_600_000 },
    {
      clock: systemClock,
      timers: sweeps.timers,
      metrics: createMetrics(),
      log: { debug: silent, info: silent, warn: silent, error: silent },
    },
  );
  // What comes before the first entries (compiled code, a first heap) is not the list's.
  fill(list, { from: 0, to: 20_000 });
  list.apply([], [], { reset: true });
  list.heard(Date.now());
  await settle();
  const before = process.memoryUsage().rss;
  const filled = await fillAll(list, entries);
  await settle();
  const residentBytes = process.memoryUsage().rss - before;
  sweeps.run(80);
  return {
    entries,
    residentBytes,
    ...filled,
    longestSweepMs: sweeps.longest,
    ...lookups(list, entries),
    decisionUs: decisions(list),
  };
}

async function fillAll(
  list: RevocationList,
  entries: number,
): Promise<Pick<RevocationFigures, "applyUs" | "longestEntryMs" | "longestTurnMs">> {
  let longestEntryMs = 0;
  let longestTurnMs = 0;
  let sum = 0;
  for (let from = 0; from < entries; from += LIMITS.turn) {
    const turn = entriesOf(from, Math.min(entries, from + LIMITS.turn));
    const began = performance.now();
    let last = began;
    for (const entry of turn) {
      list.apply([entry], [], { reset: false });
      const now = performance.now();
      longestEntryMs = Math.max(longestEntryMs, now - last);
      last = now;
    }
    longestTurnMs = Math.max(longestTurnMs, last - began);
    sum += last - began;
    await setImmediate();
  }
  list.heard(Date.now());
  return { applyUs: (sum * 1000) / entries, longestEntryMs, longestTurnMs };
}

function fill(list: RevocationList, { from, to }: { readonly from: number; readonly to: number }) {
  list.apply(entriesOf(from, to), [], { reset: false });
}

function entriesOf(from: number, to: number): RevocationEntry[] {
  return Array.from({ length: to - from }, (_, at) => entryOf(from + at));
}

function entryOf(index: number): RevocationEntry {
  const blocked = index % LIMITS.kinds === 0;
  const name = nameOf("revoked", index);
  return {
    digest: revocationDigest(
      blocked
        ? { kind: "id", authenticator: "corp", id: name }
        : { kind: "subject", authenticator: "corp", subject: name },
    ),
    cutoffMs: blocked ? undefined : Date.now(),
    blockedUntilMs: blocked ? NEVER : undefined,
    expiresMs: NEVER,
  };
}

function lookups(
  list: RevocationList,
  entries: number,
): Pick<RevocationFigures, "known" | "changed" | "first" | "revoked"> {
  const good = Array.from({ length: LIMITS.credentials }, (_, index) =>
    factsOf(nameOf("id", index), nameOf("subject", index)),
  );
  const bad = Array.from({ length: LIMITS.credentials }, (_, index) => {
    // Even entries are ids.
    const at = (index * 2 * 7919) % entries;
    return factsOf(nameOf("revoked", at - (at % 2)), nameOf("subject", index));
  });
  const ask = (facts: CredentialFacts, revoked: boolean): void => {
    if ((list.revokedBy(facts, "billing") !== undefined) !== revoked) {
      throw new TypeError("the list gave a wrong answer");
    }
  };
  const fresh = (): CredentialFacts[] => good.map((one) => ({ ...one }));
  let unseen: CredentialFacts[] = [];
  const first = spread(
    (index) => {
      if (index % LIMITS.credentials === 0) unseen = fresh();
      return unseen;
    },
    (facts) => ask(facts, false),
  );
  for (let time = 0; time < 3; time++) for (const facts of good) ask(facts, false);
  const known = spread(
    () => good,
    (facts) => ask(facts, false),
  );
  const changed = spread(
    (index) => {
      if (index % LIMITS.credentials === 0) fill(list, { from: 0, to: 1 });
      return good;
    },
    (facts) => ask(facts, false),
  );
  const revoked = spread(
    () => bad,
    (facts) => ask(facts, true),
  );
  return { known, changed, first, revoked };
}

/** `prepare` is called before each batch, with the number of the first one asked, and is not timed. */
function spread(
  prepare: (index: number) => readonly CredentialFacts[],
  ask: (facts: CredentialFacts) => void,
): Spread {
  const samples: number[] = [];
  for (let batch = 0; batch < LIMITS.batches; batch++) {
    const from = batch * LIMITS.batch;
    const all = prepare(from);
    const began = performance.now();
    for (let index = from; index < from + LIMITS.batch; index++) {
      ask(all[index % LIMITS.credentials] as CredentialFacts);
    }
    samples.push(((performance.now() - began) * 1000) / LIMITS.batch);
  }
  const sorted = samples.slice(LIMITS.batches / 10).toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { medianUs: at(0.5), p99Us: at(0.99) };
}

/** The two in turn, the best of the rounds of each. */
function decisions(list: RevocationList): RevocationFigures["decisionUs"] {
  const best = { without: Number.POSITIVE_INFINITY, with: Number.POSITIVE_INFINITY };
  const decide = { without: decider(NO_REVOCATIONS), with: decider(list) };
  for (let round = 0; round < LIMITS.rounds; round++) {
    for (const which of ["without", "with"] as const) {
      const began = performance.now();
      for (let index = 0; index < LIMITS.decisions; index++) decide[which](index);
      const us = ((performance.now() - began) * 1000) / LIMITS.decisions;
      best[which] = Math.min(best[which], us);
    }
  }
  return best;
}

function decider(revocations: Revocations): (index: number) => void {
  const silent = (): void => undefined;
  const gate = createGate({
    clock: systemClock,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    audit: {
      writable: () => true,
      decision: () => "recorded",
      completion: silent,
      durable: () => undefined,
    },
    budget: { spent: () => false, charge: silent },
    revocations,
    nextDecisionId: createDecisionIds(systemClock),
    decided: silent,
  });
  const known = Array.from({ length: LIMITS.callers }, (_, index) =>
    factsOf(nameOf("id", index), nameOf("subject", index)),
  );
  const facts = (token: string) => known[Number(token)] as CredentialFacts;
  const value: GateRoute = {
    name: "billing",
    service: "billing",
    bearer: { recall: facts, verify: facts },
    anonymous: false,
    audience: undefined,
    params: [],
    pathParameters: false,
  };
  const route = { name: "billing", host: undefined, path: "/billing/*", methods: ["GET"], value };
  const permitted = { reason: "permitted", determining: [], erroring: [], reads: [] } as const;
  const snapshot = {
    anyPathParameters: false,
    router: createRouter([route], METHODS),
    policies: { hash: "sha256-bench", decide: () => permitted },
  };
  const inputs = known.map((_, index) => inputOf(index));
  return (index) => {
    const outcome = gate.decide(inputs[index % LIMITS.callers] as GateInput, snapshot);
    if (outcome instanceof Promise || isDenial(outcome)) throw new TypeError("not permitted");
  };
}

function inputOf(index: number): GateInput {
  return {
    listener: "edge",
    scheme: "http",
    peer: { address: "192.0.2.7", port: 5 },
    connection: { memo: undefined },
    head: {
      method: "GET",
      target: `/billing/records/${index}`,
      version: "1.1",
      minorVersion: 1,
      fields: [],
      host: "api.example.com",
      authorization: `Bearer ${index}`,
      authorizationCount: 1,
      bodyKind: "none",
      contentLength: 0,
      keepAlive: true,
      expectContinue: false,
      connectionOptions: undefined,
      upgrade: undefined,
    },
  };
}

/** As long as ids and subjects are in tokens: a UUID. */
function nameOf(what: string, index: number): string {
  return hash("sha1", `${what}-${index}`).slice(0, 36);
}

/** The list's own timer, turned by hand and timed. */
function sweepTimes() {
  let next: (() => void) | undefined;
  const sweeps = {
    longest: 0,
    timers: {
      after(_ms: number, run: () => void) {
        next = run;
        return () => undefined;
      },
    } satisfies Timers,
    run(times: number): void {
      for (let time = 0; time < times; time++) {
        const began = performance.now();
        next?.();
        // The first ones are not compiled yet.
        if (time > 10) sweeps.longest = Math.max(sweeps.longest, performance.now() - began);
      }
    },
  };
  return sweeps;
}

/** Collects, twice: what the first one frees with a callback the second one takes. */
async function settle(): Promise<void> {
  for (let time = 0; time < 2; time++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function collect(): void {
  const { Bun, gc } = globalThis as {
    Bun?: { gc(wait: boolean): void };
    gc?: () => void;
  };
  if (Bun !== undefined) Bun.gc(true);
  else if (gc !== undefined) gc();
  else throw new TypeError("Node needs --expose-gc");
}

function factsOf(tokenId: string, subject: string): CredentialFacts {
  const issuedAt = Date.now() / 1000 - 60;
  return {
    principal: {
      kind: "workload",
      authenticator: "corp",
      subject,
      roles: [],
      groups: [],
      attributes: {},
    },
    authenticator: "corp",
    kind: "jwt",
    credentialHash: tokenId,
    expiresAt: issuedAt + 3600,
    notBefore: undefined,
    issuedAt,
    clockSkew: 30,
    audience: ["api"],
    acceptedAudience: ["api"],
    scopes: [],
    tokenId,
    clientId: undefined,
    acr: undefined,
    amr: [],
    authenticatedAt: undefined,
    confirmation: undefined,
    actor: undefined,
    device: undefined,
    valid: () => true,
  };
}
