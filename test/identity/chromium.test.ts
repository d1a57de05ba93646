/**
 * Sessions in a real browser, with the proxy on the runtime that the tests run on. The browser is driven from
 * Node on both: on Bun its driver comes to a standstill now and then, which says nothing about the proxy.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

if (process.versions["bun"] === undefined) {
  await import("./chromium.cases.ts");
} else {
  test("what a browser does with a proxy on Bun is what it does with one on Node", async () => {
    const root = fileURLToPath(new URL("../../", import.meta.url));
    const args = ["node", "--test", "--test-force-exit", "test/identity/chromium.test.ts"];
    const child = spawn(`${root}tools/with-runtime`, args, {
      cwd: root,
      env: { ...process.env, SALLYPORT_STAGE_RUNTIME: "bun" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let report = "";
    child.stdout.on("data", (chunk: Buffer) => (report += chunk.toString()));
    const code = await new Promise((resolve) => {
      child.once("close", resolve);
    });
    assert.equal(code, 0, report);
  });
}
