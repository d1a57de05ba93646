/**
 * Watches the free space of the disk, so that what strangers cause stops being written long before
 * what was permitted has no room.
 */
import type { Log, Timers } from "../model/ports.ts";

const LIMITS = {
  /** Milliseconds between looks. At 20 MB of records a second the default reserve lasts six of them. */
  checkMs: 1000,
  /** Below `reserve / all` no denial gets a record. */
  all: 2,
  /** Below `reserve / refuse` traffic is refused; what is left is for completions. */
  refuse: 16,
} as const;

/**
 * `plenty`; `strangers`: denials of unidentified callers are only counted; `denials`: all denials
 * are; `none`: traffic is refused.
 */
export type Space = "plenty" | "strangers" | "denials" | "none";

export interface SpaceWatch {
  readonly space: Space;
  /** Bytes at the last look. */
  readonly freeBytes: number;
  stop(): void;
}

export interface SpaceDeps {
  readonly free: () => Promise<number>;
  readonly timers: Timers;
  readonly log: Log;
}

/** Looks once before it settles; rejects when free space cannot be told at all. */
export async function watchSpace(reserve: number, deps: SpaceDeps): Promise<SpaceWatch> {
  let freeBytes = await deps.free();
  let space = spaceOf(freeBytes, reserve);
  let stopped = false;
  let cancel = deps.timers.after(LIMITS.checkMs, look);
  if (space !== "plenty") report();

  function report(): void {
    const fields = { space, freeBytes, reserveBytes: reserve };
    if (space === "plenty") deps.log.info("audit: the disk has room again", fields);
    else if (space === "none") deps.log.error("audit: no room left; traffic is refused", fields);
    else deps.log.warn("audit: the disk gets full; denials are only counted", fields);
  }

  function look(): void {
    void lookOnce();
  }

  async function lookOnce(): Promise<void> {
    try {
      const before = space;
      freeBytes = await deps.free();
      space = spaceOf(freeBytes, reserve);
      if (space !== before) report();
    } catch (error) {
      // The last figure stands. A disk that is full or gone shows when it is written.
      const fields = { error: error instanceof Error ? error : undefined };
      deps.log.warn("audit: free space cannot be told", fields);
    }
    if (!stopped) cancel = deps.timers.after(LIMITS.checkMs, look);
  }

  return {
    get space() {
      return space;
    },
    get freeBytes() {
      return freeBytes;
    },
    stop() {
      stopped = true;
      cancel();
    },
  };
}

function spaceOf(freeBytes: number, reserve: number): Space {
  if (freeBytes >= reserve) return "plenty";
  if (freeBytes >= reserve / LIMITS.all) return "strangers";
  return freeBytes >= reserve / LIMITS.refuse ? "denials" : "none";
}
