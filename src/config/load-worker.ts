/**
 * Entry point of the throwaway thread that reads a configuration (load-thread.ts says why): hands it
 * over in pieces, each on demand, and is terminated by who started it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { ConfigError } from "../model/errors.ts";
import { inspectConfig, type Inspection, withoutBundle } from "./load.ts";
import type { LoadMessage, LoadThreadTask } from "./load-thread.ts";

const LIMITS = {
  /** Routes in one message: copying and freezing them costs the receiver about a millisecond. */
  routesPerMessage: 100,
} as const;

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
  const { routes, ...rest } = loaded.config;
  for (let from = 0; from < routes.length; from += LIMITS.routesPerMessage) {
    yield { kind: "routes", routes: routes.slice(from, from + LIMITS.routesPerMessage) };
  }
  const { vocabulary: _, ...others } = loaded;
  yield { kind: "done", ...others, config: rest, words };
}
