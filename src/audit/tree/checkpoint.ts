/**
 * Checkpoints (C2SP tlog-checkpoint): of which log, how many leaves, which root. The text of a note.
 *
 * Refuses sizes with leading zeros or beyond what is counted exactly, roots that are no SHA-256, and
 * lines of extensions, which we write none of and could not judge.
 */
import { HASH_BYTES } from "./hashing.ts";
import { isNoteName, strictBase64 } from "./note.ts";

export interface Checkpoint {
  /** Which log: unique, and the name of its keys. */
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

export function checkpointText({ origin, size, root }: Checkpoint): string {
  if (!isNoteName(origin)) throw new TypeError("an origin is the name of a key");
  return `${origin}\n${size}\n${root.toString("base64")}\n`;
}

/** Throws SyntaxError that names the rule that it breaks. */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split("\n");
  if (lines.length !== 4 || lines[3] !== "") {
    throw new SyntaxError("a checkpoint has three lines: its log, its size and its root");
  }
  const [origin = "", sizeText = "", rootText = ""] = lines;
  if (!isNoteName(origin)) throw new SyntaxError("a checkpoint has no name of a log");
  const size = /^(0|[1-9]\d{0,15})$/.test(sizeText) ? Number(sizeText) : -1;
  if (!Number.isSafeInteger(size) || size < 0) throw new SyntaxError("a checkpoint has no size");
  const root = strictBase64(rootText);
  if (root?.length !== HASH_BYTES) throw new SyntaxError("a checkpoint has no SHA-256 as its root");
  return { origin, size, root };
}
