/**
 * Takes checks out of source files, one at a time, and runs the tests that import them: a change that
 * no test notices is printed, and the exit code is 1.
 *
 *   tools/with-runtime node tools/mutate.ts src/identity/dpop/dpop.ts [more files] [--tests FILE …]
 *
 * Works on a copy; the tree is not touched. Tests run on Bun, which starts in a tenth of the time.
 * It knows no types and changes text: some changes mean the same as what they replace, so survivors
 * are to be read, not counted.
 */
import { spawn } from "node:child_process";
import {
  cpSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readImports } from "./check-layers.ts";

const LIMITS = {
  /** A change may make a loop endless. */
  runMs: 60_000,
  /** Copies that are worked on at once. */
  copies: 2,
} as const;

/** A change of one file. */
export interface Mutant {
  readonly line: number;
  /** What was done, for the reader. */
  readonly change: string;
  readonly text: string;
}

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Every change that is tried; comments, imports and types stay as they are. */
export function findMutants(source: string): Mutant[] {
  const code = blankStrings(source);
  const mutants: Mutant[] = [];
  const put = (at: number, length: number, by: string, change: string): void => {
    const line = source.slice(0, at).split("\n").length;
    const text = source.slice(0, at) + by + source.slice(at + length);
    mutants.push({ line, change, text });
  };
  for (const { index } of code.matchAll(/\bif \(/g)) {
    const open = index + "if ".length;
    const close = closing(code, open);
    const condition = source.slice(open + 1, close);
    put(open, close + 1 - open, `(false && (${condition}))`, `if (${short(condition)}) never`);
    put(open, close + 1 - open, `(true || (${condition}))`, `if (${short(condition)}) always`);
  }
  for (const [pattern, by] of OPERATORS) {
    for (const { index, 0: found } of code.matchAll(pattern)) {
      put(index, found.length, by, `${found.trim()} becomes ${by.trim()}`);
    }
  }
  return mutants.toSorted((a, b) => a.line - b.line);
}

const OPERATORS: readonly (readonly [RegExp, string])[] = [
  [/ === /g, " !== "],
  [/ !== /g, " === "],
  [/ && /g, " || "],
  [/ \|\| /g, " && "],
  [/ < (?=[\w(])/g, " <= "],
  [/ <= /g, " < "],
  [/ > (?=[\w(])/g, " >= "],
  [/ >= /g, " > "],
];

/** Same length, with everything blank that is no code: strings, patterns, comments, imports. */
function blankStrings(source: string): string {
  const blank = (all: string): string => all.replaceAll(/[^\n]/g, " ");
  return source
    .replaceAll(/\/\*[\s\S]*?\*\//g, blank)
    .replaceAll(/(?<![:"'`\\\w])\/\/.*$/gm, blank)
    .replaceAll(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, blank)
    .replaceAll(
      /(?<=[(,=:?&|!] ?)\/(?![*/ ])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g,
      blank,
    )
    .replaceAll(/^import [\s\S]*?;$/gm, blank);
}

function closing(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (code[at] === "(") depth += 1;
    if (code[at] === ")" && --depth === 0) return at;
  }
  throw new TypeError("a condition that does not end");
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length <= 60 ? line : `${line.slice(0, 57)}...`;
}

/** Test files that import the file, through others too. */
function testsOf(file: string): string[] {
  const importers = new Map<string, string[]>();
  for (const one of globSync("{src,test}/**/*.ts", { cwd: ROOT })) {
    for (const { specifier } of readImports(readFileSync(join(ROOT, one), "utf8"))) {
      if (!specifier.startsWith(".")) continue;
      const target = posix.join(posix.dirname(one), specifier);
      const known = importers.get(target);
      if (known === undefined) importers.set(target, [one]);
      else known.push(one);
    }
  }
  const seen = new Set([file]);
  for (const one of seen) {
    // Through the wiring every end-to-end test imports everything; those are named with --tests.
    if (/^src\/(?:admin|app|cli|config)\//.test(one)) continue;
    for (const importer of importers.get(one) ?? []) seen.add(importer);
  }
  return [...seen].filter((one) => one.endsWith(".test.ts") && one.startsWith("src/"));
}

interface Job {
  readonly file: string;
  readonly mutant: Mutant;
  readonly tests: readonly string[];
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { tests: { type: "string", multiple: true, default: [] } },
  });
  const jobs: Job[] = [];
  for (const given of positionals) {
    const file = relative(ROOT, join(process.cwd(), given));
    const tests = [...new Set([...testsOf(file), ...values.tests])];
    if (tests.length === 0) throw new TypeError(`no test imports ${file}; name some with --tests`);
    const mutants = findMutants(readFileSync(join(ROOT, file), "utf8"));
    jobs.push(...mutants.map((mutant) => ({ file, mutant, tests })));
  }
  const total = jobs.length;
  const survivors: Job[] = [];
  const copies = Array.from({ length: LIMITS.copies }, makeCopy);
  try {
    await Promise.all(
      copies.map(async (copy) => {
        for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
          if (await survives(copy, job)) {
            survivors.push(job);
            console.log(`survives  ${job.file}:${job.mutant.line}  ${job.mutant.change}`);
          }
          if (process.stderr.isTTY) process.stderr.write(`\r${total - jobs.length} of ${total}  `);
        }
      }),
    );
  } finally {
    for (const copy of copies) rmSync(copy, { recursive: true, force: true });
  }
  console.log(`${total - survivors.length} of ${total} changes were noticed`);
  process.exitCode = survivors.length === 0 ? 0 : 1;
}

function makeCopy(): string {
  const copy = mkdtempSync(join(tmpdir(), "sallyport-mutants-"));
  for (const part of ["src", "test", "bin", "package.json", "tsconfig.json"]) {
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  return copy;
}

async function survives(copy: string, { file, mutant, tests }: Job): Promise<boolean> {
  const place = join(copy, file);
  const before = readFileSync(place, "utf8");
  writeFileSync(place, mutant.text);
  try {
    for (const part of inTurns(file, tests)) {
      if (part.length > 0 && !(await passes(copy, part))) return false;
    }
    return true;
  } finally {
    writeFileSync(place, before);
  }
}

/** Most changes are noticed beside the file, in a tenth of the time that all tests take. */
function inTurns(file: string, tests: readonly string[]): string[][] {
  const beside = tests.filter((one) => posix.dirname(one) === posix.dirname(file));
  const others = tests.filter((one) => !beside.includes(one));
  const slow = others.filter((one) => one.startsWith("test/"));
  return [beside, others.filter((one) => !slow.includes(one)), ...slow.map((one) => [one])];
}

function passes(copy: string, tests: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const files = tests.map((one) => `./${one}`);
    const runtime = join(ROOT, "tools", "with-runtime");
    const run = spawn(runtime, ["bun", "test", "--bail", "--timeout=20000", ...files], {
      cwd: copy,
      stdio: "ignore",
      // It ends its own children with it.
      detached: true,
    });
    const late = setTimeout(() => process.kill(-(run.pid ?? 0), "SIGKILL"), LIMITS.runMs);
    run.on("close", (code) => {
      clearTimeout(late);
      resolve(code === 0);
    });
  });
}

if (import.meta.main) await main();
