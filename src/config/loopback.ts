/** Whether who listens at an address is reached from this machine alone. */
import { type Cidr, cidrContains, parseAddress, parseCidr } from "../wire/address.ts";

const LOOPBACK: readonly Cidr[] = ["127.0.0.0/8", "::1/128"].flatMap(
  (block) => parseCidr(block) ?? [],
);

/** `address`: host:port. A name other than localhost may resolve to anything, so it is none. */
export function isLoopbackAddress(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  const found = parseAddress(host.toLowerCase() === "localhost" ? "127.0.0.1" : host);
  return found !== undefined && LOOPBACK.some((block) => cidrContains(block, found));
}
