/**
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers): what a caller may still
 * do. Structured fields (RFC 9651): lists of quoted names with parameters.
 */
const SECOND = 1000;

/** `"name";q=100;w=1`, or for requests in flight `"name";q=10;qu="concurrent-requests"`. */
export function ratePolicyItem(name: string, requests: number, perMs: number): string {
  return `"${name}";q=${requests};w=${perMs / SECOND}`;
}

export function concurrencyPolicyItem(name: string, requests: number): string {
  return `"${name}";q=${requests};qu="concurrent-requests"`;
}

/** `"name";r=50;t=30`: what is left, and in how many seconds all of it is there again. */
export function rateItem(name: string, remaining: number, resetMs: number): string {
  return `"${name}";r=${remaining};t=${seconds(resetMs)}`;
}

export function concurrencyItem(name: string, left: number): string {
  return `"${name}";r=${left}`;
}

/** Whole seconds, rounded up: who waits that long has waited long enough. */
export function seconds(ms: number): number {
  return Math.ceil(ms / SECOND);
}
