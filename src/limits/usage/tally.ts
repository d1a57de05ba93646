/** What one principal has used in one period: here, and by all. `cost` in thousandths. */
export interface Use {
  readonly requests: number;
  readonly bytes: number;
  readonly cost: number;
}

export class Tally implements Use {
  readonly start: number;
  readonly end: number;
  requests = 0;
  bytes = 0;
  cost = 0;
  /** Of it, what others have not been told of. */
  #requests = 0;
  #bytes = 0;
  #cost = 0;

  constructor(start: number, end: number) {
    this.start = start;
    this.end = end;
  }

  /** Used here. Never below nothing: what is given back after a period has begun was taken in the one before. */
  add({ requests, bytes, cost }: Use): void {
    this.merge({ requests, bytes, cost });
    this.#requests += requests;
    this.#bytes += bytes;
    this.#cost += cost;
  }

  /** Used elsewhere. */
  merge({ requests, bytes, cost }: Use): void {
    this.requests = Math.max(0, this.requests + requests);
    this.bytes += bytes;
    this.cost = Math.max(0, this.cost + cost);
  }

  /** Undefined: nothing. */
  drain(): Use | undefined {
    const unsent = { requests: this.#requests, bytes: this.#bytes, cost: this.#cost };
    if (unsent.requests === 0 && unsent.bytes === 0 && unsent.cost === 0) return undefined;
    this.#requests = 0;
    this.#bytes = 0;
    this.#cost = 0;
    return unsent;
  }
}
