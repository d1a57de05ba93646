/** Entry point of the throwaway thread that reads the book once (usage-desk.ts says why). */
import { parentPort, workerData } from "node:worker_threads";
import { SallyportError } from "../../model/errors.ts";
import { quotaStandings } from "./quota-standings.ts";
import { readUsage } from "./usage-database.ts";
import type { UsageAnswer, UsageTask } from "./usage-desk.ts";
import { reportUsage } from "./usage-report.ts";

const port = parentPort;
if (port === null) throw new TypeError("this file is the entry point of a thread");
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
port.postMessage(answerOf(workerData as UsageTask));

function answerOf(task: UsageTask): UsageAnswer {
  try {
    const database = readUsage(task.file);
    try {
      const rows =
        task.kind === "report"
          ? reportUsage(database, task.query)
          : quotaStandings(database, task.query);
      return { rows };
    } finally {
      database.close();
    }
  } catch (error) {
    if (error instanceof SallyportError) return { failed: error.message };
    throw error;
  }
}
