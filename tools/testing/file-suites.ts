/**
 * `node file-suites.ts FILE…`: test files in one process, one after the other, each a test that bears its name: its hooks
 * are its own, and it fails where it throws as it is imported. (With `--test-isolation=none`, Node 26
 * runs the hooks of one file for the tests of all, and passes a file that throws once it has named a test.)
 */
import { suite, test } from "node:test";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** Milliseconds, as many as a timer takes: `--test-timeout` is for each test of a file, and stands in for Infinity too. */
const timeout = 2 ** 31 - 1;

for (const file of process.argv.slice(2)) {
  void test(file, { timeout }, async () => {
    // A suite waits for what is registered while it is imported.
    await suite("tests", async () => void (await import(pathToFileURL(resolve(file)).href)));
  });
}
