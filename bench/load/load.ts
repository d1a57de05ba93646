/** What makes load and what it reports, whichever tool makes it. */
import type { Site } from "../machine/site.ts";

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Answers that were not good, and requests that failed on the connection. */
  readonly errors: number;
}

export interface LoadTarget {
  /** Names the files that are written for it. */
  readonly name: string;
  readonly port: number;
  readonly tls: boolean;
  /** Asked for in turn. */
  readonly paths: readonly string[];
  readonly tokens: readonly string[];
  /** Where the load runs. */
  readonly core: number;
}

export interface LoadTool {
  /** Requests that may be on their way at once, over all connections. */
  readonly inFlight: number;
  /** Writes what it needs for one target; what it returns makes load for so many seconds. */
  aim(site: Site, target: LoadTarget): (seconds: number) => Promise<LoadResult>;
}

/** The value below which that part of the values lies; the values are sorted in place. */
export function percentile(values: Float64Array, part: number): number {
  if (values.length === 0) throw new TypeError("no values, no percentile");
  values.sort();
  return values[Math.min(values.length - 1, Math.floor(values.length * part))] ?? 0;
}
