/**
 * Reads YAML 1.2 (core schema) to plain values and the place of each. The one file that knows the
 * `yaml` package.
 *
 * Refused, each with its place: duplicate keys, keys that are not text, more than one document,
 * tags beyond the core schema, merge keys, aliases that refer to themselves or unfold beyond a
 * bound. Numbers keep their value: integers beyond 2^53 become bigints.
 */
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  parseAllDocuments,
  type ParsedNode,
  type Document,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
  visit,
} from "yaml";
import type { Place } from "./place.ts";

const LIMITS = {
  /** Values of a document with its aliases unfolded: 30 000 routes; a bomb ends here in a second. */
  nodes: 500_000,
  /** Nesting; ours is six deep. Deeper text is a mistake or an attack on the stack. */
  depth: 64,
} as const;

/** One thing wrong with the text. */
export interface YamlProblem {
  readonly offset: number;
  readonly message: string;
  readonly remedy?: string;
}

export interface YamlDocument {
  /** Objects have no prototype surprises: `__proto__` is refused as a key. */
  readonly value: unknown;
  readonly place: Place;
  readonly problems: readonly YamlProblem[];
}

export interface YamlOptions {
  /** Most values, its aliases unfolded; of a configuration when left out. */
  readonly nodes?: number;
  /** What an empty document is told to begin with. */
  readonly begin?: string;
}

/** Never throws for what the text holds: problems are a part of the answer. */
export function parseYaml(
  text: string,
  { begin = "version: 1", nodes = LIMITS.nodes }: YamlOptions = {},
): YamlDocument {
  let documents: Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text, {
      version: "1.2",
      schema: "core",
      strict: true,
      // Looked at below: the package compares each key with all before it, half a minute for 20 000.
      uniqueKeys: false,
      intAsBigInt: true,
      prettyErrors: false,
      logLevel: "silent",
    });
    documents = Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return broken({ offset: 0, message: "it is nested too deeply to be read" });
  }
  const [first, second] = documents;
  if (first?.contents === undefined || first.contents === null) {
    return broken({ offset: 0, message: "the file is empty", remedy: `begin with: ${begin}` });
  }
  const problems: YamlProblem[] = untilLost([...first.errors, ...first.warnings]).map((error) => ({
    offset: error.pos[0],
    message: withoutStop(error.message),
    ...(OPEN_QUOTE.test(error.message)
      ? openQuote(first, error.pos[0])
      : remedyFor(text, error.pos[0])),
  }));
  if (second !== undefined) {
    const message = "a second YAML document begins here";
    problems.push({ offset: second.range[0], message, remedy: "one document, without '---'" });
  }
  const reader = new Reader(first, { problems, nodes });
  const { value, place } = reader.read(first.contents, { key: undefined, depth: 0 });
  return { value, place, problems };
}

interface Read {
  readonly value: unknown;
  readonly place: Place;
}

class Reader {
  readonly #document: Document.Parsed;
  readonly #problems: YamlProblem[];
  /** Aliases that are being unfolded, to refuse one inside itself. */
  readonly #open = new Set<Node>();
  readonly #targets = new Map<Node, ParsedNode | undefined>();
  readonly #limit: number;
  #nodes = 0;

  constructor(
    document: Document.Parsed,
    { problems, nodes }: { readonly problems: YamlProblem[]; readonly nodes: number },
  ) {
    this.#document = document;
    this.#problems = problems;
    this.#limit = nodes;
  }

  read(
    node: ParsedNode | null,
    at: { readonly key: number | undefined; readonly depth: number },
  ): Read {
    const offset = node?.range[0] ?? at.key ?? 0;
    this.#nodes += 1;
    if (this.#nodes > this.#limit || at.depth > LIMITS.depth) {
      if (this.#nodes <= this.#limit + 1) {
        const what = at.depth > LIMITS.depth ? `deeper than ${LIMITS.depth} levels` : "too large";
        this.#report(offset, `the document is ${what} once its aliases are unfolded`);
        this.#nodes = this.#limit + 2;
      }
      return leaf(undefined, offset, at.key);
    }
    if (node === null) return leaf(null, offset, at.key);
    if (isAlias(node)) return this.#alias(node, { ...at, offset });
    if (isMap(node)) return this.#map(node, { ...at, offset });
    if (isSeq(node)) return this.#list(node, { ...at, offset });
    return leaf(scalarValue(node), offset, at.key);
  }

  #alias(node: Alias.Parsed, at: Position): Read {
    const target = this.#resolve(node);
    if (target === undefined) {
      this.#report(at.offset, `the alias *${node.source} refers to nothing above it`);
      return leaf(undefined, at.offset, at.key);
    }
    if (this.#open.has(target)) {
      this.#report(at.offset, `the alias *${node.source} stands inside what it refers to`);
      return leaf(undefined, at.offset, at.key);
    }
    this.#open.add(target);
    const { value, place } = this.read(target, { key: at.key, depth: at.depth + 1 });
    this.#open.delete(target);
    // A problem in it is shown where the alias stands; inside it, where it was written.
    return { value, place: { ...place, value: at.offset } };
  }

  /** `resolve` searches the document each time; an alias that is unfolded often asks once. */
  #resolve(node: Alias.Parsed): ParsedNode | undefined {
    if (!this.#targets.has(node)) {
      this.#targets.set(node, node.resolve(this.#document) as ParsedNode | undefined);
    }
    return this.#targets.get(node);
  }

  #map(node: YAMLMap.Parsed, at: Position): Read {
    const value: Record<string, unknown> = {};
    const children = new Map<string, Place>();
    for (const pair of node.items) {
      const offset = pair.key.range[0];
      const key = isScalar(pair.key) ? pair.key.value : undefined;
      if (typeof key !== "string") {
        this.#report(offset, "this key is not text", "a name, in quotes if it looks like a number");
        continue;
      }
      if (key === "<<" || key === "__proto__") {
        const remedy = key === "<<" ? "an alias in full, or the keys themselves" : undefined;
        this.#report(offset, `the key "${key}" is not accepted`, remedy);
        continue;
      }
      if (children.has(key)) {
        this.#report(offset, `the key "${key}" is there twice`, "each key once, with all it holds");
        continue;
      }
      const child = this.read(pair.value, { key: offset, depth: at.depth + 1 });
      value[key] = child.value;
      children.set(key, child.place);
    }
    return { value, place: { value: at.offset, key: at.key, children } };
  }

  #list(node: YAMLSeq.Parsed, at: Position): Read {
    const value: unknown[] = [];
    const children = new Map<string, Place>();
    for (const item of node.items) {
      const child = this.read(item, { key: undefined, depth: at.depth + 1 });
      children.set(String(value.length), child.place);
      value.push(child.value);
    }
    return { value, place: { value: at.offset, key: at.key, children } };
  }

  #report(offset: number, message: string, remedy?: string): void {
    this.#problems.push({ offset, message, ...(remedy === undefined ? {} : { remedy }) });
  }
}

interface Position {
  readonly key: number | undefined;
  readonly offset: number;
  readonly depth: number;
}

function leaf(value: unknown, offset: number, key: number | undefined): Read {
  return { value, place: { value: offset, key, children: undefined } };
}

function scalarValue(node: Scalar): unknown {
  const { value } = node;
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function broken(problem: YamlProblem): YamlDocument {
  const place = { value: 0, key: undefined, children: undefined };
  return { value: undefined, place, problems: [problem] };
}

/** Behind these each further token would be a problem: 170 for one missing quote, five for one tab. */
const LOST: ReadonlySet<string> = new Set(["UNEXPECTED_TOKEN", "TAB_AS_INDENT"]);

const OPEN_QUOTE = /^Missing closing ["']quote/;

function untilLost<T extends { readonly code: string; readonly message: string }>(
  errors: readonly T[],
): readonly T[] {
  const lost = errors.findIndex(({ code, message }) => LOST.has(code) || OPEN_QUOTE.test(message));
  return lost === -1 ? errors : errors.slice(0, lost + 1);
}

/** The parser tells where the text ends that a quote opened, which may be the end of the file. */
function openQuote(document: Document.Parsed, end: number): Pick<YamlProblem, "offset" | "remedy"> {
  let offset = end;
  visit(document, {
    Scalar: (_, { type, range }) => {
      if (type?.startsWith("QUOTE_") === true && range?.[1] === end) offset = range[0];
    },
  });
  return { offset, remedy: "a closing one, on this line" };
}

function withoutStop(message: string): string {
  return message.split("\n", 1)[0]?.replace(/[.:]$/, "") ?? message;
}

/** `{ secret: ${env:X} }` is the one mistake that the parser's own words do not explain. */
function remedyFor(text: string, offset: number): { remedy?: string } {
  const start = text.lastIndexOf("\n", Math.max(0, offset - 1)) + 1;
  const end = text.indexOf("\n", offset);
  const line = text.slice(start, end === -1 ? undefined : end);
  if (/[{,][^"']*:\s*\$\{/.test(line)) return { remedy: 'quotes around it: "${…}"' };
  if (line.includes("\t")) return { remedy: "spaces, not tabs" };
  return {};
}
