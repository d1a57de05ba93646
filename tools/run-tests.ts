/**
 * `npm test [-- FILE…]`: every test on Node and then on Bun (the same files, `node:test` in both).
 * SALLYPORT_RUNTIME=node|bun runs one of them. Ends non-zero if either fails.
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
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
  node: ["--disable-warning=ExperimentalWarning", "--test", "--test-timeout=120000", ...files],
  // 5 s, Bun's default, is too short for the corpus tests on a busy machine.
  bun: [
    "test",
    "--timeout=120000",
    ...files.map((file) => (file.startsWith(".") || file.startsWith("/") ? file : `./${file}`)),
  ],
};

let failed = false;
for (const [runtime, args] of Object.entries(runs)) {
  if (only !== undefined && only !== runtime) continue;
  console.log(`\n# ${runtime}: ${files.length} test files`);
  const result = spawnSync(`${root}/tools/with-runtime`, [runtime, ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (result.status !== 0) {
    failed = true;
    console.error(`# ${runtime}: failed`);
  }
}
process.exitCode = failed ? 1 : 0;
