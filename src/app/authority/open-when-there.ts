/**
 * The store, once it can be reached: machines that lost their power together come back in any order, and
 * an authority that is there before its database waits for it and says so. What no waiting mends (a
 * wrong URL, tables of another version) ends the start.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SallyportError } from "../../model/errors.ts";
import type { Log } from "../../model/ports.ts";
import type { OpenStore } from "../../store/store-deps.ts";

const LIMITS = {
  /** Milliseconds between attempts: of the first, doubling, and at most. A database takes seconds to start. */
  firstMs: 250,
  mostMs: 2000,
  /** It is said again after so many attempts, about once a minute. */
  sayEvery: 12,
} as const;

export interface OpenWhenThereDeps {
  readonly log: Log;
  /** What it is called; no secrets. */
  readonly name: string;
  /** Told once it has to be waited for. */
  readonly waits?: ((text: string) => void) | undefined;
  /** Unlike `Timers`, it keeps the process alive: nothing else may be there to do so yet. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** Rejects with all that `open` rejects with but `store-unavailable`. */
export async function openWhenThere(
  open: () => Promise<OpenStore>,
  { log, name, waits, wait = sleep }: OpenWhenThereDeps,
): Promise<OpenStore> {
  let pauseMs: number = LIMITS.firstMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof SallyportError) || error.code !== "store-unavailable") throw error;
      if (attempt % LIMITS.sayEvery === 0) {
        log.warn("the store cannot be reached: this authority waits for it", {
          store: name,
          error,
        });
      }
      waits?.(`waiting for the store: ${name}`);
      await wait(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LIMITS.mostMs);
    }
  }
}
