/** Which addresses are proxies of ours: what they say of the caller is believed. */
import type { TrustProxy } from "../model/http.ts";
import { type Cidr, cidrContains, parseAddress } from "./address.ts";

/** What is not an address (one with a zone, say) is not trusted. */
export function createTrust(blocks: readonly Cidr[]): TrustProxy {
  return (text) => {
    const address = parseAddress(text);
    return address !== undefined && blocks.some((block) => cidrContains(block, address));
  };
}
