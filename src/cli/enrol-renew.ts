/**
 * `sallyport renew`, on a machine that is no proxy (a proxy renews by itself): gives its identity a new
 * key and certificate now, or with `--follow` whenever half of its life is over, until SIGTERM. What uses
 * the files reads them anew after each.
 */
import { resolve } from "node:path";
import { openMachine } from "../authority/enrolment/machine-identity.ts";
import { systemClock } from "../platform/clock.ts";
import { systemTimers } from "../platform/timers.ts";
import { createLog } from "../telemetry/log.ts";
import { createMetrics } from "../telemetry/metrics.ts";

const LIMITS = {
  /** Any time that a timer takes. */
  aliveMs: 3_600_000,
} as const;

export interface RenewOptions {
  readonly identity: string;
  /** Stays, and renews again and again. */
  readonly follow: boolean;
  /** Further addresses of authorities. */
  readonly authority: readonly string[];
}

export interface RenewDeps {
  readonly print: (line: string) => void;
  /** Resolves when it is to end. */
  readonly stopped: () => Promise<unknown>;
}

/** Resolves to the exit code. Throws `enrolment-failed`, which says what to do. */
export async function renew(options: RenewOptions, deps: RenewDeps): Promise<number> {
  const log = createLog({ level: options.follow ? "info" : "warn", clock: systemClock });
  const machine = await openMachine(resolve(options.identity), {
    clock: systemClock,
    timers: systemTimers,
    log,
    metrics: createMetrics(),
    random: Math.random,
    authorities: options.authority,
  });
  const tell = (): void =>
    deps.print(`identity  ${machine.name}  until ${new Date(machine.notAfterMs).toISOString()}`);
  if (!options.follow) {
    await machine.renew();
    tell();
    machine.close();
    await log.close();
    return 0;
  }
  // Before anybody reads that we are there, and sends a signal.
  const stopped = deps.stopped();
  tell();
  machine.changed(tell);
  machine.start();
  // Timers of ours never keep a process alive, and neither does waiting for a signal.
  const alive = setInterval(() => undefined, LIMITS.aliveMs);
  await stopped;
  clearInterval(alive);
  machine.close();
  await log.close();
  return 0;
}
