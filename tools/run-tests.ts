/**
 * `npm test [-- FILE…]`: every test on Node and on Bun (the same files, `node:test` in both), side by
 * side. Node's output comes as it is made, Bun's once both have ended.
 * SALLYPORT_RUNTIME=node|bun runs one of them. Ends non-zero if either fails.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, createReadStream, globSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";

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

const runs: Record<string, string[]> = {
  node: [
    "--disable-warning=ExperimentalWarning",
    "--test",
    // One fewer than there are cores, Node's default, is one on two: much of the time tests wait.
    "--test-concurrency=2",
    "--test-timeout=120000",
    // What a test that failed left open would hold up all the others.
    "--test-force-exit",
    ...files,
  ],
  // 5 s, Bun's default, is too short for the corpus tests on a busy machine.
  bun: [
    "test",
    "--timeout=120000",
    ...files.map((file) => (file.startsWith(".") || file.startsWith("/") ? file : `./${file}`)),
  ],
};

const chosen = Object.entries(runs).filter(([runtime]) => only === undefined || only === runtime);
const [first, second] = chosen;
if (first === undefined) {
  console.error(`SALLYPORT_RUNTIME is node or bun, not ${only}`);
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "sallyport-tests-"));
try {
  const results = [start(first, "inherit")];
  if (second !== undefined) results.push(startLater(second, join(folder, "output")));
  process.exitCode = (await Promise.all(results)).every(Boolean) ? 0 : 1;
  if (second !== undefined) {
    announce(second[0]);
    await pipeline(createReadStream(join(folder, "output")), process.stdout, { end: false });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Whether it passed. */
async function start(
  [runtime, args]: readonly [string, string[]],
  output: "inherit" | number,
): Promise<boolean> {
  if (output === "inherit") announce(runtime);
  const child = spawn(`${root}/tools/with-runtime`, [runtime, ...args], {
    cwd: root,
    stdio: ["inherit", output, output],
  });
  const passed = (await ended(child)) === 0;
  if (!passed) console.error(`# ${runtime}: failed`);
  return passed;
}

async function startLater(run: readonly [string, string[]], path: string): Promise<boolean> {
  const output = openSync(path, "w");
  try {
    return await start(run, output);
  } finally {
    closeSync(output);
  }
}

function announce(runtime: string): void {
  console.log(`\n# ${runtime}: ${files.length} test files`);
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });
}
