/**
 * Rows of what has few names (services, authenticators): read from the table once a version, so that
 * a request pays one look-up by name instead of a hash.
 */
import type { RevocationTarget } from "../model/revocation.ts";
import { digestTarget } from "./revocation-digest.ts";
import { ROW, type RevocationTable } from "./revocation-table.ts";

const LIMITS = {
  /** Names come from configurations, which come and go; beyond it they are collected anew. */
  names: 4096,
} as const;

interface Named {
  readonly row: Uint32Array;
  /** The version of the list that the row was read at. */
  version: number;
  found: boolean;
}

export class NamedRows {
  readonly #table: RevocationTable;
  readonly #targetOf: (name: string) => RevocationTarget;
  readonly #names = new Map<string, Named>();

  constructor(table: RevocationTable, targetOf: (name: string) => RevocationTarget) {
    this.#table = table;
    this.#targetOf = targetOf;
  }

  /** The row about this name at that version of the list. */
  row(name: string, version: number): Uint32Array | undefined {
    const named = this.#names.get(name) ?? this.#add(name);
    if (named.version !== version) {
      named.version = version;
      named.found = this.#table.read(named.row);
    }
    return named.found ? named.row : undefined;
  }

  #add(name: string): Named {
    if (this.#names.size >= LIMITS.names) this.#names.clear();
    const row = new Uint32Array(ROW.length);
    digestTarget(this.#targetOf(name), row, ROW.digest);
    const named: Named = { row, version: -1, found: false };
    this.#names.set(name, named);
    return named;
  }
}
