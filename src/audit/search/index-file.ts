/**
 * The file of the side index: a SQLite database beside the log that holds nothing which the log does
 * not hold, and so may be thrown away at any time. One of another version, of somebody else or damaged
 * is made anew.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { SallyportError } from "../../model/errors.ts";
import { openSideDatabase } from "../../platform/side-database.ts";
import { codeOf } from "../files.ts";
import type { TextColumn } from "./entry.ts";

/** `SALI`: in the header of each of our indexes. */
const APPLICATION_ID = 0x53414c49;

/** Tables and the meaning of what is in them. With another number the index is built anew. */
const SCHEMA_VERSION = 3;

const LIMITS = {
  /** Milliseconds to wait for another command that writes the index: it does so in short steps. */
  lock: 60_000,
  /** KiB of pages in memory: no page is read twice in one search, so few do. */
  cache: 16_384,
  /** Texts of a kind whose numbers are remembered; forgotten all at once when there are more, for strangers choose addresses. */
  texts: 200_000,
} as const;

const TABLES = `
CREATE TABLE segments (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  position INTEGER NOT NULL, tail BLOB NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
  changed_ms REAL NOT NULL, packed INTEGER NOT NULL, faults INTEGER NOT NULL);
CREATE TABLE blocks (
  number INTEGER PRIMARY KEY, segment INTEGER NOT NULL, start INTEGER NOT NULL,
  records INTEGER NOT NULL, min_ms INTEGER NOT NULL, max_ms INTEGER NOT NULL);
CREATE INDEX blocks_of_segment ON blocks (segment, number);
CREATE TABLE columns (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE texts (
  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (kind, text));
`;

export class IndexFile {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #texts = new Map<TextColumn, Map<string, number>>();

  private constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
  }

  /** `<folder>/index/index.db`. Throws SallyportError `store-failed` where it cannot be made. */
  static open(folder: string, said: (what: string) => void): IndexFile {
    const path = join(folder, "index", "index.db");
    try {
      return new IndexFile(path, openDatabase(path));
    } catch (error) {
      if (!(error instanceof SallyportError) || error.code !== "store-failed") throw error;
      said(`${error.message}; it is built anew`);
      IndexFile.remove(folder);
      return new IndexFile(path, openDatabase(path));
    }
  }

  static remove(folder: string): void {
    const path = join(folder, "index", "index.db");
    try {
      for (const end of ["", "-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
    } catch (error) {
      const message = `index: ${path} cannot be made again (${codeOf(error) ?? "unknown"})`;
      throw new SallyportError("store-failed", message, { cause: error });
    }
  }

  /** All of `run` or nothing, while no other process writes. */
  async write<T>(run: () => Promise<T> | T): Promise<T> {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = await run();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      // Numbers of texts that are not in the file after all.
      this.#texts.clear();
      try {
        this.#database.exec("ROLLBACK");
      } catch {
        // Some failures (a full disk) have already done it.
      }
      throw error;
    }
  }

  /** What `run` reads is of one moment. */
  read<T>(run: () => T): T {
    this.#database.exec("BEGIN");
    try {
      return run();
    } finally {
      this.#database.exec("COMMIT");
    }
  }

  rows(text: string, ...values: SQLInputValue[]): readonly (readonly unknown[])[] {
    return this.#statement(text).all(...values) as unknown as readonly (readonly unknown[])[];
  }

  run(text: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(text).run(...values).lastInsertRowid);
  }

  /** The number that stands for a text, made where there is none. Within `write`. */
  numberOf(kind: TextColumn, text: string): number {
    let known = this.#texts.get(kind);
    if (known === undefined) this.#texts.set(kind, (known = new Map()));
    const found = known.get(text);
    if (found !== undefined) return found;
    const number =
      this.findText(kind, text) ??
      this.run("INSERT INTO texts (kind, text) VALUES (?, ?)", kind, text);
    if (known.size >= LIMITS.texts) known.clear();
    known.set(text, number);
    return number;
  }

  /** Undefined where no record has the text. */
  findText(kind: TextColumn, text: string): number | undefined {
    const [row] = this.rows("SELECT number FROM texts WHERE kind = ? AND text = ?", kind, text);
    return row?.[0] as number | undefined;
  }

  textOf(number: number): string | undefined {
    return this.rows("SELECT text FROM texts WHERE number = ?", number)[0]?.[0] as
      | string
      | undefined;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  /** All texts are constants of this folder, so there are few. */
  #statement(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(text);
    statement.setReturnArrays(true);
    this.#statements.set(text, statement);
    return statement;
  }
}

function openDatabase(path: string): DatabaseSync {
  const database = openSideDatabase({
    name: "index",
    path,
    applicationId: APPLICATION_ID,
    version: SCHEMA_VERSION,
    tables: TABLES,
    remedy: "sallyport audit index makes it again",
    // Columns are some ten KiB: in small pages they would be long chains.
    pageBytes: 16_384,
    lockMs: LIMITS.lock,
  });
  // What is taken out is gone from the file too. Names stay until the index is made anew.
  database.exec(`PRAGMA cache_size = -${LIMITS.cache}; PRAGMA secure_delete = ON`);
  return database;
}

/** SQLITE_CORRUPT and SQLITE_NOTADB, with or without more in the upper bits. */
export function isDamage(error: unknown): boolean {
  const code = (error as { readonly errcode?: unknown } | null)?.errcode;
  if (typeof code === "number") return [11, 26].includes(code & 0xff);
  return error instanceof Error && /malformed|not a database/.test(error.message);
}
