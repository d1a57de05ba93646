/**
 * The tables in SQLite, from the first version on. A version that was released is never edited: what
 * changes is a new one at the end, with a fixture in `test/store/fixtures/` that tries the upgrade.
 */
export interface Migration {
  readonly name: string;
  readonly statements: string;
}

/** The version of the tables is the number of these that were applied. */
export const SQLITE_MIGRATIONS: readonly Migration[] = [
  {
    name: "documents and their counter",
    // WITHOUT ROWID: lists read in the order in which rows lie.
    statements: `
      CREATE TABLE state (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        epoch TEXT NOT NULL,
        number INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        forgotten INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE documents (
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        body TEXT,
        number INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        expires_ms INTEGER,
        PRIMARY KEY (collection, id)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX documents_by_number ON documents (number);
    `,
  },
  {
    name: "what a purge looks for",
    // Without them each purge reads the whole table, and others wait for it.
    statements: `
      CREATE INDEX documents_by_expiry ON documents (expires_ms) WHERE expires_ms IS NOT NULL;
      CREATE INDEX documents_removed ON documents (time_ms) WHERE body IS NULL;
    `,
  },
];
