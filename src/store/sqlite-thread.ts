/**
 * The thread of a SQLite store, seen from the threads that serve: tasks go in, promises come out. It
 * is started anew when it dies; what it had not answered is rejected, for nobody knows whether it was
 * done.
 */
import { Worker } from "node:worker_threads";
import { SallyportError } from "../model/errors.ts";
import { STORE_LIMITS } from "./limits.ts";
import type {
  SqliteReply,
  SqliteRequest,
  SqliteResult,
  SqliteTask,
  SqliteThreadData,
  SqliteVerb,
} from "./sqlite-tasks.ts";
import type { StoreDeps } from "./store-deps.ts";

const LIMITS = {
  /** Milliseconds between two starts: one that dies at once is not started in a loop. */
  restart: 500,
  /** Milliseconds that the last write may take when it is closed. */
  close: 5000,
} as const;

/** `.ts` in a checkout, `.js` in the packed package. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."));

/** Verbs that read the whole file: they take as long as that takes. */
const LONG: ReadonlySet<SqliteVerb> = new Set<SqliteVerb>(["figures"]);

interface Waiting {
  readonly resolve: (result: SqliteResult<SqliteVerb>) => void;
  readonly reject: (error: SallyportError) => void;
}

export class SqliteThread {
  readonly #data: SqliteThreadData;
  readonly #deps: StoreDeps;
  readonly #startWorker: (data: SqliteThreadData) => Worker;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #startedMs = Number.NEGATIVE_INFINITY;
  #next = 1;
  #closed = false;

  constructor(data: SqliteThreadData, deps: StoreDeps, startWorker = startSqliteWorker) {
    this.#data = data;
    this.#startWorker = startWorker;
    this.#deps = deps;
  }

  async ask<V extends SqliteVerb>(verb: V, task: SqliteTask<V>): Promise<SqliteResult<V>> {
    if (this.#closed) throw unavailable("is closed");
    if (this.#waiting.size >= STORE_LIMITS.waiting) throw unavailable("has too much to do");
    const worker = this.#started();
    const id = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<SqliteResult<SqliteVerb>>();
    this.#waiting.set(id, { resolve, reject });
    worker.ref();
    const request: SqliteRequest = { id, verb, task };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    worker.postMessage(request);
    const disarm = LONG.has(verb) ? undefined : this.#giveUpAfter(STORE_LIMITS.answer, id);
    try {
      return (await promise) as SqliteResult<V>;
    } finally {
      disarm?.();
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#worker?.unref();
    }
  }

  /** Ends the thread; what waits is answered first. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.ref();
    worker.once("exit", () => resolve());
    const disarm = this.#deps.timers.after(LIMITS.close, resolve);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    worker.postMessage("close");
    await promise;
    disarm();
    await worker.terminate();
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const nowMs = this.#deps.clock.monotonic();
    if (nowMs - this.#startedMs < LIMITS.restart) throw unavailable("is being started anew");
    this.#startedMs = nowMs;
    const worker = this.#startWorker(this.#data);
    worker.on("message", (reply: SqliteReply) => this.#settle(reply));
    worker.on("error", (error) => this.#lost(worker, error));
    worker.on("exit", () => this.#lost(worker, undefined));
    this.#worker = worker;
    return worker;
  }

  #settle(reply: SqliteReply): void {
    const waiting = this.#waiting.get(reply.id);
    // Given up by now.
    if (waiting === undefined) return;
    if ("failed" in reply) {
      waiting.reject(new SallyportError(reply.failed.code, reply.failed.message));
    } else waiting.resolve(reply.result);
  }

  #lost(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    if (!this.#closed) {
      this.#deps.log.error("store: the thread of SQLite ended; it is started anew", {
        error: error instanceof Error ? error : undefined,
      });
    }
    for (const { reject } of this.#waiting.values()) reject(unavailable("lost its thread"));
  }

  #giveUpAfter(ms: number, id: number): () => void {
    return this.#deps.timers.after(ms, () => {
      this.#waiting.get(id)?.reject(unavailable(`did not answer within ${ms} ms`));
    });
  }
}

export function startSqliteWorker(workerData: SqliteThreadData): Worker {
  return new Worker(new URL(`./sqlite-worker${EXTENSION}`, import.meta.url), { workerData });
}

function unavailable(what: string): SallyportError {
  return new SallyportError("store-unavailable", `store: SQLite ${what}`);
}
