/**
 * What was made of a credential's facts for services, kept until it is old. One for a process, so that
 * its size is bounded whatever number of services and callers there is, and a reload signs nothing anew.
 *
 * By the facts themselves and not by anything that they say: two credentials never share an entry,
 * however alike they are.
 */
import type { CredentialFacts } from "../model/facts.ts";
import type { Fields } from "../model/http.ts";
import type { Signer } from "../model/signing.ts";

const LIMITS = {
  /** Entries of a generation, of which there are two. At a kilobyte each 16 MB; at the longest 128 MB. */
  entries: 8192,
} as const;

export interface KeptFields {
  readonly fields: Fields;
  /** Undefined where nothing is signed. */
  readonly signer: Signer | undefined;
  /** Good from here … */
  readonly fromMs: number;
  /** … made anew when it is used after this; changed by who does so. */
  renewMs: number;
  /** … and to here. */
  readonly endMs: number;
}

type Entries = Map<CredentialFacts, Map<string, KeptFields>>;

export class IdentityCache {
  #young: Entries = new Map();
  #old: Entries = new Map();
  #size = 0;

  get(facts: CredentialFacts, key: string): KeptFields | undefined {
    const found = this.#young.get(facts)?.get(key);
    if (found !== undefined || this.#old.size === 0) return found;
    const earlier = this.#old.get(facts)?.get(key);
    if (earlier !== undefined) this.put(facts, key, earlier);
    return earlier;
  }

  put(facts: CredentialFacts, key: string, kept: KeptFields): void {
    let own = this.#young.get(facts);
    if (own?.has(key) !== true && this.#size >= LIMITS.entries) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#size = 0;
      own = undefined;
    }
    if (own === undefined) this.#young.set(facts, (own = new Map()));
    if (!own.has(key)) this.#size += 1;
    own.set(key, kept);
  }

  /** Entries of both generations; one that moved counts twice until the older one is gone. */
  get size(): number {
    let old = 0;
    for (const own of this.#old.values()) old += own.size;
    return this.#size + old;
  }
}
