/**
 * `npm run ok`: the one gate before a commit. Format, lint, layers, types, generated docs, tests.
 * `npm run ok -- --quick` leaves the tests out.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string): string => `${root}/node_modules/.bin/${name}`;
const script = (name: string, ...args: string[]): string[] => [
  process.execPath,
  `${root}/tools/${name}`,
  ...args,
];

const steps: [name: string, command: string[]][] = [
  ["format", [bin("oxfmt"), "--check", "."]],
  ["lint", [bin("oxlint"), "--type-aware", "--deny-warnings"]],
  ["layers", script("check-layers.ts")],
  ["lockfile", script("check-lockfile.ts")],
  ["types", [bin("tsc"), "--noEmit"]],
  ["docs", script("generate-docs.ts", "--check")],
];
if (!process.argv.includes("--quick")) steps.push(["tests", script("run-tests.ts")]);

let failed = 0;
for (const [name, command] of steps) {
  const [program = "", ...args] = command;
  if (args[0]?.startsWith(`${root}/tools/`) === true && !existsSync(args[0])) continue;
  const started = performance.now();
  const result = spawnSync(program, args, {
    cwd: root,
    encoding: "utf8",
    stdio: name === "tests" ? "inherit" : "pipe",
  });
  const ok = result.status === 0;
  console.log(`${ok ? "ok  " : "FAIL"} ${name} (${Math.round(performance.now() - started)} ms)`);
  if (!ok) {
    failed += 1;
    if (name !== "tests") console.log(`${result.stdout}${result.stderr}`.trimEnd());
  }
}
process.exitCode = failed === 0 ? 0 : 1;
