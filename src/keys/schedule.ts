/**
 * The life of a key, as a pure function of its times and of now. One schedule for signing keys and
 * for the roots of the certificate authority; only the lengths differ.
 *
 * ```
 * created ──ahead──▶ active ──rotate──▶ next ──grace──▶ retired ──lifetime + skew──▶ removed
 *         published           signs           signs only        only verifies
 *                                             without a successor
 * ```
 *
 * All times are fixed when a key is made and stand in its document, so that replicas which disagree
 * about the options still agree about every key.
 */

/** How far clocks of replicas, proxies and services may differ: beyond it tokens fail everywhere for their `iat`. */
export const SKEW_MS = 60_000;

/** Milliseconds since the epoch. */
export interface Times {
  /** Published from here on. */
  readonly createdMs: number;
  /** Signs from here on. */
  readonly activeMs: number;
  /** Its successor is to sign from here on. */
  readonly nextMs: number;
  /** Signs no longer, whether there is a successor or not. */
  readonly retiredMs: number;
  /** Published until here. */
  readonly removedMs: number;
}

/** Lengths in milliseconds. */
export interface SchedulePolicy {
  /** From one key to the next. */
  readonly rotateMs: number;
  /** So long a key signs on where no successor could be made. */
  readonly graceMs: number;
  /** The longest life of what it signs. */
  readonly lifetimeMs: number;
  /** From publication to use. */
  readonly aheadMs: number;
  /** So long before its use a key is made: at least `aheadMs`; the rest is for a store that is away. */
  readonly makeMs: number;
}

export interface Scheduled extends Times {
  /** Whether the private half is still kept. */
  readonly signs: boolean;
}

/** One thing to do about the keys of one use. */
export type Step<T> =
  | { readonly do: "make"; readonly times: Times }
  /** The same key with other times. */
  | { readonly do: "move"; readonly key: T; readonly times: Times }
  /** The private half is not needed any more. */
  | { readonly do: "erase"; readonly key: T }
  | { readonly do: "remove"; readonly key: T };

export function timesFrom(policy: SchedulePolicy, createdMs: number, activeMs: number): Times {
  const nextMs = activeMs + policy.rotateMs;
  const retiredMs = nextMs + policy.graceMs;
  const removedMs = removalOf({ retiredMs }, policy);
  return { createdMs, activeMs, nextMs, retiredMs, removedMs };
}

/** The key that signs now: of those whose time has come the newest. */
export function currentOf<T extends Pick<Scheduled, "signs" | "activeMs" | "retiredMs">>(
  keys: readonly T[],
  nowMs: number,
): T | undefined {
  const usable = keys.filter((key) => key.signs && nowMs < key.retiredMs);
  const begun = usable.filter((key) => key.activeMs <= nowMs).toSorted(byActive);
  // After an emergency there is one key, made by a replica whose clock may be ahead of ours.
  return begun.at(-1) ?? usable.toSorted(byActive).find((key) => key.activeMs <= nowMs + SKEW_MS);
}

/** The next key to sign, if there is one. */
export function upcomingOf<T extends Scheduled>(keys: readonly T[], nowMs: number): T | undefined {
  return keys.filter((key) => key.signs && key.activeMs > nowMs).toSorted(byActive)[0];
}

export function isPublished(key: Times, nowMs: number): boolean {
  return nowMs < key.removedMs;
}

/** What is to be done now about the keys of one use; nothing where all is in order. */
export function stepsDue<T extends Scheduled>(
  keys: readonly T[],
  policy: SchedulePolicy,
  nowMs: number,
): Step<T>[] {
  const steps: Step<T>[] = [];
  const successor = successorDue(keys, policy, nowMs);
  if (successor !== undefined) steps.push(successor);
  for (const key of keys) {
    // A commit writes each document once.
    if (successor?.do === "move" && successor.key === key) continue;
    if (nowMs >= key.removedMs) steps.push({ do: "remove", key });
    else if (key.signs && nowMs >= key.retiredMs + SKEW_MS) steps.push({ do: "erase", key });
    else if (key.removedMs < removalOf(key, policy)) {
      // A life that was made longer holds for what this key has signed or will sign.
      const times = { ...timesOf(key), removedMs: removalOf(key, policy) };
      steps.push({ do: "move", key, times });
    }
  }
  return steps;
}

/** Twice the skew: the signer's clock may be ahead, and the verifier's behind. */
function removalOf({ retiredMs }: Pick<Times, "retiredMs">, policy: SchedulePolicy): number {
  return retiredMs + policy.lifetimeMs + 2 * SKEW_MS;
}

function successorDue<T extends Scheduled>(
  keys: readonly T[],
  policy: SchedulePolicy,
  nowMs: number,
): Step<T> | undefined {
  const current = currentOf(keys, nowMs);
  const upcoming = upcomingOf(keys, nowMs);
  if (current === undefined) {
    return upcoming === undefined
      ? { do: "make", times: timesFrom(policy, nowMs, nowMs) }
      : moveTo(upcoming, policy, nowMs);
  }
  if (upcoming !== undefined || nowMs < makeAt(current, policy)) return undefined;
  const aheadMs = Math.max(dueOf(current, policy), nowMs + policy.aheadMs);
  return makeAfter(current, policy, { nowMs, activeMs: aheadMs });
}

/** Rather too early for some cache than that nothing signs. */
function makeAfter<T>(
  current: Times | undefined,
  policy: SchedulePolicy,
  { nowMs, activeMs }: { readonly nowMs: number; readonly activeMs: number },
): Step<T> {
  const latestMs = current?.retiredMs ?? nowMs;
  const times = timesFrom(policy, nowMs, Math.max(nowMs, Math.min(activeMs, latestMs)));
  return { do: "make", times };
}

/** The next key as soon as it may be: what somebody asks for without an emergency. Nothing where it is on its way already. */
export function stepsToRotate<T extends Scheduled>(
  keys: readonly T[],
  policy: SchedulePolicy,
  nowMs: number,
): Step<T>[] {
  const upcoming = upcomingOf(keys, nowMs);
  if (upcoming === undefined) {
    const activeMs = nowMs + policy.aheadMs;
    return [makeAfter(currentOf(keys, nowMs), policy, { nowMs, activeMs })];
  }
  const activeMs = Math.max(nowMs, upcoming.createdMs + policy.aheadMs);
  return activeMs < upcoming.activeMs ? [moveTo(upcoming, policy, activeMs)] : [];
}

function moveTo<T extends Scheduled>(key: T, policy: SchedulePolicy, activeMs: number): Step<T> {
  const times = timesFrom(policy, key.createdMs, activeMs);
  return { do: "move", key, times };
}

/** The next moment at which something is due or what is published or used changes. */
export function nextDueMs(
  keys: readonly Scheduled[],
  policy: SchedulePolicy,
  nowMs: number,
): number {
  const moments = keys.flatMap((key) => [
    key.activeMs,
    key.retiredMs,
    key.removedMs,
    ...(key.signs ? [key.retiredMs + SKEW_MS] : []),
  ]);
  const current = currentOf(keys, nowMs);
  if (current !== undefined) moments.push(makeAt(current, policy));
  return Math.min(Infinity, ...moments.filter((moment) => moment > nowMs));
}

/** When the key that signs now is to be followed by another one. */
export function dueOf(current: Times, policy: SchedulePolicy): number {
  return Math.min(current.nextMs, current.activeMs + policy.rotateMs);
}

function makeAt(current: Times, policy: SchedulePolicy): number {
  return dueOf(current, policy) - policy.makeMs;
}

export function timesOf({ createdMs, activeMs, nextMs, retiredMs, removedMs }: Times): Times {
  return { createdMs, activeMs, nextMs, retiredMs, removedMs };
}

function byActive(a: Pick<Times, "activeMs">, b: Pick<Times, "activeMs">): number {
  return a.activeMs - b.activeMs;
}
