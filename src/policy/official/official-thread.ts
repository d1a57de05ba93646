/**
 * Runs the official engine in a thread of its own and throws the thread away: the engine is
 * synchronous, never gives memory back, and does not survive a text that is nested too deeply.
 */
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { SallyportError, type Problem } from "../../model/errors.ts";
import { nextMessage } from "../../platform/thread-message.ts";
import type { FileEntity } from "../data/file-entity.ts";
import type { LoadedPolicy } from "../load/load-policies.ts";
import type { FormatResult } from "../load/format-policies.ts";
import type { PolicyFile, PolicySource } from "../policy-source.ts";

/** To check policies and data, to write the schema of a source as text, or to format its files. */
export type ThreadTask =
  | (PolicySource & {
      readonly kind: "load" | "schema-text";
      /** Folder in which the bundle is kept once it passed; left out: it is not kept. */
      readonly keep?: string | undefined;
    })
  | { readonly kind: "format"; readonly files: readonly PolicyFile[] };

export type ThreadMessage =
  | { readonly kind: "policies"; readonly policies: readonly LoadedPolicy[] }
  | { readonly kind: "entities"; readonly entities: readonly FileEntity[] }
  | {
      readonly kind: "done";
      readonly problems: readonly Problem[];
      readonly warnings: readonly Problem[];
      /** Few: each is written by hand. */
      readonly unlinked: readonly LoadedPolicy[];
      readonly hash: string;
    }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "no-text"; readonly problems: readonly Problem[] }
  | { readonly kind: "formatted"; readonly results: readonly FormatResult[] };

const LIMITS = {
  /** Copying them costs about a millisecond. */
  pieceChars: 512 * 1024,
} as const;

/** `.ts` in a checkout, `.js` in the packed package. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."));

/**
 * Yields what the thread sends, asking for the next piece only when this one is done with. Throws
 * SallyportError `policy-invalid` when the thread dies without an answer.
 */
export async function* runOfficialTask(task: ThreadTask): AsyncGenerator<ThreadMessage> {
  const files = task.files.map(({ name }) => ({ name, text: "" }));
  const worker = new Worker(new URL(`./load-worker${EXTENSION}`, import.meta.url), {
    workerData: { ...task, files },
  });
  try {
    const first = nextMessage<ThreadMessage>(worker, noAnswer);
    // It is awaited below, also where the thread ends before it has all of the text.
    first.catch(() => undefined);
    await sendTexts(worker, task.files);
    let message = await first;
    yield message;
    while (message.kind === "policies" || message.kind === "entities") {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
      worker.postMessage("next");
      message = await nextMessage<ThreadMessage>(worker, noAnswer);
      yield message;
    }
  } finally {
    await worker.terminate();
  }
}

/** A piece of a file's text. */
export interface TextPiece {
  readonly file: number;
  readonly text: string;
}

/** Megabytes that are copied at once hold up what this thread serves. */
async function sendTexts(worker: Worker, files: readonly PolicyFile[]): Promise<void> {
  let sent = 0;
  for (const [file, { text }] of files.entries()) {
    for (let from = 0; from < text.length; from += LIMITS.pieceChars) {
      const piece: TextPiece = { file, text: text.slice(from, from + LIMITS.pieceChars) };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
      worker.postMessage(piece);
      sent += piece.text.length;
      if (sent < LIMITS.pieceChars) continue;
      sent = 0;
      await setImmediate();
    }
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  worker.postMessage("next");
}

function noAnswer(cause: unknown): SallyportError {
  const message = "the thread of the Cedar engine ended without an answer";
  return new SallyportError("policy-invalid", message, { cause });
}
