/**
 * Entry point of the throwaway thread: does one task, hands the result over in pieces (each on demand,
 * so that the receiving thread is never held up for long), and is terminated by who started it.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Problem } from "../../model/errors.ts";
import { keepBundle } from "../bundle/kept-bundles.ts";
import { encodePolicyBundle } from "../bundle/policy-bundle.ts";
import { collectData } from "../data/collect-data.ts";
import { loadPolicies, type LoadResult } from "../load/load-policies.ts";
import { buildSchema } from "../load/schema.ts";
import type { PolicySource } from "../policy-source.ts";
import { formatPolicyFile } from "../load/format-policies.ts";
import { officialSchemaText } from "./official-engine.ts";
import type { TextPiece, ThreadMessage, ThreadTask } from "./official-thread.ts";

const LIMITS = {
  /** Policies in one message: copying them costs the receiver a fraction of a millisecond. */
  policiesPerMessage: 100,
  /** Entities in one message: likewise. */
  entitiesPerMessage: 250,
} as const;

const port = parentPort;
if (port === null) throw new TypeError("this file is the entry point of a thread");

// The texts of its files come in pieces, and then the first "next".
const task = workerData as ThreadTask;
const texts = task.files.map(() => "");
let messages: Promise<Generator<ThreadMessage>> | undefined;
port.on("message", (message: TextPiece | "next") => {
  if (message !== "next") {
    texts[message.file] += message.text;
    return;
  }
  messages ??= messagesOf(withTexts());
  void sendNext(messages);
});

async function sendNext(all: Promise<Generator<ThreadMessage>>): Promise<void> {
  const next = (await all).next();
  if (next.done !== true) port?.postMessage(next.value);
}

function withTexts(): ThreadTask {
  const files = task.files.map(({ name }, index) => ({ name, text: texts[index] ?? "" }));
  return { ...task, files };
}

async function messagesOf(asked: ThreadTask): Promise<Generator<ThreadMessage>> {
  if (asked.kind === "format") {
    return one({ kind: "formatted", results: asked.files.map(formatPolicyFile) });
  }
  const { kind, keep, ...source } = asked;
  if (kind === "schema-text") return one(await schemaText(source));
  const result = await loadPolicies(source);
  const notKept = keep === undefined || result.problems.length > 0 ? [] : kept(keep, source);
  return inPieces({ ...result, warnings: [...result.warnings, ...notKept] });
}

function* one(message: ThreadMessage): Generator<ThreadMessage> {
  yield message;
}

/** Before they can come in force, so that what they decide can be decided again. */
function kept(folder: string, source: PolicySource): readonly Problem[] {
  try {
    keepBundle(folder, encodePolicyBundle(source));
    return [];
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? "failed";
    const message = `the policy bundle cannot be kept in ${folder} (${why})`;
    const remedy = "mend the folder and reload; until then no decision by it can be explained";
    return [{ message, remedy }];
  }
}

/** With the attributes that data files give. */
async function schemaText(source: PolicySource): Promise<ThreadMessage> {
  const data = await collectData(source);
  const built = buildSchema(source.vocabulary, data.attributes);
  const problems = [...data.problems, ...(built.problems ?? [])];
  if (built.schema === undefined || problems.length > 0) return { kind: "no-text", problems };
  const { value, errors } = officialSchemaText({ ...built.schema });
  if (value === undefined)
    throw new TypeError(`our schema is not valid: ${errors[0]?.message ?? ""}`);
  return { kind: "text", text: value };
}

function* inPieces(result: LoadResult): Generator<ThreadMessage> {
  const { policies, unlinked, entities, problems, warnings, hash } = result;
  for (let from = 0; from < policies.length; from += LIMITS.policiesPerMessage) {
    yield { kind: "policies", policies: policies.slice(from, from + LIMITS.policiesPerMessage) };
  }
  for (let from = 0; from < entities.length; from += LIMITS.entitiesPerMessage) {
    yield { kind: "entities", entities: entities.slice(from, from + LIMITS.entitiesPerMessage) };
  }
  yield { kind: "done", problems, warnings, unlinked, hash };
}
