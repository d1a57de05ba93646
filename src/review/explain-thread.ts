/**
 * Explains decisions in a thread of its own: finding a record may read gigabytes, and evaluating it compiles
 * all policies of its time, while this thread serves. One at a time: it is asked by people.
 */
import { Worker } from "node:worker_threads";
import { SallyportError } from "../model/errors.ts";
import type { JsonObject } from "../model/json.ts";
import { nextMessage } from "../platform/thread-message.ts";

/** `folder` is that of the audit log. */
export interface ExplainTask {
  readonly folder: string;
  readonly id: string;
}

/** What the thread answers: JSON of the explanation, nothing where no record has the id, or why not. */
export type ExplainAnswer =
  | { readonly text: string | undefined; readonly failed?: undefined }
  | { readonly failed: string };

const LIMITS = {
  /** Questions that wait: more than people ask, and each holds its request. */
  waiting: 8,
} as const;

/** `.ts` in a checkout, `.js` in the packed package. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."));

/**
 * Returns the function that explains one decision of the folder; undefined where no record has the id. It
 * rejects with SallyportError: what `explainDecision` throws, or that too many wait.
 */
export function createExplainer(folder: string): (id: string) => Promise<JsonObject | undefined> {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (id) => {
    if (waiting >= LIMITS.waiting) {
      throw new SallyportError("audit-failed", "too many decisions are being explained; ask again");
    }
    waiting += 1;
    const own = last.then(() => ask({ folder, id }));
    last = own.catch(() => undefined);
    try {
      return await own;
    } finally {
      waiting -= 1;
    }
  };
}

async function ask(task: ExplainTask): Promise<JsonObject | undefined> {
  const thread = new Worker(new URL(`./explain-worker${EXTENSION}`, import.meta.url), {
    workerData: task,
  });
  try {
    const answer = await nextMessage<ExplainAnswer>(thread, noAnswer);
    if (answer.failed !== undefined) throw new SallyportError("audit-failed", answer.failed);
    return answer.text === undefined ? undefined : (JSON.parse(answer.text) as JsonObject);
  } finally {
    await thread.terminate();
  }
}

function noAnswer(cause: unknown): SallyportError {
  const message = "the thread that explains a decision ended without an answer";
  return new SallyportError("audit-failed", message, { cause });
}
