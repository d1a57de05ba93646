/** The demo is what a newcomer sees first: it must be right, and must leave nothing running. */
import { spawn } from "node:child_process";
import test from "node:test";
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";

const sallyport = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const runtime = process.versions["bun"] === undefined ? "node" : "bun";

test("sallyport demo --check finds every answer right and ends what it started", async () => {
  const child = spawn(sallyport, ["demo", "--check"], {
    env: { ...process.env, SALLYPORT_RUNTIME: runtime },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  // `close` comes when nobody holds the pipes any more: no process of the demo is left.
  const code = await new Promise((resolve) => {
    child.once("close", resolve);
  });
  assert.equal(code, 0, output);
  const [, right, all] = /(\d+) of (\d+) answers were right/.exec(output) ?? [];
  assert.equal(right, all);
  assert.ok(Number(all) >= 20);
  // Nobody looks at a terminal here, so there are no colours.
  assert.equal(output.includes("\u001B["), false);
});
