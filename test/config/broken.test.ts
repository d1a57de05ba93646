/**
 * `sallyport check` on configurations that are broken on purpose. Beside each `broken-*.yaml` lies
 * what it must print, line by line: every problem, at its place, and nothing else.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkConfig } from "../../src/config/check.ts";
import { formatProblem } from "../../src/model/errors.ts";
import { systemClock } from "../../src/platform/clock.ts";

const folder = relative(process.cwd(), fileURLToPath(new URL(".", import.meta.url)));
const SECRET = "canary-s3cret";
const deps = { clock: systemClock, env: { SALLYPORT_TEST_SECRET: SECRET } };

const names = readdirSync(folder)
  .filter((name) => /^broken-.*\.yaml$/.test(name))
  .map((name) => name.replace(".yaml", ""));

test("there are at least ten broken configurations", () => {
  assert.ok(names.length >= 10, names.join(", "));
});

for (const name of names) {
  test(`checkConfig() names every problem of ${name} at its line`, async () => {
    const { problems } = await checkConfig(join(folder, `${name}.yaml`), deps);
    // The expected lines are those that one sees who stands in that folder.
    const printed = problems.map((problem) => formatProblem(problem).replaceAll(`${folder}/`, ""));
    const expected = readFileSync(join(folder, `${name}.txt`), "utf8")
      .trimEnd()
      .split("\n");
    assert.deepEqual(printed, expected);
    assert.ok(!printed.join("\n").includes(SECRET), "a secret was printed");
  });
}
