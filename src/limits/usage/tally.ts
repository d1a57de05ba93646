/** What one principal has used in one period: here, and by all. */
import type { QuotaUse } from "../../model/quota-steps.ts";

export class Tally implements QuotaUse {
  readonly start: number;
  readonly end: number;
  requests = 0;
  bytes = 0;
  cost = 0;
  /** Whether other machines were told of it: then they know what this one did before it was started. */
  common = false;
  /** Of it, what others have not been told of. */
  #requests = 0;
  #bytes = 0;
  #cost = 0;

  constructor(start: number, end: number) {
    this.start = start;
    this.end = end;
  }

  /** Used here. Never below nothing: what is given back after a period has begun was taken in the one before. */
  add({ requests, bytes, cost }: QuotaUse): void {
    this.merge({ requests, bytes, cost });
    this.#requests += requests;
    this.#bytes += bytes;
    this.#cost += cost;
  }

  /** Used elsewhere. */
  merge({ requests, bytes, cost }: QuotaUse): void {
    this.requests = Math.max(0, this.requests + requests);
    this.bytes += bytes;
    this.cost = Math.max(0, this.cost + cost);
  }

  /** Undefined: nothing. */
  drain(): QuotaUse | undefined {
    const unsent = { requests: this.#requests, bytes: this.#bytes, cost: this.#cost };
    if (unsent.requests === 0 && unsent.bytes === 0 && unsent.cost === 0) return undefined;
    this.#requests = 0;
    this.#bytes = 0;
    this.#cost = 0;
    return unsent;
  }
}
