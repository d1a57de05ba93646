/**
 * What was tried for one exchange. Made when an attempt has failed: most exchanges never need one.
 */
import type { EndpointState } from "./endpoint-state.ts";

/** Methods that may be sent again although they may have arrived (RFC 9110 section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

export class Attempts {
  #tried: EndpointState[] = [];

  /** Endpoints that failed this exchange. */
  get tried(): readonly EndpointState[] {
    return this.#tried;
  }

  failed(endpoint: EndpointState): void {
    this.#tried.push(endpoint);
  }
}
