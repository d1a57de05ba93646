/**
 * Every family of metrics that the source registers, read from the calls that register it: their names,
 * helps and labels are written there as they are, and a call whose name cannot be read so fails the build
 * of the documentation. A family is listed whatever it takes to have it: a cluster, a provider, a failure.
 */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface DescribedFamily {
  /** As it is scraped: a counter with `_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Path of the file that registers it first, below `src/`. */
  readonly file: string;
}

const VERBS: ReadonlySet<string> = new Set(
  "counter gauge histogram sampled sampledEach info".split(" "),
);

/** A verb of `Metrics`, or a function of the same file that passes name and help on to one. */
const CALL = /\b(\w+)\(\s*"((?:sallyport|process)_\w+)"/g;

/** Sorted by name. Throws Error where a call cannot be read, or two of one name disagree. */
export function metricFamilies(): readonly DescribedFamily[] {
  const families = new Map<string, DescribedFamily>();
  const root = fileURLToPath(new URL("../../src/", import.meta.url));
  const files = globSync("**/*.ts", { cwd: root }).filter((file) => !file.endsWith(".test.ts"));
  for (const file of files.toSorted()) {
    for (const family of familiesOf(readFileSync(root + file, "utf8"), file)) {
      const known = families.get(family.name);
      families.set(family.name, known === undefined ? family : same(known, family));
    }
  }
  return [...families.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export function familiesOf(source: string, file: string): readonly DescribedFamily[] {
  return familiesIn(spelledOut(source), file);
}

/** `metrics.counter(\`sallyport_x_${name}\`, …)` in a local function: its calls, with the whole name. */
const PREFIX = /\bmetrics\s*\.\w+\(\s*`((?:sallyport|process)_\w+)\$\{(\w+)\}`/g;

function spelledOut(source: string): string {
  let text = source;
  for (const { 1: prefix = "", 2: parameter = "", index } of source.matchAll(PREFIX)) {
    const before = source.slice(0, index);
    const local = [...before.matchAll(/(?:const|function) (\w+)[^\n]*?\((\w+)/g)].findLast(
      (found) => found[2] === parameter,
    )?.[1];
    if (local === undefined) throw new Error(`${prefix}: names are put together in no function`);
    text = text.replaceAll(new RegExp(`\\b${local}\\(\\s*"(?!${prefix})`, "g"), `$&${prefix}`);
  }
  return text;
}

function familiesIn(source: string, file: string): readonly DescribedFamily[] {
  return [...source.matchAll(CALL)].flatMap((match) => {
    const [, called = "", name = ""] = match;
    const isMethod = source.charAt(match.index - 1) === ".";
    const local = isMethod ? undefined : definitionOf(called, source);
    const verb = local === undefined ? called : (/metrics\s*\.(\w+)\(/.exec(local)?.[1] ?? "");
    // Something else that is called by such a name.
    if (!VERBS.has(verb)) return [];
    const rest = argumentsAt(source, match.index + match[0].length);
    const type = verb === "counter" || verb === "histogram" ? verb : "gauge";
    const [help, ...others] = texts(rest);
    if (help === undefined) throw new Error(`${file}: the help of ${name} cannot be read`);
    const bare = name.replace(/_total$/, "");
    const family = {
      name: type === "counter" ? `${bare}_total` : bare,
      type,
      help,
      labels: verb === "info" ? others.slice(0, 1) : labelsOf(local ?? rest, source),
      file,
    } as const;
    return [family];
  });
}

/** How far a definition is looked at: it is a few lines. */
const DEFINITION = 600;

function definitionOf(name: string, source: string): string {
  const at = source.search(new RegExp(`(?:const|function) ${name}\\b`));
  return at === -1 ? "" : source.slice(at, at + DEFINITION);
}

/** The text of a call's arguments from `start` to its closing parenthesis. */
function argumentsAt(source: string, start: number): string {
  let depth = 1;
  for (let index = start; index < source.length; index++) {
    const character = source.charAt(index);
    if (character === '"' || character === "`") index = endOfText(source, index);
    else if (character === "(") depth += 1;
    else if (character === ")") depth -= 1;
    if (depth === 0) return source.slice(start, index);
  }
  throw new Error("a call without its end");
}

function endOfText(source: string, start: number): number {
  const quote = source.charAt(start);
  let index = start + 1;
  while (index < source.length && source.charAt(index) !== quote) {
    index += source.charAt(index) === "\\" ? 2 : 1;
  }
  return index;
}

function texts(source: string): readonly string[] {
  return [...source.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(([text]) => JSON.parse(text) as string);
}

/** A list of labels as it stands in the call, or the constant of the file that the call names. */
function labelsOf(call: string, source: string): readonly string[] {
  const written =
    /labels:\s*\[([^\]]*)\]/.exec(call) ??
    /^,\s*"(?:[^"\\]|\\.)*",\s*\[([^\]]*)\]/.exec(call) ??
    // In a local function: what it is given goes on as name and help.
    /metrics\s*\.\w+\([^()]*,\s*\w+,\s*\[([^\]]*)\]/.exec(call);
  if (written !== null) return texts(written[1] ?? "");
  const named = /^,\s*"(?:[^"\\]|\\.)*",\s*([A-Za-z]+),?\s*$/.exec(call)?.[1];
  const constant = named ?? (/\blabels\b\s*[,}]/.test(call) ? "labels" : undefined);
  if (constant === undefined || constant === "read") return [];
  const found = new RegExp(`const ${constant}\\b[^=]*= \\[([^\\]]*)\\]`).exec(source);
  return texts(found?.[1] ?? "");
}

function same(known: DescribedFamily, other: DescribedFamily): DescribedFamily {
  const agree = known.type === other.type && String(known.labels) === String(other.labels);
  if (!agree) throw new Error(`${other.file} registers ${other.name} unlike ${known.file}`);
  return known;
}
