/**
 * Entry point of the throwaway thread: does one task, hands the result over in pieces (each on demand,
 * so that the receiving thread is never held up for long), and is terminated by who started it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { loadPolicies, type LoadedPolicy, type LoadResult } from "../load/load-policies.ts";
import { officialSchemaText } from "./official-engine.ts";
import type { ThreadMessage, ThreadTask } from "./official-thread.ts";

const LIMITS = {
  /** Policies in one message: copying them costs the receiver a fraction of a millisecond. */
  policiesPerMessage: 200,
} as const;

const port = parentPort;
if (port === null) throw new TypeError("this file is the entry point of a thread");

const messages = messagesOf(workerData as ThreadTask);
const send = (): void => {
  const next = messages.next();
  if (next.done !== true) port.postMessage(next.value);
};
port.on("message", send);
send();

function* messagesOf(task: ThreadTask): Generator<ThreadMessage> {
  if (task.kind === "schema-text") {
    const { value, errors } = officialSchemaText({ ...task.schema });
    if (value === undefined)
      throw new TypeError(`our schema is not valid: ${errors[0]?.message ?? ""}`);
    yield { kind: "text", text: value };
    return;
  }
  yield* inPieces(loadPolicies(task));
}

function* inPieces(result: LoadResult): Generator<ThreadMessage> {
  const { policies, problems, warnings, hash } = result;
  for (let from = 0; from < policies.length; from += LIMITS.policiesPerMessage) {
    const piece: readonly LoadedPolicy[] = policies.slice(from, from + LIMITS.policiesPerMessage);
    yield { kind: "policies", policies: piece };
  }
  yield { kind: "done", problems, warnings, hash };
}
