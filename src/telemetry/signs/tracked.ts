/**
 * Callers that rules keep something about: principals and addresses. A record is looked up once, and every
 * rule finds its own state at its own place; when a caller is forgotten, all that was kept of it is.
 */
import { Generations } from "./generations.ts";

export interface Tracked {
  /** `<authenticator>/<subject>`, or an address. */
  readonly text: string;
  readonly states: unknown[];
  /** Where it called from last, and the network of that: most callers come from one place. */
  address: string;
  network: string;
}

export class Callers {
  readonly #known: Generations<string, Tracked>;

  /** At most twice as many are kept. */
  constructor(limit: number) {
    this.#known = new Generations(limit);
  }

  get(text: string): Tracked {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const made: Tracked = { text, states: [], address: "", network: "" };
    this.#known.set(text, made);
    return made;
  }

  *all(): IterableIterator<Tracked> {
    for (const [, tracked] of this.#known.entries()) yield tracked;
  }
}

/** Gives each rule a place of its own in what is kept of a caller. */
export class Places {
  #next = 0;

  place<T>(): Place<T> {
    const place = new Place<T>(this.#next);
    this.#next += 1;
    return place;
  }
}

/** Where one rule keeps its state of each caller. */
export class Place<T> {
  readonly #index: number;

  constructor(index: number) {
    this.#index = index;
  }

  get(caller: Tracked): T | undefined {
    // Nobody else has this index.
    return caller.states[this.#index] as T | undefined;
  }

  set(caller: Tracked, state: T): void {
    caller.states[this.#index] = state;
  }
}
