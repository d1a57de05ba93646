/** The network that an address lies in, as text; each address is worked out once while it keeps coming. */
import { formatAddress, parseAddress, unmapped } from "../../wire/address.ts";
import { Generations } from "./generations.ts";

const LIMITS = {
  /** Addresses whose network is remembered, twice as many at most: those of callers that come again. */
  addresses: 8192,
} as const;

const GROUP_BITS = 16;

export interface NetworkOptions {
  /** Leading bits that make a network. */
  readonly ipv4: number;
  readonly ipv6: number;
}

/** `192.0.2.7` → `192.0.2.0/24`. What is no address is its own network. */
export function createNetworks({ ipv4, ipv6 }: NetworkOptions): (address: string) => string {
  const known = new Generations<string, string>(LIMITS.addresses);
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const parsed = parseAddress(text);
    const network = parsed === undefined ? text : networkOf(unmapped(parsed));
    known.set(text, network);
    return network;
  };

  function networkOf({ family, groups }: ReturnType<typeof unmapped>): string {
    const prefix = family === 4 ? ipv4 : ipv6;
    const kept = groups.map((group, index) => {
      const bits = Math.min(Math.max(prefix - index * GROUP_BITS, 0), GROUP_BITS);
      return group & (0xffff << (GROUP_BITS - bits)) & 0xffff;
    });
    return `${formatAddress({ family, groups: kept })}/${prefix}`;
  }
}
