/** How requests of the sidecar stand in records and metrics, beside those of routes. */

/** No route can have a name with a colon. */
const PREFIX = "egress:";

/** Stands where others have the name of their route. */
export function egressRoute(service: string): string {
  return PREFIX + service;
}

export function isEgressRoute(route: string): boolean {
  return route.startsWith(PREFIX);
}

/** What `determining` has for requests that `egress.allow` lets through. Ids of policies in files cannot begin with `sallyport:`. */
export const EGRESS_POLICY = "sallyport:egress-allow";

/** What callers at a TCP listener have to send, lower-case, and what it has to say. */
export const EGRESS_FIELD = "sallyport-egress";
export const EGRESS_FIELD_VALUE = "1";
