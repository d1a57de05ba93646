/** Standard output, written without ever waiting for its reader. */
import { close, constants, fstatSync, openSync, write } from "node:fs";

/** Hands over some of the bytes; the port of `fs.write`. A full pipe is the error EAGAIN. */
export type WriteSome = (
  data: Uint8Array,
  done: (error: { readonly code?: string } | null, bytes: number) => void,
) => void;

export interface Output {
  readonly write: WriteSome;
  readonly close?: () => void;
}

/**
 * A pipe is opened once more, so that only this description of it never waits: a write into a full pipe
 * would hold one of the few threads that also write the log. Where it cannot be (another user's pipe,
 * no /proc), the one that is there is used.
 */
export function openStdout(): Output {
  const own = reopened();
  const descriptor = own ?? 1;
  return {
    write: (data, done) => write(descriptor, data, 0, data.length, null, done),
    ...(own === undefined ? {} : { close: () => close(own) }),
  };
}

function reopened(): number | undefined {
  try {
    if (!fstatSync(1).isFIFO()) return undefined;
    return openSync("/proc/self/fd/1", constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}
