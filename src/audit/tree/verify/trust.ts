/**
 * Which key has to have signed a checkpoint: that of its time, in a history in which each key vouches for
 * the next, and which has to hold a key that whoever verifies was given.
 *
 * Trust goes forward only. A key that was given vouches for those after it; for what was sealed before its
 * time it vouches by signing a checkpoint over it, and in no other way: anybody can write a history that
 * ends with somebody else's key.
 */
import { join } from "node:path";
import { SallyportError } from "../../../model/errors.ts";
import { type HistoricKey, readKeyHistory } from "../key-history.ts";
import { type Note, type NoteKey, verifyNote } from "../note.ts";
import { TREE_FOLDER } from "../tree-files.ts";
import type { Faults } from "./report.ts";

export class Trust {
  readonly keys: readonly HistoricKey[];
  /** The first of `keys` that was given; behind all of them where none is. */
  readonly #given: number;

  /** `given`: what is believed. Faults of the history are told; without one, those that were given count. */
  constructor(folder: string, given: readonly NoteKey[], faults: Faults) {
    this.keys = historyOf(folder, faults);
    const first = this.keys.findIndex(({ key }) => given.some(({ vkey }) => vkey === key.vkey));
    this.#given = this.keys.length === 0 ? 0 : first === -1 ? this.keys.length : first;
    if (this.keys.length > 0 && first === -1) {
      faults.add({
        kind: "key",
        detail: `none of the keys that were given is one of this log, which says it is signed by ${this.keys.at(-1)?.key.vkey}`,
      });
    }
    if (this.keys.length === 0) this.keys = given.map((key) => ({ key, from: 0, time: "" }));
  }

  /**
   * How a checkpoint of that size is signed: `trusted` by a key that was given or one after it, `earlier` by
   * the key of its time, which is believed only as far as a trusted one signs over it.
   */
  signed(note: Note, size: number): "trusted" | "earlier" | "not" {
    const index = this.keys.findLastIndex(({ from }) => from <= size);
    const current = this.keys[index];
    if (current === undefined) return "not";
    // At the very size of a change there may be a checkpoint of before.
    const before = current.from === size ? index - 1 : index;
    for (let at = index; at >= Math.max(0, before); at--) {
      const { key } = this.keys[at] as HistoricKey;
      if (verifyNote(note, key)) return at >= this.#given ? "trusted" : "earlier";
    }
    return "not";
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
