/** What a worker thread says next. */
import type { Worker } from "node:worker_threads";

/**
 * Settles with the thread's next message. Rejects with what `failed` makes of the cause when the
 * thread ends, or fails, without one.
 */
export async function nextMessage<T>(
  thread: Worker,
  failed: (cause: unknown) => Error,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const fail = (cause: unknown): void => reject(failed(cause));
  thread.once("message", resolve);
  thread.once("error", fail);
  thread.once("messageerror", fail);
  thread.once("exit", fail);
  try {
    return await promise;
  } finally {
    thread.off("message", resolve);
    thread.off("error", fail);
    thread.off("messageerror", fail);
    thread.off("exit", fail);
  }
}
