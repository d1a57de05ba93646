/**
 * From who is in what directly to who is in what at all, once for all decisions. Those who are in the
 * same share one list: 100 000 people of 1 000 teams have 1 000 lists.
 *
 * Refuses what is in itself, and nesting beyond a bound.
 */
import type { AttributeValue } from "../../model/principal.ts";
import type { FileEntity } from "./file-entity.ts";

export interface Membership {
  /** `EntityUid.key`. */
  readonly key: string;
  /** Keys of what it is in directly. */
  readonly parents: ReadonlySet<string>;
  readonly attributes: Readonly<Record<string, AttributeValue>> | undefined;
}

export interface Circle {
  readonly node: Membership;
  readonly message: string;
}

const LIMITS = {
  /** Roles and groups within each other; organisations have some ten. */
  levels: 32,
} as const;

export function closeMemberships(nodes: readonly Membership[]): {
  readonly entities: readonly FileEntity[];
  readonly circles: readonly Circle[];
} {
  const closer = new Closer(nodes);
  const entities = nodes.map((node): FileEntity => {
    const { key, attributes } = node;
    const within = closer.within(node);
    return attributes === undefined ? { key, within } : { key, within, attributes };
  });
  return { entities, circles: closer.circles };
}

/** What one is in, and by how many levels. */
interface Above {
  readonly within: readonly string[];
  readonly levels: number;
}

const TOP: Above = { within: [], levels: 0 };

class Closer {
  readonly circles: Circle[] = [];
  readonly #nodes: ReadonlyMap<string, Membership>;
  /** Of roles and groups, by key. */
  readonly #above = new Map<string, Above>();
  /** By the keys of what is directly above. */
  readonly #shared = new Map<string, Above>();
  #tooDeep = false;

  constructor(nodes: readonly Membership[]) {
    this.#nodes = new Map(nodes.map((node) => [node.key, node]));
  }

  within(node: Membership): readonly string[] {
    const { within, levels } = this.#of(node, []);
    if (levels > LIMITS.levels) this.#refuseDepth(node);
    return within;
  }

  #of(node: Membership, trail: readonly Membership[]): Above {
    if (node.parents.size === 0) return TOP;
    const list = [...node.parents].toSorted();
    const name = JSON.stringify(list);
    const known = this.#shared.get(name);
    if (known !== undefined) return known;
    const found = new Set<string>();
    let levels = 0;
    for (const parent of list) {
      found.add(parent);
      const above = this.#aboveOf(parent, [...trail, node]);
      levels = Math.max(levels, above.levels + 1);
      for (const one of above.within) found.add(one);
    }
    const all = { within: [...found], levels };
    this.#shared.set(name, all);
    return all;
  }

  #aboveOf(key: string, trail: readonly Membership[]): Above {
    const known = this.#above.get(key);
    if (known !== undefined) return known;
    const node = this.#nodes.get(key);
    if (node === undefined) return TOP;
    const before = trail.indexOf(node);
    if (before >= 0) {
      const circle = trail.slice(before).map(shown).join(" in ");
      this.circles.push({ node, message: `${circle} is in itself` });
      return TOP;
    }
    // So that no file can exhaust the stack.
    if (trail.length > LIMITS.levels) {
      this.#refuseDepth(trail[0] ?? node);
      return TOP;
    }
    const above = this.#of(node, trail);
    this.#above.set(key, above);
    return above;
  }

  /** Once: whoever is further down would meet it again. */
  #refuseDepth(node: Membership): void {
    if (this.#tooDeep) return;
    this.#tooDeep = true;
    const message = `${shown(node)} is in more than ${String(LIMITS.levels)} levels of roles and groups`;
    this.circles.push({ node, message });
  }
}

/** `Sallyport::Group::"corp/a` to `Group::"corp/a"`. */
function shown({ key }: Membership): string {
  const quote = key.indexOf('"');
  return `${key.slice(0, quote).replace(/^\w+::/, "")}${JSON.stringify(key.slice(quote + 1))}`;
}
