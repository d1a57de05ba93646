/**
 * What strangers may make us do for logins, beyond the budget of failures: who begins a login has failed at nothing
 * yet, and whoever shares the address of a provider must not be able to keep its logouts from us.
 */
import { networkOf } from "../limits/failure-budget.ts";
import { createGcra } from "../limits/gcra.ts";
import type { Clock } from "../model/ports.ts";

export const LOGIN_LIMITS = {
  /**
   * Logins that one address (of IPv6 one /64) may begin: each costs us a sealed cookie and, where it takes pushed
   * requests, the provider a request. A hundred at once are an office behind one address that comes to work.
   */
  begins: { requests: 5, perMs: 1000, burst: 100 },
  /**
   * Logout tokens of one authenticator that are looked at from addresses whose budget of failures is spent: some
   * three milliseconds of a core each second. Others of that address are then answered 503, and may be sent again.
   */
  spentLogouts: { requests: 10, perMs: 1000, burst: 20 },
} as const;

export interface LoginLimits {
  /** Counts one login that is begun; undefined: it may be. Else milliseconds until the next may. */
  begin(address: string): number | undefined;
  /** Counts one logout token from an address that is spent; whether it is looked at. */
  spentLogout(authenticator: string): boolean;
}

export function createLoginLimits({ clock }: { readonly clock: Clock }): LoginLimits {
  const begins = createGcra(LOGIN_LIMITS.begins);
  const logouts = createGcra(LOGIN_LIMITS.spentLogouts);
  return {
    begin(address) {
      const { allowed, retryMs } = begins.take(networkOf(address), 1, clock.monotonic());
      return allowed ? undefined : retryMs;
    },
    spentLogout: (authenticator) => logouts.take(authenticator, 1, clock.monotonic()).allowed,
  };
}
