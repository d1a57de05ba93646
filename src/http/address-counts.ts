/**
 * Connections open from each address, of IPv6 from each /64: one host has a whole one to itself. An
 * address without connections is not remembered, so this is no larger than what is open.
 */
import { networkOf } from "../limits/failure-budget.ts";

export interface AddressCounts {
  /** Takes a place. False where the address has as many as it may. */
  take(address: string): boolean;
  /** Counts one that is open already, whatever the limit says. */
  add(address: string): void;
  /** Gives back a place that was taken. */
  release(address: string): void;
}

export function createAddressCounts(most: number): AddressCounts {
  const counts = new Map<string, number>();
  return {
    take(address) {
      const network = networkOf(address);
      const count = counts.get(network) ?? 0;
      if (count >= most) return false;
      counts.set(network, count + 1);
      return true;
    },
    add(address) {
      const network = networkOf(address);
      counts.set(network, (counts.get(network) ?? 0) + 1);
    },
    release(address) {
      const network = networkOf(address);
      const count = counts.get(network) ?? 0;
      if (count <= 1) counts.delete(network);
      else counts.set(network, count - 1);
    },
  };
}
