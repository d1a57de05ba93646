/**
 * Which key has to have signed a checkpoint: that of its time, in a history in which each key vouches for
 * the next, and which has to hold a key that whoever verifies was given.
 */
import { join } from "node:path";
import { SallyportError } from "../../../model/errors.ts";
import { type HistoricKey, readKeyHistory } from "../key-history.ts";
import { type Note, type NoteKey, verifyNote } from "../note.ts";
import { TREE_FOLDER } from "../tree-files.ts";
import type { Faults } from "./report.ts";

export class Trust {
  readonly keys: readonly HistoricKey[];

  /** `given`: what is believed. Faults of the history are told; without one, those that were given count. */
  constructor(folder: string, given: readonly NoteKey[], faults: Faults) {
    this.keys = historyOf(folder, faults);
    const known = this.keys.some(({ key }) => given.some(({ vkey }) => vkey === key.vkey));
    if (this.keys.length > 0 && !known) {
      faults.add({
        kind: "key",
        detail: `none of the keys that were given is one of this log, which says it is signed by ${this.keys.at(-1)?.key.vkey}`,
      });
    }
    if (this.keys.length === 0) this.keys = given.map((key) => ({ key, from: 0, time: "" }));
  }

  /** Whether a checkpoint of that size is signed as it has to be. */
  isSigned(note: Note, size: number): boolean {
    const index = this.keys.findLastIndex(({ from }) => from <= size);
    const current = this.keys[index];
    if (current === undefined) return false;
    if (verifyNote(note, current.key)) return true;
    // At the very size of a change there may be a checkpoint of before.
    const before = current.from === size ? this.keys[index - 1] : undefined;
    return before !== undefined && Boolean(verifyNote(note, before.key));
  }

  /** Whether any key of the log signed it: a checkpoint that was kept elsewhere. */
  isOfLog(note: Note): boolean {
    return this.keys.some(({ key }) => Boolean(verifyNote(note, key)));
  }
}

function historyOf(folder: string, faults: Faults): readonly HistoricKey[] {
  try {
    return readKeyHistory(join(folder, TREE_FOLDER)).keys;
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    faults.add({ kind: "key", detail: error.message });
    return [];
  }
}
