/**
 * Finds the one route that a canonical host and path belong to: a trie over hosts and path segments,
 * compiled once, so that the cost of a look-up does not depend on how many routes there are.
 *
 * Precedence: an exact host before `*.suffix` (the longest suffix first) before no host; within a
 * host, segment by segment from the left, a literal before `{param}` before `*`. The most specific
 * path wins before the method is looked at: a method that it does not list is 405 and never falls
 * through to a wider route. Refuses two routes that could both win: `findConflicts` names them.
 */

/** What the router needs to know of a route. */
export interface RoutePattern {
  readonly name: string;
  /** Lower-case host, `*.suffix`, or undefined for any. */
  readonly host: string | undefined;
  /** Canonical path of literal segments, `{name}` for one segment, `*` last for the rest. */
  readonly path: string;
  /** Undefined: every method that policies know. */
  readonly methods: readonly string[] | undefined;
}

/** Routes of one host and path, told apart by method. */
export interface RouteMatch<T> {
  /** The route that takes this method, or undefined (405). */
  method(method: string): T | undefined;
  /** Value of the `allow` field (RFC 9110 section 10.2.1). */
  readonly allow: string;
}

export interface Router<T> {
  /** The routes at this host and path, or undefined (404). */
  find(host: string, path: string): RouteMatch<T> | undefined;
  /** Whether a route is for this host, by name or by suffix, and not only for any. */
  namesHost(host: string): boolean;
}

/** A pair of routes that could both win, as indexes into the list. */
export interface RouteConflict {
  readonly first: number;
  readonly second: number;
}

/** Compiles the routes. Throws TypeError where `findConflicts` finds something: load checks come first. */
export function createRouter<T>(
  routes: readonly (RoutePattern & { readonly value: T })[],
  allMethods: readonly string[],
): Router<T> {
  if (findConflicts(routes).length > 0) {
    throw new TypeError("routes overlap; findConflicts must be asked first");
  }
  const exact = new Map<string, Node<T>>();
  const suffixes = new Map<string, Node<T>>();
  const anyHost = new Node<T>();
  for (const route of routes) {
    const leaf = leafFor(hostRoot(route.host, { exact, suffixes, anyHost }), route.path);
    leaf.add(route.methods ?? allMethods, route.value);
  }
  return {
    namesHost(host) {
      if (exact.has(host)) return true;
      for (let dot = host.indexOf("."); dot > 0; dot = host.indexOf(".", dot + 1)) {
        if (suffixes.has(host.slice(dot))) return true;
      }
      return false;
    },
    find(host, path) {
      const own = exact.get(host);
      const found = own === undefined ? undefined : walk(own, path, 1);
      if (found !== undefined) return found;
      if (suffixes.size > 0) {
        // The longest suffix first: cut one label after the other from the left.
        for (let dot = host.indexOf("."); dot > 0; dot = host.indexOf(".", dot + 1)) {
          const root = suffixes.get(host.slice(dot));
          const inSuffix = root === undefined ? undefined : walk(root, path, 1);
          if (inSuffix !== undefined) return inSuffix;
        }
      }
      return walk(anyHost, path, 1);
    },
  };
}

/** Pairs of routes with the same host and the same shape of path that share a method. */
export function findConflicts(routes: readonly RoutePattern[]): RouteConflict[] {
  const conflicts: RouteConflict[] = [];
  const byShape = new Map<string, number[]>();
  routes.forEach((route, second) => {
    const shape = `${route.host ?? ""}\n${route.path.replaceAll(/\{[^/]*\}/g, "{}")}`;
    const earlier = byShape.get(shape);
    if (earlier === undefined) {
      byShape.set(shape, [second]);
      return;
    }
    for (const first of earlier) {
      if (shareMethod(routes[first]?.methods, route.methods)) conflicts.push({ first, second });
    }
    earlier.push(second);
  });
  return conflicts;
}

/** Positions of the `{name}` segments of a pattern, counted from 0. */
export function pathParams(
  path: string,
): readonly { readonly name: string; readonly index: number }[] {
  return path
    .slice(1)
    .split("/")
    .flatMap((segment, index) =>
      segment.startsWith("{") && segment.endsWith("}")
        ? [{ name: segment.slice(1, -1), index }]
        : [],
    );
}

class Node<T> {
  literals: Map<string, Node<T>> | undefined;
  param: Node<T> | undefined;
  rest: Leaf<T> | undefined;
  leaf: Leaf<T> | undefined;
}

class Leaf<T> implements RouteMatch<T> {
  readonly #byMethod = new Map<string, T>();
  allow = "";

  add(methods: readonly string[], value: T): void {
    for (const method of methods) this.#byMethod.set(method, value);
    this.allow = [...this.#byMethod.keys()].join(", ");
  }

  method(method: string): T | undefined {
    return this.#byMethod.get(method);
  }
}

function hostRoot<T>(
  host: string | undefined,
  roots: { exact: Map<string, Node<T>>; suffixes: Map<string, Node<T>>; anyHost: Node<T> },
): Node<T> {
  if (host === undefined) return roots.anyHost;
  const map = host.startsWith("*.") ? roots.suffixes : roots.exact;
  const key = host.startsWith("*.") ? host.slice(1) : host;
  let root = map.get(key);
  if (root === undefined) map.set(key, (root = new Node<T>()));
  return root;
}

function leafFor<T>(root: Node<T>, path: string): Leaf<T> {
  let node = root;
  for (const segment of path.slice(1).split("/")) {
    if (segment === "*") return (node.rest ??= new Leaf<T>());
    if (segment.startsWith("{")) {
      node = node.param ??= new Node<T>();
    } else {
      node.literals ??= new Map();
      let next = node.literals.get(segment);
      if (next === undefined) node.literals.set(segment, (next = new Node<T>()));
      node = next;
    }
  }
  return (node.leaf ??= new Leaf<T>());
}

/**
 * `from` is the index behind the slash that begins the segment to look at. Recursion is as deep as
 * the deepest route, not as the path.
 */
function walk<T>(node: Node<T>, path: string, from: number): Leaf<T> | undefined {
  const slash = path.indexOf("/", from);
  const segment = slash < 0 ? path.slice(from) : path.slice(from, slash);
  const literal = node.literals?.get(segment);
  if (literal !== undefined) {
    const found = slash < 0 ? literal.leaf : walk(literal, path, slash + 1);
    if (found !== undefined) return found;
  }
  if (node.param !== undefined && segment !== "") {
    const found = slash < 0 ? node.param.leaf : walk(node.param, path, slash + 1);
    if (found !== undefined) return found;
  }
  return node.rest;
}

function shareMethod(
  one: readonly string[] | undefined,
  other: readonly string[] | undefined,
): boolean {
  if (one === undefined || other === undefined) return true;
  return one.some((method) => other.includes(method));
}
