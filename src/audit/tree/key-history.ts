/**
 * `keys.jsonl`: the public keys that checkpoints were signed with, in order. Each but the first is named
 * in a note that the one before it signed, so whoever trusts one of them can follow to the later ones.
 */
import { join } from "node:path";
import { isJsonObject, parseJson } from "../../model/json.ts";
import { rawLines } from "./checkpoint-lines.ts";
import {
  type NoteKey,
  type NoteSigner,
  parseNote,
  readVkey,
  signNote,
  verifyNote,
} from "./note.ts";
import { TREE_FILES, treeError } from "./tree-files.ts";

export interface HistoricKey {
  readonly key: NoteKey;
  /** Size of the tree from which on it signs; at that very size the one before it does too. */
  readonly from: number;
  readonly time: string;
}

/** The first key of a log has no `before`. */
export function keyLine(
  next: NoteKey,
  { from, time, before }: { from: number; time: string; before?: NoteSigner | undefined },
): string {
  if (before === undefined) return JSON.stringify({ from, time, vkey: next.vkey });
  const note = signNote(keyText(next, from), [before]);
  return JSON.stringify({ from, note, time, vkey: next.vkey });
}

/** Not to be taken for a checkpoint, whose second line is a number. */
function keyText({ name, vkey }: NoteKey, from: number): string {
  return `${name}\nkey from ${from}\n${vkey}\n`;
}

/**
 * Empty where there is none. Throws SallyportError `audit-failed` for one that does not hold; a last line
 * without its end is none, and is told by `end`.
 */
export function readKeyHistory(folder: string): { keys: HistoricKey[]; end: number } {
  const path = join(folder, TREE_FILES.keys);
  const keys: HistoricKey[] = [];
  let end = 0;
  for (const line of rawLines(path)) {
    if (line.torn) break;
    end = line.end;
    try {
      keys.push(followed(line.text, keys.at(-1)));
    } catch (error) {
      const why = error instanceof Error ? error.message : "unknown";
      throw treeError(path, `has a line ${line.number} that does not hold: ${why}`);
    }
  }
  return { keys, end };
}

function followed(line: string, before: HistoricKey | undefined): HistoricKey {
  const value = parseJson(line);
  const { from, note, time, vkey } = isJsonObject(value) ? value : {};
  if (typeof from !== "number" || typeof time !== "string" || typeof vkey !== "string") {
    throw new SyntaxError("a member is missing");
  }
  const key = readVkey(vkey);
  if (before === undefined) return { key, from, time };
  if (typeof note !== "string") throw new SyntaxError("no key before it vouches for it");
  const parsed = parseNote(note);
  const vouched = verifyNote(parsed, before.key);
  if (!vouched || parsed.text !== keyText(key, from) || from < before.from) {
    throw new SyntaxError("the key before it does not vouch for it");
  }
  return { key, from, time };
}
