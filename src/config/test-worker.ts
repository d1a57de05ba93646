/** Entry point of the throwaway thread that tests policies (test-thread.ts says why). */
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../platform/clock.ts";
import { runTests } from "./run-tests.ts";
import { outcomeOf } from "./test-outcome.ts";
import { joinPieces, type TestPiece, type TestThreadTask } from "./test-pieces.ts";

const port = parentPort;
if (port === null) throw new TypeError("this file is the entry point of a thread");

const pieces: TestPiece[] = [];
const whole = Promise.withResolvers<void>();
port.on("message", (message: TestPiece | "run") => {
  if (message === "run") whole.resolve();
  else pieces.push(message);
});
await whole.promise;
const task = joinPieces(workerData as TestThreadTask, pieces);
const report = await runTests(task, { clock: systemClock });
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
port.postMessage(outcomeOf(report));
