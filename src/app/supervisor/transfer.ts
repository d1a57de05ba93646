/**
 * A prepared configuration on its way to a worker, in pieces that each cost the receiving thread a
 * millisecond or so. By value, not by file: every worker runs the same, and one that is started anew
 * runs what is in force, whatever is on the disk by then.
 */
import { deserialize, serialize } from "node:v8";
import { issuingOptions } from "../../authority/authority-options.ts";
import type { Prepared } from "../prepare.ts";
import { freezePrepared } from "../../config/load-thread.ts";

const LIMITS = {
  /** Routes or policies of one piece. */
  items: 100,
  /** Entities of one piece. */
  entities: 1000,
} as const;

type Part =
  | { readonly routes: Prepared["loaded"]["config"]["routes"] }
  | { readonly policies: Prepared["policies"]["policies"] }
  | { readonly shadow: Prepared["policies"]["policies"] }
  | { readonly entities: Prepared["policies"]["entities"] }
  | { readonly shadowEntities: Prepared["policies"]["entities"] }
  | { readonly rest: Prepared };

/** Each text is one piece. */
/** What came of the tests is the supervisor's to say. */
export function encodePrepared({ loaded, policies, shadow }: Prepared): string[] {
  const parts: Part[] = [];
  const { routes } = loaded.config;
  for (let from = 0; from < routes.length; from += LIMITS.items) {
    parts.push({ routes: routes.slice(from, from + LIMITS.items) });
  }
  for (const some of pieces(policies.policies)) parts.push({ policies: some });
  for (const some of pieces(policies.entities, LIMITS.entities)) parts.push({ entities: some });
  for (const some of pieces(shadow?.policies ?? [])) parts.push({ shadow: some });
  for (const some of pieces(shadow?.entities ?? [], LIMITS.entities)) {
    parts.push({ shadowEntities: some });
  }
  const rest: Prepared = {
    // The policies' text has done its work; their checked form goes in its place. How the store is
    // reached, and what it is sealed with, is nothing that a process that serves has to know.
    loaded: {
      ...loaded,
      policyFiles: [],
      shadowFiles: undefined,
      tests: undefined,
      published: [],
      shown: "{}",
      config: { ...loaded.config, routes: [], authority: undefined },
      issuing: issuingOptions(loaded.config.authority),
    },
    policies: { ...policies, policies: [], entities: [] },
    shadow: shadow && { ...shadow, policies: [], entities: [] },
  };
  parts.push({ rest });
  return parts.map((part) => serialize(part).toString("base64"));
}

function* pieces<T>(all: readonly T[], size: number = LIMITS.items): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size);
}

/** Puts pieces together again. */
export class PreparedReader {
  #routes: Prepared["loaded"]["config"]["routes"] = [];
  #policies: Prepared["policies"]["policies"][number][] = [];
  #shadow: Prepared["policies"]["policies"][number][] = [];
  #entities: Prepared["policies"]["entities"][number][] = [];
  #shadowEntities: Prepared["policies"]["entities"][number][] = [];
  #rest: Prepared | undefined;

  add(text: string): void {
    const part = deserialize(Buffer.from(text, "base64")) as Part;
    if ("routes" in part) for (const route of part.routes) this.#routes.push(route);
    else if ("policies" in part) for (const one of part.policies) this.#policies.push(one);
    else if ("shadow" in part) for (const one of part.shadow) this.#shadow.push(one);
    else if ("entities" in part) for (const one of part.entities) this.#entities.push(one);
    else if ("shadowEntities" in part) {
      for (const one of part.shadowEntities) this.#shadowEntities.push(one);
    } else this.#rest = part.rest;
  }

  /** What was added since the last time. */
  take(): Prepared {
    const rest = this.#rest;
    if (rest === undefined) throw new TypeError("a configuration that is not whole");
    const { loaded, policies, shadow } = rest;
    const whole: Prepared = {
      loaded: freezePrepared({ ...loaded, config: { ...loaded.config, routes: this.#routes } }),
      policies: { ...policies, policies: this.#policies, entities: this.#entities },
      shadow: shadow && { ...shadow, policies: this.#shadow, entities: this.#shadowEntities },
    };
    this.#routes = [];
    this.#policies = [];
    this.#shadow = [];
    this.#entities = [];
    this.#shadowEntities = [];
    this.#rest = undefined;
    return whole;
  }
}
