/** How a browser knows the host that it is on: what a provider sends it back to, and what our own pages are of. */
import type { GateSnapshot } from "../gate/snapshot.ts";
import type { CanonicalRequest } from "../model/http.ts";

/**
 * The listener's `publicOrigin`; for other hosts that a route names the same scheme. Any other host is a word of the
 * caller's: no provider is told to send anybody there. Where the listener has no `publicOrigin`, the host is the
 * request's own, since cookies are kept for no other: a provider takes only addresses that it knows.
 */
export function originOf(
  request: CanonicalRequest,
  { origins, router }: Pick<GateSnapshot, "origins" | "router">,
): string {
  const configured = origins?.get(request.listener);
  if (configured !== undefined) {
    if (!router.namesHost(request.host)) return configured;
    const { host, protocol } = new URL(configured);
    return host === request.authority ? configured : `${protocol}//${request.authority}`;
  }
  // A trusted proxy in front knows whether its caller came over TLS.
  return `${request.forwarded?.scheme ?? request.scheme}://${request.authority}`;
}
