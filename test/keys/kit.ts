/** Replicas of keys over one store, for tests: everything that they are given can be turned by hand. */
import { setImmediate as turn } from "node:timers/promises";
import { createKek, createSealer, type Sealer } from "../../src/crypto/seal.ts";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "../../src/keys/certificate-authority.ts";
import { createKeyManager, type KeyManager } from "../../src/keys/key-manager.ts";
import type { KeyOptions } from "../../src/keys/key-policy.ts";
import type { Log, LogFields } from "../../src/model/ports.ts";
import type { Store } from "../../src/model/store.ts";
import { ManualClock } from "../../src/platform/clock.ts";
import { ManualTimers } from "../../src/platform/timers.ts";
import { createMetrics, type RunningMetrics } from "../../src/telemetry/metrics.ts";
import { createMemoryStore, type MemoryStore } from "../store/memory.ts";

export const START = Date.UTC(2026, 0, 1);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export const OPTIONS: KeyOptions = {
  algorithm: "EdDSA",
  rotateMs: DAY,
  lifetimeMs: 5 * MINUTE,
};

export const testSealer = (fill = 7): Sealer =>
  createSealer({ current: createKek(Buffer.alloc(32, fill)), previous: [] });

/** Keeps what is logged. */
export class KeptLog implements Log {
  readonly lines: { level: string; event: string; fields: LogFields }[] = [];
  debug = (event: string, fields: LogFields = {}) => this.#keep("debug", event, fields);
  info = (event: string, fields: LogFields = {}) => this.#keep("info", event, fields);
  warn = (event: string, fields: LogFields = {}) => this.#keep("warn", event, fields);
  error = (event: string, fields: LogFields = {}) => this.#keep("error", event, fields);

  #keep(level: string, event: string, fields: LogFields): void {
    this.lines.push({ level, event, fields });
  }
}

export interface Ground {
  /** The store's clock, and that of every replica that has no other. */
  readonly clock: ManualClock;
  readonly store: MemoryStore;
}

export function ground(): Ground {
  const clock = new ManualClock(START);
  return { clock, store: createMemoryStore(clock) };
}

interface Parts {
  readonly clock: ManualClock;
  readonly timers: ManualTimers;
  readonly log: KeptLog;
  readonly metrics: RunningMetrics;
}

export interface Replica extends Parts {
  readonly keys: KeyManager;
  /** Lets everything run that waits, until nothing happens any more. */
  settle(): Promise<void>;
}

export interface ReplicaOptions {
  readonly options?: Partial<KeyOptions>;
  readonly store?: Store;
  readonly sealer?: Sealer;
  readonly clock?: ManualClock;
}

export function replica(on: Ground, given: ReplicaOptions = {}): Replica {
  const parts = partsOf(given.clock ?? on.clock);
  const { store = on.store, sealer = testSealer() } = given;
  const keys = createKeyManager({ ...OPTIONS, ...given.options }, { ...parts, store, sealer });
  return { ...parts, keys, settle: () => settle(parts.timers) };
}

export interface Authority extends Parts {
  readonly ca: CertificateAuthority;
  settle(): Promise<void>;
}

export function authority(on: Ground, given: Omit<ReplicaOptions, "options"> = {}): Authority {
  const parts = partsOf(given.clock ?? on.clock);
  const { store = on.store, sealer = testSealer() } = given;
  const ca = createCertificateAuthority({ ...parts, store, sealer });
  return { ...parts, ca, settle: () => settle(parts.timers) };
}

function partsOf(clock: ManualClock): Parts {
  return { clock, timers: new ManualTimers(), log: new KeptLog(), metrics: createMetrics() };
}

/** The store in memory answers within the turn, so one turn after the timers is enough. */
async function settle(timers: ManualTimers): Promise<void> {
  timers.runAll();
  await turn();
}
