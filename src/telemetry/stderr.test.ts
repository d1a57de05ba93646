import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { WriteSome } from "../platform/stdout.ts";
import { StderrLines } from "./stderr.ts";

test("write() keeps lines whole and in order when the reader takes a few bytes at a time", async () => {
  let taken = "";
  const lines = new StderrLines((data, done) => {
    const some = data.subarray(0, 3);
    taken += Buffer.from(some).toString();
    setImmediate(() => done(null, some.length));
  });
  for (let index = 0; index < 20; index++) lines.write(`line ${index}\n`);
  await lines.close();
  assert.equal(taken, Array.from({ length: 20 }, (_, index) => `line ${index}\n`).join(""));
  assert.equal(lines.dropped, 0);
});

test("write() tries a full pipe again, and drops and counts what has no room", async () => {
  let full = true;
  let taken = 0;
  const lines = new StderrLines((data, done) => {
    if (!full) taken += data.length;
    const error = full ? { code: "EAGAIN" } : null;
    setImmediate(() => done(error, data.length));
  });
  const line = `${"x".repeat(1023)}\n`;
  for (let index = 0; index < 1030; index++) lines.write(line);
  assert.equal(lines.dropped, 6);
  full = false;
  await lines.close();
  assert.equal(lines.dropped, 6);
  assert.equal(taken, 1024 * 1024);
});

test("write() drops everything once the reader is gone, and close() settles", async () => {
  let calls = 0;
  const gone: WriteSome = (_data, done) => {
    calls += 1;
    setImmediate(() => done({ code: "EPIPE" }, 0));
  };
  const lines = new StderrLines(gone);
  lines.write("one\n");
  await lines.close();
  lines.write("two\n");
  await lines.close();
  assert.equal(calls, 1);
  assert.equal(lines.dropped, 1);
});

test("a process whose stderr is no longer read still ends", async () => {
  const program = fileURLToPath(new URL("../../test/log-writer.ts", import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: "pipe" });
  await once(child.stdout, "data");
  child.stderr.destroy();
  child.stdin.end("go");
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 7);
});
