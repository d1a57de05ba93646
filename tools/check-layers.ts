/**
 * Fails on an import that goes against the house's table of layers (ARCHITECTURE.md): upward,
 * sideways, in a circle, out of `src/`, of a builtin without `node:`, of a package that
 * package.json does not name, or of a package that another file owns.
 *
 * It reads the text of the sources. That is enough because oxfmt has the last word on their shape:
 * an import statement begins a line, and a specifier is one double-quoted string. What it cannot
 * read (a dynamic import of a computed name in `src/`) it refuses.
 */
import { isBuiltin } from "node:module";
import { globSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of `src/` → layer. A folder imports only from folders of a smaller number. */
export const LAYERS: Readonly<Record<string, number>> = {
  model: 0,
  platform: 1,
  wire: 1,
  crypto: 1,
  identity: 2,
  policy: 2,
  keys: 2,
  limits: 2,
  memory: 2,
  audit: 2,
  store: 2,
  telemetry: 2,
  gate: 3,
  review: 3,
  http: 4,
  proxy: 5,
  authority: 5,
  egress: 5,
  adapters: 5,
  admin: 5,
  config: 6,
  app: 7,
  cli: 8,
};

/** `src/index.ts`, the public surface, stands above all; nothing imports it. */
const SURFACE = "src/index.ts";

const OURSELVES = "sallyport";

/** Every module describes its own options with it. */
const FREE_PACKAGES: ReadonlySet<string> = new Set(["zod"]);

export interface LayerInput {
  /** Path from the root of the repository, with `/`, → text. */
  readonly sources: ReadonlyMap<string, string>;
  readonly dependencies: ReadonlySet<string>;
  readonly devDependencies: ReadonlySet<string>;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** One sentence a fault, `file:line  what is wrong`, in the order of the files. */
export function findLayerFaults(input: LayerInput): string[] {
  const faults: string[] = [];
  const owners = new Map<string, string>();
  const graph = new Map<string, string[]>();
  for (const [file, text] of [...input.sources].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const targets: string[] = [];
    for (const found of readImports(text)) {
      const target = posix.join(posix.dirname(file), found.specifier);
      const relative = found.specifier.startsWith(".");
      const fault = relative
        ? relativeFault(file, target, input.sources)
        : packageFault(file, found.specifier, { input, owners });
      if (fault !== undefined) faults.push(`${file}:${found.line}  ${fault}`);
      else if (relative) targets.push(target);
    }
    const folder = folderOf(file);
    if (folder !== undefined && LAYERS[folder] === undefined) {
      faults.push(`${file}:1  the folder src/${folder} has no layer; add it to tools/check-layers`);
    }
    graph.set(file, targets);
  }
  return [...faults, ...findCircles(graph)];
}

const STATEMENT = /^[ \t]*(?:import|export)\b(?:[^;"'`]*?\bfrom)?\s*"([^"\n]+)"/gm;
const DYNAMIC = /\b(?:import|require)\(\s*(?:"([^"\n]+)"|(?=[^\s"]))/g;
const WORKER = /\bnew URL\(\s*"(\.{1,2}\/[^"\n]+\.ts)",\s*import\.meta\.url/g;

/** Static, type, dynamic and worker imports; a computed specifier stands as `?`. */
export function readImports(text: string): Import[] {
  const code = blankProse(text);
  const found: Import[] = [];
  for (const pattern of [STATEMENT, DYNAMIC, WORKER]) {
    for (const match of code.matchAll(pattern)) {
      const line = code.slice(0, match.index + match[0].length).split("\n").length;
      found.push({ specifier: match[1] ?? "?", line });
    }
  }
  return found.toSorted((a, b) => a.line - b.line);
}

/**
 * Empties comments that fill whole lines, and single-quoted strings: oxfmt leaves those only where
 * the string itself holds a double quote, so none of them is a specifier.
 */
function blankProse(text: string): string {
  return text
    .replaceAll(/^[ \t]*\/\*[\s\S]*?\*\//gm, (all) => all.replaceAll(/[^\n]/g, ""))
    .replaceAll(/^[ \t]*\/\/.*$/gm, "")
    .replaceAll(/(?<=[\s[(:,=])'[^'\n]*"[^'\n]*'/g, "");
}

function relativeFault(
  file: string,
  target: string,
  sources: LayerInput["sources"],
): string | undefined {
  if (!target.endsWith(".ts")) return undefined;
  if (!sources.has(target)) return `${target} does not exist`;
  const from = layerOf(file);
  if (from === undefined) return undefined;
  const to = layerOf(target);
  if (to === undefined) {
    // Tests beside the source may use the fakes and corpora of test/.
    const shared = isTest(file) && target.startsWith("test/");
    return shared ? undefined : `src/ imports ${target}, which lies outside`;
  }
  if (folderOf(file) === folderOf(target) && target !== SURFACE) return undefined;
  if (to < from) return undefined;
  return `imports ${target}: ${to === from ? "sideways" : "upward"} (layer ${from} to ${to})`;
}

function packageFault(
  file: string,
  specifier: string,
  known: { readonly input: LayerInput; readonly owners: Map<string, string> },
): string | undefined {
  if (specifier.startsWith("node:")) {
    return isBuiltin(specifier) ? undefined : `${specifier} is not a builtin of Node`;
  }
  if (isBuiltin(`node:${specifier}`)) return `"${specifier}" must be written "node:${specifier}"`;
  const ours = layerOf(file) !== undefined;
  if (specifier === "?") return ours ? "a dynamic import of a computed name" : undefined;
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  // What tries the package from outside names it as its users do.
  if (!ours && name === OURSELVES) return undefined;
  if (!ours || isTest(file)) {
    const { dependencies, devDependencies } = known.input;
    return dependencies.has(name) || devDependencies.has(name)
      ? undefined
      : `the package ${name} is not in package.json`;
  }
  if (!known.input.dependencies.has(name)) {
    return `the package ${name} is not among the dependencies in package.json`;
  }
  if (FREE_PACKAGES.has(name)) return undefined;
  const owner = known.owners.get(name) ?? file;
  known.owners.set(name, owner);
  return owner === file ? undefined : `the package ${name} belongs to ${owner}`;
}

/** Every circle of files once, beginning with its first file by name. */
function findCircles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const faults: string[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (file: string): void => {
    if (done.has(file)) return;
    const start = trail.indexOf(file);
    if (start !== -1) {
      faults.push(`${file}:1  a circle: ${[...trail.slice(start), file].join(" → ")}`);
      return;
    }
    trail.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    trail.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return faults;
}

/** First folder under `src/`; undefined for `src/index.ts` and for what lies outside. */
function folderOf(file: string): string | undefined {
  const parts = file.split("/");
  return parts[0] === "src" && parts.length > 2 ? parts[1] : undefined;
}

function layerOf(file: string): number | undefined {
  if (!file.startsWith("src/")) return undefined;
  return LAYERS[folderOf(file) ?? ""] ?? Number.POSITIVE_INFINITY;
}

function isTest(file: string): boolean {
  return file.endsWith(".test.ts");
}

function readRepository(root: string): LayerInput {
  const files = globSync("{src,test,tools,bench,examples}/**/*.ts", { cwd: root });
  const manifest = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as {
    readonly dependencies: Record<string, string>;
    readonly devDependencies: Record<string, string>;
  };
  return {
    sources: new Map(
      files
        .filter((file) => !file.includes("node_modules"))
        .map((file) => [file.replaceAll("\\", "/"), readFileSync(`${root}/${file}`, "utf8")]),
    ),
    dependencies: new Set(Object.keys(manifest.dependencies)),
    devDependencies: new Set(Object.keys(manifest.devDependencies)),
  };
}

if (import.meta.main) {
  const faults = findLayerFaults(readRepository(fileURLToPath(new URL("..", import.meta.url))));
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
