/** What both engines are given from outside. */
import type { Clock, Log, Metrics, Timers } from "../model/ports.ts";
import type { Store } from "../model/store.ts";

export interface StoreDeps {
  /** SQLite counts commits and expiry by it; Postgres by the server's own clock. */
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What operators want to know of a store. */
export interface StoreFigures {
  readonly engine: "sqlite" | "postgres";
  /** Version of the tables. */
  readonly schema: number;
  readonly epoch: string;
  /** Of the last commit. */
  readonly number: number;
  /** Documents that have not expired, by collection. */
  readonly documents: Readonly<Record<string, number>>;
}

/** A store as the process that keeps it has it: with what its operators do to it. */
export interface OpenStore extends Store {
  figures(): Promise<StoreFigures>;
  /**
   * After a restore: numbers that are given out again from here on are not those that followers have
   * seen. Resolves to the new epoch.
   */
  renewEpoch(): Promise<string>;
}
