/**
 * How large a value may be so that holding it against a schema stays short. A validator tries the alternatives
 * of `oneOf` and `anyOf` one after the other: where a schema leads back to itself through them, its work
 * doubles with each level of the value, and `uniqueItems` compares each item with each other. A caller could
 * so stop the process with a few hundred bytes.
 */

const LIMITS = {
  /** Tries of alternatives that a value may cost at most: some 50 ms. */
  tries: 50_000,
  /** Levels of a value that a schema with alternatives may have whatever their number. */
  levels: 4,
  /** Items of an array, where some array has to have different ones: half a million comparisons. */
  uniqueItems: 1000,
  /** Values of a document: each costs the validator about a microsecond. */
  values: 100_000,
} as const;

export interface WorkBounds {
  /** Arrays and objects within each other. */
  readonly depth: number;
  /** Items of one array. */
  readonly items: number;
}

/** `most`: the depth that is taken of any value. */
export function workBounds(schema: unknown, most: number): WorkBounds {
  const nodes = nodesOf(schema);
  const alternatives = Math.max(1, ...nodes.map(alternativesOf));
  const doubles = alternatives > 1 && leadsBack(schema);
  const fitting = Math.floor(Math.log(LIMITS.tries) / Math.log(alternatives));
  return {
    depth: doubles ? Math.min(most, Math.max(LIMITS.levels, fitting)) : most,
    items: nodes.some(({ uniqueItems }) => uniqueItems === true) ? LIMITS.uniqueItems : Infinity,
  };
}

/** What of a parsed document is beyond the bounds; undefined where nothing is. */
export function beyond(
  value: unknown,
  { depth, items }: WorkBounds,
): "too-deep" | "too-many-items" | "too-many-values" | undefined {
  let left: number = LIMITS.values;
  const look = (one: unknown, levels: number): ReturnType<typeof beyond> => {
    if (--left < 0) return "too-many-values";
    if (typeof one !== "object" || one === null) return undefined;
    if (levels === 0) return "too-deep";
    if (Array.isArray(one) && one.length > items) return "too-many-items";
    for (const inner of Object.values(one)) {
      const found = look(inner, levels - 1);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return look(value, depth);
}

type Node = Readonly<Record<string, unknown>>;

function nodesOf(schema: unknown): Node[] {
  if (typeof schema !== "object" || schema === null) return [];
  const inner = Object.values(schema).flatMap(nodesOf);
  return Array.isArray(schema) ? inner : [schema as Node, ...inner];
}

/** `if` is tried before one of two. */
function alternativesOf(node: Node): number {
  const count = (key: string): number => {
    const list = node[key];
    return Array.isArray(list) ? list.length : 0;
  };
  return Math.max(count("oneOf"), count("anyOf"), "if" in node ? 2 : 0);
}

/** Whether following references from the root comes by one of them again. */
function leadsBack(schema: unknown): boolean {
  const done = new Set<string>();
  const visit = (node: unknown, path: ReadonlySet<string>): boolean => {
    for (const { $ref: ref, ...rest } of nodesOf(node)) {
      if ("$dynamicRef" in rest || "$recursiveRef" in rest) return true;
      if (typeof ref !== "string") continue;
      if (ref === "#" || path.has(ref)) return true;
      if (done.has(ref)) continue;
      done.add(ref);
      if (visit(targetOf(schema, ref), new Set([...path, ref]))) return true;
    }
    return false;
  };
  return visit(schema, new Set());
}

/** A reference that leads nowhere here is taken to lead back. */
function targetOf(schema: unknown, ref: string): unknown {
  let at: unknown = schema;
  for (const step of ref.replace(/^#\/?/, "").split("/")) {
    const name = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    at = (at as Node | undefined)?.[name];
    if (at === undefined) return { $dynamicRef: ref };
  }
  return at;
}
