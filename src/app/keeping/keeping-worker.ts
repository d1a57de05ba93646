/** Entry point of the thread that keeps the log (keeping.ts says why there is one). */
import { parentPort, workerData } from "node:worker_threads";
import { createConsumers } from "./consumers.ts";
import { type KeepingTask, runInThread } from "./run-in-thread.ts";

if (parentPort === null) throw new TypeError("this file is the entry point of a thread");
await runInThread(parentPort, workerData as KeepingTask, createConsumers);
