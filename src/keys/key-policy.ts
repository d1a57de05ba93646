/**
 * How long the keys of each use live, from the two numbers that an operator gives, and the constants
 * behind them.
 */
import { ConfigError } from "../model/errors.ts";
import type { KeyUse, SigningAlgorithm } from "../model/signing.ts";
import { SKEW_MS, type SchedulePolicy } from "./schedule.ts";

export interface KeyOptions {
  /** What new keys are of. Those that exist stay what they are. */
  readonly algorithm: SigningAlgorithm;
  /** From one key to the next, in milliseconds: from 3 hours to 365 days. */
  readonly rotateMs: number;
  /** The longest life of a token that is signed, in milliseconds: from a second to 24 hours. */
  readonly lifetimeMs: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * What we ask of those who fetch a key set (RFC 9111 section 5.2.2.1). Also how long an emergency
 * rotation is not seen by who verifies from such a copy, therefore short.
 */
export const JWKS_MAX_AGE_SECONDS = 60;

export const PUBLICATION = {
  /** Libraries that pay no heed to `cache-control` keep a key set for 5 to 10 minutes (Nimbus, jose); some more for those that round up. */
  cachedMs: 15 * MINUTE,
  /** The most that `authority.maxStaleness` allows: proxies verify, and show key sets, from what they last heard. */
  staleMs: HOUR,
} as const;

/** Every verifier knows a key so long before it signs, whatever it caches and however wrong clocks may be. */
export const PUBLISH_AHEAD_MS: number = PUBLICATION.cachedMs + PUBLICATION.staleMs + 2 * SKEW_MS;

export const KEY_LIMITS = {
  /** Two publications ahead fit in, with time for a store that is away. */
  minRotateMs: 3 * HOUR,
  /** NIST SP 800-57 part 1, section 5.3.6: a private signature key is used for one to three years. */
  maxRotateMs: 365 * DAY,
  minLifetimeMs: SECOND,
  /** What lives longer than a day is not short-lived; it is revoked and not waited for. */
  maxLifetimeMs: DAY,
} as const;

/** What is not `lifetimeMs`. */
const LIFETIMES: Partial<Record<KeyUse, number>> = {
  /** A service gets its assertion with the request that it is about. */
  assertions: MINUTE,
  /** A browser's session is renewed within a day. */
  cookies: DAY,
  /** For logs of a year, and a month to look at them. Audit logs have keys of their own so far. */
  checkpoints: 400 * DAY,
};

/** What is published so long is changed less often: 14 keys, and not 400. */
const MIN_CHECKPOINT_ROTATE_MS = 30 * DAY;

/** What is away for a week does not come back by itself; beyond it a key would only be about for longer. */
const MAX_SPARE_MS = 7 * DAY;

/** Throws ConfigError for lengths that do not fit together. */
export function checkKeyOptions({ rotateMs, lifetimeMs }: KeyOptions): void {
  const { minRotateMs, maxRotateMs, minLifetimeMs, maxLifetimeMs } = KEY_LIMITS;
  if (!(rotateMs >= minRotateMs && rotateMs <= maxRotateMs)) {
    const message = "authority.rotate is out of bounds";
    throw new ConfigError([{ message, remedy: "from 3h to 365d" }]);
  }
  if (!(lifetimeMs >= minLifetimeMs && lifetimeMs <= maxLifetimeMs)) {
    const message = "authority.lifetime is out of bounds";
    throw new ConfigError([{ message, remedy: "from 1s to 24h" }]);
  }
}

export function keyPolicy(use: KeyUse, options: KeyOptions): SchedulePolicy {
  const rotateMs =
    use === "checkpoints" ? Math.max(options.rotateMs, MIN_CHECKPOINT_ROTATE_MS) : options.rotateMs;
  return {
    rotateMs,
    // A store that is away for half a rotation stops nothing.
    graceMs: Math.min(rotateMs / 2, MAX_SPARE_MS),
    lifetimeMs: LIFETIMES[use] ?? options.lifetimeMs,
    aheadMs: PUBLISH_AHEAD_MS,
    // A quarter of a rotation to make it in, and never so late that it is not known in time.
    makeMs: Math.max(PUBLISH_AHEAD_MS + 5 * MINUTE, Math.min(rotateMs / 4, MAX_SPARE_MS)),
  };
}
