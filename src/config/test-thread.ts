/**
 * Runs the tests of policies in a thread of its own, so that neither a start nor a reload holds up a
 * request: reading 10 000 cases takes seconds, and nothing in it can pause.
 */
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type Problem, SallyportError } from "../model/errors.ts";
import { nextMessage } from "../platform/thread-message.ts";
import { testPieces, type TestThreadTask, withoutPieces } from "./test-pieces.ts";

/** What came of the tests, as far as one has to know who puts policies in force. */
export interface TestOutcome {
  readonly cases: number;
  readonly failed: number;
  /** What is wrong with the files, then the failing cases; the first of them. */
  readonly problems: readonly Problem[];
  /** How many there are. */
  readonly faults: number;
}

/** `.ts` in a checkout, `.js` in the packed package. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."));

/** Throws SallyportError `policy-invalid` where the thread ends without an answer. */
export async function runTestsInThread(task: TestThreadTask): Promise<TestOutcome> {
  const thread = new Worker(new URL(`./test-worker${EXTENSION}`, import.meta.url), {
    workerData: withoutPieces(task),
  });
  try {
    const outcome = nextMessage<TestOutcome>(thread, noAnswer);
    // It is awaited below, also where the thread ends before it has everything.
    outcome.catch(() => undefined);
    for (const piece of testPieces(task)) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
      thread.postMessage(piece);
      await setImmediate();
    }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    thread.postMessage("run");
    return await outcome;
  } finally {
    await thread.terminate();
  }
}

function noAnswer(cause: unknown): SallyportError {
  const message = "the thread that tests policies ended without an answer";
  return new SallyportError("policy-invalid", message, { cause });
}
