/**
 * `npm test [-- FILE…]`: every test on Node and on Bun (the same files, `node:test` in both), side by
 * side. Node's output comes as it is made, Bun's once both have ended. Bun runs the files of one process one after
 * the other, so it gets them in parts, and two processes once Node has ended.
 * SALLYPORT_RUNTIME=node|bun runs one of them. Ends non-zero if either fails.
 *
 * Many tests talk to processes and wait for them, on a machine that runs others beside. Where few files
 * fail, they are run once more, alone, and that counts; they are named in the last lines either way.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, globSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const LIMITS = {
  /** Files that are run once more: more than these do not fail by being disturbed. */
  again: 6,
  /** Files of one process of Bun: enough that starting it does not count, few enough that none is the last for long. */
  part: 24,
} as const;

const RUNTIMES = ["node", "bun"] as const;
type Runtime = (typeof RUNTIMES)[number];

interface Run {
  readonly runtime: Runtime;
  readonly files: readonly string[];
  /** Nothing runs beside it. */
  readonly alone: boolean;
  /** Where the output goes; left out: as it is made. */
  readonly output?: string;
}

interface Outcome {
  readonly passed: boolean;
  /** Those in which a test failed, as far as the runner says. */
  readonly failed: readonly string[];
}

const root = fileURLToPath(new URL("..", import.meta.url));
const named = process.argv.slice(2);
const files =
  named.length > 0
    ? named
    : globSync(
        ["src/**/*.test.ts", "test/**/*.test.ts", "tools/**/*.test.ts", "bench/**/*.test.ts"],
        { cwd: root },
      ).toSorted();
const only = process.env["SALLYPORT_RUNTIME"];
const chosen = RUNTIMES.filter((runtime) => only === undefined || only === runtime);
if (chosen.length === 0) {
  console.error(`SALLYPORT_RUNTIME is node or bun, not ${only}`);
  process.exit(2);
}

// Node compiles what it runs once and not in each of a thousand processes: half of what a start costs.
process.env["NODE_COMPILE_CACHE"] ??= join(root, "node_modules/.cache/compile");
const folder = mkdtempSync(join(tmpdir(), "sallyport-tests-"));
try {
  process.exitCode = (await testAll(chosen)) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function testAll(runtimes: readonly Runtime[]): Promise<boolean> {
  const node = runtimes.includes("node")
    ? run({ runtime: "node", files, alone: false })
    : Promise.resolve();
  const first = await Promise.all(
    runtimes.map((runtime) => (runtime === "node" ? (node as Promise<Outcome>) : runParts(node))),
  );
  const lines: string[] = [];
  let passed = true;
  for (const [index, runtime] of runtimes.entries()) {
    const { good, says } = await settle(runtime, first[index] as Outcome);
    passed &&= good;
    lines.push(`# ${runtime}: ${says}`);
  }
  console.log(`\n${lines.join("\n")}`);
  return passed;
}

/** All files on Bun, in parts. What it says comes at the end, so that it does not come between Node's lines. */
async function runParts(nodeEnds: Promise<unknown>): Promise<Outcome> {
  const parts: { readonly files: readonly string[]; readonly output: string }[] = [];
  for (let index = 0; index < files.length; index += LIMITS.part) {
    const output = join(folder, `bun-${parts.length}`);
    parts.push({ files: files.slice(index, index + LIMITS.part), output });
  }
  const waiting = [...parts];
  const outcomes: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const { passed, failed } = await run({ runtime: "bun", alone: false, ...part });
      // A process that died names no file: it may have been any of them.
      outcomes.push({ passed, failed: passed || failed.length > 0 ? failed : part.files });
    }
  };
  const second = nodeEnds.then(lane);
  await Promise.all([lane(), second]);
  for (const { output } of parts) console.log(readFileSync(output, "utf8"));
  return {
    passed: outcomes.every(({ passed }) => passed),
    failed: outcomes.flatMap(({ failed }) => failed),
  };
}

async function settle(
  runtime: Runtime,
  { passed, failed }: Outcome,
): Promise<{ readonly good: boolean; readonly says: string }> {
  if (passed) return { good: true, says: "passed" };
  const list = failed.join(" ");
  if (failed.length === 0) return { good: false, says: "failed, and no file is named" };
  if (failed.length > LIMITS.again) return { good: false, says: `failed: ${list}` };
  console.log(`\n# ${runtime}: failed beside others, and is run once more, alone: ${list}`);
  const again = await run({ runtime, files: failed, alone: true });
  return again.passed
    ? { good: true, says: `passed; unsteady, since only alone: ${list}` }
    : { good: false, says: `failed, alone too: ${again.failed.join(" ")}` };
}

async function run({ runtime, files: some, alone, output }: Run): Promise<Outcome> {
  if (output === undefined) console.log(`\n# ${runtime}: ${some.length} test files`);
  const report = join(folder, `${runtime}-${alone ? "alone" : "all"}`);
  const target =
    output === undefined && runtime === "node" ? "inherit" : openSync(output ?? report, "w");
  const args = runtime === "node" ? nodeArgs(some, { alone, report }) : bunArgs(some);
  try {
    const child = spawn(`${root}/tools/with-runtime`, [runtime, ...args], {
      cwd: root,
      stdio: ["inherit", target, target],
    });
    const passed = (await ended(child)) === 0;
    if (runtime === "node") return { passed, failed: linesOf(report) };
    const text = readFileSync(output ?? report, "utf8");
    if (output === undefined) console.log(text);
    return { passed, failed: failedInBun(text) };
  } finally {
    if (target !== "inherit") closeSync(target);
  }
}

function nodeArgs(
  some: readonly string[],
  { alone, report }: { readonly alone: boolean; readonly report: string },
): string[] {
  return [
    "--disable-warning=ExperimentalWarning",
    "--test",
    // One fewer than there are cores, Node's default, is one on two: much of the time tests wait.
    `--test-concurrency=${alone ? 1 : 2}`,
    "--test-timeout=120000",
    // What a test that failed left open would hold up all the others.
    "--test-force-exit",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=./tools/failed-files-reporter.ts",
    `--test-reporter-destination=${report}`,
    ...some,
  ];
}

function bunArgs(some: readonly string[]): string[] {
  return [
    "test",
    // 5 s, Bun's default, is too short for the corpus tests on a busy machine.
    "--timeout=120000",
    ...some.map((file) => (file.startsWith(".") || file.startsWith("/") ? file : `./${file}`)),
  ];
}

function linesOf(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** Bun names a file, then each of its tests. */
function failedInBun(text: string): string[] {
  const failed = new Set<string>();
  let file: string | undefined;
  for (const line of text.split("\n")) {
    if (/^\S+\.test\.ts:$/.test(line)) file = line.slice(0, -1);
    else if (isBunFault(line) && file !== undefined) failed.add(file);
  }
  return [...failed];
}

function isBunFault(line: string): boolean {
  return line.startsWith("(fail)") || line.startsWith("# Unhandled error between tests");
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });
}
