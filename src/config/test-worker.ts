/** Entry point of the throwaway thread that tests policies (test-thread.ts says why). */
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../platform/clock.ts";
import { runTests } from "./run-tests.ts";
import { outcomeOf } from "./test-outcome.ts";
import type { TestThreadTask } from "./test-thread.ts";

const port = parentPort;
if (port === null) throw new TypeError("this file is the entry point of a thread");

const { tests, verified, vocabulary } = workerData as TestThreadTask;
const report = await runTests({ tests, verified, vocabulary }, { clock: systemClock });
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
port.postMessage(outcomeOf(report));
