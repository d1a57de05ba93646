/**
 * Entry point of the throwaway thread that reads a configuration (load-thread.ts says why): hands it
 * over in pieces, each on demand, and is terminated by who started it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { ConfigError } from "../model/errors.ts";
import { inspectConfig, type Inspection, withoutBundle } from "./load.ts";
import { loadMessages } from "./load-messages.ts";
import type { LoadMessage, LoadThreadTask } from "./load-thread.ts";

const port = parentPort;
if (port === null) throw new TypeError("this file is the entry point of a thread");

const { file, env, bundle } = workerData as LoadThreadTask;
const messages = messagesOf(await inspect());
const send = (): void => {
  const next = messages.next();
  if (next.done !== true) port.postMessage(next.value);
};
port.on("message", send);
send();

async function inspect(): Promise<Inspection> {
  try {
    return await inspectConfig(file, { env, bundle });
  } catch (error) {
    // An error that crosses to another thread loses its class.
    if (!(error instanceof ConfigError)) throw error;
    return { loaded: undefined, problems: error.problems, warnings: [] };
  }
}

function* messagesOf({ loaded, own, words, ...found }: Inspection): Generator<LoadMessage> {
  const { problems, warnings } = found;
  if (loaded === undefined || words === undefined) {
    yield {
      kind: "problems",
      problems: own === undefined ? problems : [withoutBundle(file)],
      warnings,
    };
    return;
  }
  yield* loadMessages(loaded, words);
}
