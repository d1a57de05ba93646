import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { nextMessage } from "./thread-message.ts";

const failed = (cause: unknown): Error => new Error("the thread failed", { cause });

function thread(code: string): Worker {
  return new Worker(code, { eval: true });
}

test("nextMessage() gives one message after the other", async () => {
  const worker = thread(
    `const { parentPort } = require("node:worker_threads");
     parentPort.postMessage(1);
     parentPort.on("message", (value) => parentPort.postMessage(value + 1));`,
  );
  assert.equal(await nextMessage(worker, failed), 1);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  worker.postMessage(7);
  assert.equal(await nextMessage(worker, failed), 8);
  await worker.terminate();
});

test("nextMessage() rejects when the thread ends or throws before it said anything", async () => {
  await assert.rejects(nextMessage(thread(""), failed), /the thread failed/);
  await assert.rejects(nextMessage(thread(`throw new Error("within")`), failed), (error: Error) => {
    return error.message === "the thread failed" && String(error.cause).includes("within");
  });
});
