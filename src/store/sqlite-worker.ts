/** Entry point of the thread that a SQLite store runs in: does one task after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { SallyportError } from "../model/errors.ts";
import { SqliteEngine } from "./sqlite-engine.ts";
import type { SqliteReply, SqliteRequest, SqliteThreadData } from "./sqlite-tasks.ts";

const port = parentPort;
if (port === null) throw new TypeError("this file is the entry point of a thread");

const { path, existing } = workerData as SqliteThreadData;
const engine = new SqliteEngine(path, { existing });

port.on("message", (request: SqliteRequest | "close") => {
  if (request === "close") {
    engine.close();
    port.close();
    return;
  }
  port.postMessage(answer(request));
});

/** An error that crosses to another thread loses its class, so its parts go. */
function answer(request: SqliteRequest): SqliteReply {
  const { id } = request;
  try {
    return { id, result: engine.run(request) };
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return { id, failed: { code: error.code, message: error.message } };
  }
}
