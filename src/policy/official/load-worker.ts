/**
 * Entry point of the throwaway thread: does one task, hands the result over in pieces (each on demand,
 * so that the receiving thread is never held up for long), and is terminated by who started it.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Problem } from "../../model/errors.ts";
import { keepBundle } from "../bundle/kept-bundles.ts";
import { encodePolicyBundle } from "../bundle/policy-bundle.ts";
import {
  loadPolicies,
  type LoadedPolicy,
  type LoadResult,
  type LoadTask,
} from "../load/load-policies.ts";
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
  const result = loadPolicies(task);
  yield* inPieces({ ...result, warnings: [...result.warnings, ...kept(task, result)] });
}

/** Before they can come in force, so that what they decide can be decided again. */
function kept(task: LoadTask, { problems }: LoadResult): readonly Problem[] {
  if (task.keep === undefined || problems.length > 0) return [];
  try {
    keepBundle(task.keep, encodePolicyBundle(task));
    return [];
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? "failed";
    const message = `the policy bundle cannot be kept in ${task.keep} (${why})`;
    const remedy = "mend the folder and reload; until then no decision by it can be explained";
    return [{ message, remedy }];
  }
}

function* inPieces(result: LoadResult): Generator<ThreadMessage> {
  const { policies, problems, warnings, hash } = result;
  for (let from = 0; from < policies.length; from += LIMITS.policiesPerMessage) {
    const piece: readonly LoadedPolicy[] = policies.slice(from, from + LIMITS.policiesPerMessage);
    yield { kind: "policies", policies: piece };
  }
  yield { kind: "done", problems, warnings, hash };
}
