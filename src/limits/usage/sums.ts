/**
 * What usage adds up to since it was last written, found by whose it is. A caller asks for few things, so
 * its own last sums are looked at before a name is made of all that tells sums apart: making names took
 * half of what counting costs.
 */
import type { UsageKey } from "./usage-lines.ts";

const LIMITS = {
  /** Sums of one principal that are looked at one by one. */
  recent: 8,
} as const;

export interface Sum {
  readonly key: UsageKey;
  /** The beginning of its hour, milliseconds since the epoch. */
  readonly hourMs: number;
  requests: number;
  denied: number;
  bytesIn: number;
  bytesOut: number;
  /** Thousandths. */
  cost: number;
}

export class Sums {
  readonly #sums = new Map<string, Sum>();
  /** By principal; the last of each. */
  readonly #recent = new Map<string, Sum[]>();

  get size(): number {
    return this.#sums.size;
  }

  /** The sum of the key in that hour, which begins with nothing. */
  of(key: UsageKey, hourMs: number): Sum {
    let recent = this.#recent.get(key.principal);
    if (recent === undefined) {
      recent = [];
      this.#recent.set(key.principal, recent);
    }
    for (const sum of recent) {
      if (sum.hourMs === hourMs && (sum.key === key || isSame(sum.key, key))) return sum;
    }
    const sum = this.#named(key, hourMs);
    if (recent.length === LIMITS.recent) recent.shift();
    recent.push(sum);
    return sum;
  }

  all(): Iterable<Sum> {
    return this.#sums.values();
  }

  clear(): void {
    this.#sums.clear();
    this.#recent.clear();
  }

  #named(key: UsageKey, hourMs: number): Sum {
    const { principal, plan, service, route, operation } = key;
    const name = `${hourMs}\n${principal}\n${plan}\n${service}\n${route}\n${operation}`;
    const known = this.#sums.get(name);
    if (known !== undefined) return known;
    const sum = { key, hourMs, requests: 0, denied: 0, bytesIn: 0, bytesOut: 0, cost: 0 };
    this.#sums.set(name, sum);
    return sum;
  }
}

/** Of one principal. */
function isSame(one: UsageKey, other: UsageKey): boolean {
  return (
    one.plan === other.plan &&
    one.service === other.service &&
    one.route === other.route &&
    one.operation === other.operation
  );
}
