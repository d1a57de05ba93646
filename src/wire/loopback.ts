/** Whether a host is this machine: what goes there crosses no network. */
import { cidrContains, parseAddress, parseCidr } from "./address.ts";

const LOOPBACK = ["127.0.0.0/8", "::1/128"].flatMap((block) => parseCidr(block) ?? []);

/** A name other than localhost may resolve to anything, so it is none. IPv6 with brackets or without. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (bare === "localhost") return true;
  const address = parseAddress(bare);
  return address !== undefined && LOOPBACK.some((block) => cidrContains(block, address));
}
