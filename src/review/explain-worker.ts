/** Entry point of the throwaway thread that explains one decision (explain-thread.ts says why). */
import { parentPort, workerData } from "node:worker_threads";
import { SallyportError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { explainDecision, explanationJson } from "./explain-decision.ts";
import type { ExplainAnswer, ExplainTask } from "./explain-thread.ts";

const port = parentPort;
if (port === null) throw new TypeError("this file is the entry point of a thread");

const answer = await answerOf(workerData as ExplainTask);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
port.postMessage(answer);

async function answerOf(task: ExplainTask): Promise<ExplainAnswer> {
  try {
    const explained = await explainDecision(task, { clock: systemClock });
    return { text: explained === undefined ? undefined : explanationJson(explained) };
  } catch (error) {
    if (error instanceof SallyportError) return { failed: error.message };
    throw error;
  }
}
