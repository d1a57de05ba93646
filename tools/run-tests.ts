/**
 * `npm test [-- FILE…]`: every test on Node and on Bun (the same files, `node:test` in both), side by
 * side. Tests that drive whole programs have a process of their own, the others share one by the dozen, since starting it
 * takes longer than they do. What a process printed comes when it has ended.
 * SALLYPORT_RUNTIME=node|bun runs one of them. Ends non-zero if either fails.
 *
 * Many tests talk to processes and wait for them, on a machine that runs others beside. Where few files
 * fail, they are run once more, alone, and that counts; they are named in the last lines either way.
 */
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Outcome,
  type Runtime,
  RUNTIMES,
  runTestProcess,
  type TestProcess,
} from "./testing/test-process.ts";

const LIMITS = {
  /** Processes side by side. More than cores, Node's default being one fewer: much of the time tests wait. */
  lanes: 4,
  /** Files of one process: enough that starting it does not count, few enough that none is the last for long. */
  part: 24,
  /** Files that are run once more: more than these do not fail by being disturbed. */
  again: 6,
} as const;

const FOLDERS = ["test", "src", "tools", "bench"];
/** Those that take minutes come first, so that nobody waits for them at the end. */
const LONG = /^test\/(?:cluster|faults|store|audit-)/;

const root = fileURLToPath(new URL("..", import.meta.url));
const named = process.argv.slice(2);
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
  process.exitCode = (await testAll(named.length > 0 ? named : allFiles())) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function allFiles(): string[] {
  const patterns = FOLDERS.map((name) => `${name}/**/*.test.ts`);
  const files = globSync(patterns, { cwd: root }).toSorted();
  return [...files.filter((file) => LONG.test(file)), ...files.filter((file) => !LONG.test(file))];
}

async function testAll(files: readonly string[]): Promise<boolean> {
  const waiting = processesFor(files);
  const failed: Record<Runtime, string[]> = { node: [], bun: [] };
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const outcome = await runAndPrint(next);
      failed[next.runtime].push(...outcome.failed);
    }
  };
  await Promise.all(Array.from({ length: LIMITS.lanes }, lane));
  const lines: string[] = [];
  let passed = true;
  for (const runtime of chosen) {
    const { good, says } = await settle(runtime, failed[runtime]);
    passed &&= good;
    lines.push(`# ${runtime}: ${says}`);
  }
  console.log(`\n${lines.join("\n")}`);
  return passed;
}

/** In the order in which they begin: both runtimes in turn, what is long first, what is short last. */
function processesFor(files: readonly string[]): TestProcess[] {
  const whole = files.filter((file) => file.startsWith("test/"));
  const rest = files.filter((file) => !file.startsWith("test/"));
  const parts = whole.map((file) => [file]);
  // Each takes one of so many, so that those of a folder that is slow are spread.
  const count = Math.ceil(rest.length / LIMITS.part);
  for (let part = 0; part < count; part++) {
    parts.push(rest.filter((_file, index) => index % count === part));
  }
  return parts.flatMap((some) => chosen.map((runtime) => ({ runtime, files: some })));
}

async function settle(
  runtime: Runtime,
  failed: readonly string[],
): Promise<{ readonly good: boolean; readonly says: string }> {
  if (failed.length === 0) return { good: true, says: "passed" };
  const list = failed.join(" ");
  if (failed.length > LIMITS.again) return { good: false, says: `failed: ${list}` };
  console.log(`\n# ${runtime}: failed beside others, and is run once more, alone: ${list}`);
  const again: string[] = [];
  for (const file of failed) {
    again.push(...(await runAndPrint({ runtime, files: [file] })).failed);
  }
  return again.length === 0
    ? { good: true, says: `passed; unsteady, since only alone: ${list}` }
    : { good: false, says: `failed, alone too: ${again.join(" ")}` };
}

async function runAndPrint(test: TestProcess): Promise<Outcome> {
  const outcome = await runTestProcess(test, mkdtempSync(join(folder, "process-")));
  const { runtime, files } = test;
  const what = files.length === 1 ? files[0] : `${files.length} files`;
  console.log(`\n# ${runtime}: ${what} (${outcome.seconds} s)\n${outcome.text.trimEnd()}`);
  return outcome;
}
