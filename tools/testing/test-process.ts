/** One process of Node or Bun that runs test files one after the other, and which of them failed there. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const LIMITS = {
  /** Milliseconds for a test: 5 s, Bun's default, is too short for the corpus tests on a busy machine. */
  test: 120_000,
  /** Milliseconds for a process: the slowest takes a quarter of it; one that stands still ends the run of nobody. */
  process: 900_000,
} as const;

export const RUNTIMES = ["node", "bun"] as const;
export type Runtime = (typeof RUNTIMES)[number];

export interface TestProcess {
  readonly runtime: Runtime;
  readonly files: readonly string[];
}

export interface Outcome {
  /** Those in which a test failed; all of them where the process failed and does not say which. */
  readonly failed: readonly string[];
  /** All that was printed. */
  readonly text: string;
  readonly seconds: number;
}

/**
 * V8 gives each process as many threads as there are cores for compiling, and each thread of it makes the others wait:
 * with one, a start of the program takes a sixth less CPU (0.97 s → 0.80 s), and tests start it a thousand times.
 */
const NODE_OPTIONS = "--v8-pool-size=1";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs it to its end; `scratch` is a folder for its output. */
export async function runTestProcess(
  { runtime, files }: TestProcess,
  scratch: string,
): Promise<Outcome> {
  const report = `${scratch}/files`;
  const output = openSync(`${scratch}/output`, "w");
  // A process that ends early leaves it as it is.
  writeFileSync(report, "");
  const started = performance.now();
  try {
    const args = runtime === "node" ? nodeArgs(files, report) : bunArgs(files);
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(`${root}/tools/with-runtime`, [runtime, ...args], {
        cwd: root,
        env: { ...process.env, NODE_OPTIONS: process.env["NODE_OPTIONS"] ?? NODE_OPTIONS },
        stdio: ["ignore", output, output],
        timeout: LIMITS.process,
        killSignal: "SIGKILL",
      });
      child.once("error", reject);
      child.once("close", resolve);
    });
    const text = readFileSync(`${scratch}/output`, "utf8");
    const failed =
      runtime === "node"
        ? failedInNode(files, readFileSync(report, "utf8"))
        : failedInBun(files, text);
    return {
      failed: code !== 0 && failed.length === 0 ? files : failed,
      text,
      seconds: Math.round((performance.now() - started) / 1000),
    };
  } finally {
    closeSync(output);
  }
}

function nodeArgs(files: readonly string[], report: string): string[] {
  return [
    "--disable-warning=ExperimentalWarning",
    `--test-timeout=${LIMITS.test}`,
    // What a test that failed left open would hold up all the others.
    "--test-force-exit",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${root}/tools/testing/file-reporter.ts`,
    `--test-reporter-destination=${report}`,
    "tools/testing/file-suites.ts",
    ...files,
  ];
}

function bunArgs(files: readonly string[]): string[] {
  return [
    "test",
    `--timeout=${LIMITS.test}`,
    ...files.map((file) => (file.startsWith(".") || file.startsWith("/") ? file : `./${file}`)),
  ];
}

/** What was not said to pass did not, as where a test ended the process. */
function failedInNode(files: readonly string[], report: string): string[] {
  const lines = new Set(report.split("\n"));
  return files.filter((file) => !lines.has(`test:pass ${file}`));
}

/** Bun names a file, then each of its tests; all of them where it did not come to its last line, which counts them. */
function failedInBun(files: readonly string[], text: string): readonly string[] {
  const count = /^Ran \d+ tests? across (\d+) files?\./m.exec(text)?.[1];
  if (Number(count) !== files.length) return files;
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
