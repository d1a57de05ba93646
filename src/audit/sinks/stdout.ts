/**
 * The audit log on standard output, one record a line, as written. A reader that is slow is waited for,
 * with one batch in memory; one that went away is tried again, like any receiver that is not there.
 */
import type { Timers } from "../../model/ports.ts";
import { openStdout, type Output } from "../../platform/stdout.ts";
import type { Delivery, Sink, SinkRecord } from "./sink.ts";

const LIMITS = {
  /** Milliseconds until a full pipe is tried again. */
  retryMs: 50,
  /** Bytes that are handed over at once: what a pipe holds. */
  write: 65_536,
} as const;

const LINE_FEED = 0x0a;

export interface StdoutDeps {
  readonly timers: Timers;
  /** Default: the process's standard output. */
  readonly out?: Output;
}

export function createStdoutSink({ timers, out = openStdout() }: StdoutDeps): Sink {
  const writeSome = (data: Uint8Array): Promise<number> =>
    new Promise((resolve, reject) => {
      out.write(data, (error, bytes) => {
        if (error === null) resolve(bytes);
        else if (error.code === "EAGAIN") resolve(0);
        else reject(new Error(error.code ?? "unknown"));
      });
    });
  const pause = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const cancel = timers.after(LIMITS.retryMs, () => {
        signal.removeEventListener("abort", stop);
        resolve();
      });
      const stop = (): void => {
        cancel();
        resolve();
      };
      signal.addEventListener("abort", stop, { once: true });
    });
  /** What was cut off, and of which batch. */
  let rest: { readonly data: Uint8Array; readonly of: readonly SinkRecord[] } | undefined;

  /** The same batch goes on where it was cut off; before another, the line that was begun comes to its end. */
  function dataOf(records: readonly SinkRecord[]): Uint8Array {
    if (rest?.of === records) return rest.data;
    const begun = rest?.data.subarray(0, rest.data.indexOf(LINE_FEED) + 1) ?? Buffer.alloc(0);
    const text = records.map(({ line }) => `${line}\n`).join("");
    return Buffer.concat([begun, Buffer.from(text, "utf8")]);
  }

  async function deliver(records: readonly SinkRecord[], signal: AbortSignal): Promise<Delivery> {
    let data = dataOf(records);
    try {
      while (data.length > 0) {
        const written = await writeSome(data.subarray(0, LIMITS.write));
        data = data.subarray(written);
        if (data.length === 0) break;
        if (signal.aborted) return { kind: "retry", why: "its reader did not take it in time" };
        if (written === 0) await pause(signal);
      }
      return { kind: "delivered", refused: 0 };
    } catch (error) {
      const code = error instanceof Error ? error.message : "unknown";
      return { kind: "retry", why: `standard output cannot be written (${code})` };
    } finally {
      rest = data.length > 0 ? { data, of: records } : undefined;
    }
  }
  return { deliver, close: () => out.close?.() };
}
