/**
 * Entry point of a thread that keeps a log, for tests: its one consumer says on each commit what it was
 * given, and does what a record tells it to. Used by src/app/keeping/keeping.test.ts.
 */
import { parentPort, workerData } from "node:worker_threads";
import { type KeepingTask, runInThread } from "../src/app/keeping/run-in-thread.ts";
import { SallyportError } from "../src/model/errors.ts";
import type { RecordConsumer, RecordLine } from "../src/model/record-feed.ts";

if (parentPort === null) throw new TypeError("this file is the entry point of a thread");

/** Read from the folder's name, because a thread knows of nothing else of its test. */
const { path } = (workerData as KeepingTask).config.audit;

await runInThread(parentPort, workerData as KeepingTask, (_, { log, metrics, events }) => {
  if (path.endsWith("-refused")) {
    throw new SallyportError("audit-failed", "audit: the tree contradicts itself");
  }
  const taken = metrics.counter("test_taken", "Records.").with();
  const positions = new Map<string, number>();
  const consumer: RecordConsumer = {
    name: "test",
    position: () => 0,
    take(batch) {
      for (const entry of batch.entries()) obey(entry);
      taken.inc(batch.count);
      positions.set(batch.segment, batch.offset + batch.bytes.length);
    },
    commit() {
      const bytes = [...positions.values()].reduce((sum, one) => sum + one, 0);
      log.info("test: committed", {
        bytes,
        error: new Error("a cause", { cause: new Error("deeper") }),
      });
    },
    close() {
      log.info("test: closed");
    },
  };
  function obey(entry: RecordLine): void {
    if (entry.type !== "decision") return;
    if (entry.requestId === "die") throw process.exit(7);
    if (entry.requestId === "fail") throw new Error("told to fail");
    if (entry.requestId === "event") {
      events.event({ timeMs: Date.parse(entry.time), event: "file-removed", detail: "told to" });
    }
  }
  return Promise.resolve([consumer]);
});
