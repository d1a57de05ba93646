/**
 * The tables in Postgres, from the first version on, and how they are brought to the newest. They
 * lie in the first schema of the role's search path. A version that was released is never edited.
 */
import { SallyportError } from "../model/errors.ts";
import { newEpoch } from "./epoch.ts";
import type { PostgresPool, SqlConnection } from "./postgres-client.ts";
import type { Migration } from "./sqlite-migrations.ts";

export const POSTGRES_MIGRATIONS: readonly Migration[] = [
  {
    name: "documents and their counter",
    // COLLATE "C": by code points, in every database, whatever the locale of its server.
    statements: `
      CREATE TABLE sallyport_schema (version integer NOT NULL);
      INSERT INTO sallyport_schema VALUES (0);
      CREATE TABLE sallyport_state (
        only_row boolean PRIMARY KEY CHECK (only_row),
        epoch text NOT NULL,
        number bigint NOT NULL,
        time_ms bigint NOT NULL,
        forgotten bigint NOT NULL
      );
      CREATE TABLE sallyport_documents (
        collection text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        body text,
        number bigint NOT NULL,
        time_ms bigint NOT NULL,
        expires_ms bigint,
        PRIMARY KEY (collection, id)
      );
      CREATE INDEX sallyport_documents_by_number ON sallyport_documents (number);
    `,
  },
  {
    name: "what a purge looks for",
    statements: `
      CREATE INDEX sallyport_documents_by_expiry ON sallyport_documents (expires_ms)
        WHERE expires_ms IS NOT NULL;
      CREATE INDEX sallyport_documents_removed ON sallyport_documents (time_ms)
        WHERE body IS NULL;
    `,
  },
];

const LIMITS = {
  /** Milliseconds for one: building an index of millions of documents takes its time. */
  migration: 300_000,
} as const;

/** "sallypor" in ASCII: whoever migrates holds this advisory lock, so that one does. */
const ADVISORY_LOCK = "8313424887044665202";

/** Resolves to the version. Rejects with SallyportError. */
export async function migratePostgres(
  pool: PostgresPool,
  {
    upgrade,
    migrations = POSTGRES_MIGRATIONS,
  }: { readonly upgrade: boolean; readonly migrations?: readonly Migration[] },
): Promise<number> {
  let version = await pool.use(readVersion, { repeat: true });
  const known = migrations.length;
  if (version > known) {
    refuse(
      `has tables of version ${version}, and this program knows ${known}; run the newer program`,
    );
  }
  if (version === 0 && !upgrade) refuse("holds no store; sallyport run makes one");
  if (version < known && !upgrade) {
    refuse(
      `has tables of version ${version} and this program wants ${known}; sallyport run upgrades them`,
    );
  }
  while (version < known) {
    const withinMs = LIMITS.migration;
    version = await pool.use((sql) => applyNext(sql, migrations), { withinMs });
  }
  return version;
}

function refuse(what: string): never {
  throw new SallyportError("store-failed", `store: the Postgres database ${what}`);
}

async function readVersion(sql: SqlConnection): Promise<number> {
  const [encoding] = await sql.query({ text: "SHOW server_encoding" });
  if (encoding?.[0] !== "UTF8") {
    refuse(`has encoding ${String(encoding?.[0])}; make one with UTF8`);
  }
  // to_regclass() would answer from a cache of before the lock.
  const [table] = await sql.query({
    text: `SELECT 1 FROM pg_catalog.pg_class
      WHERE relname = 'sallyport_schema' AND pg_catalog.pg_table_is_visible(oid)`,
  });
  if (table === undefined) return 0;
  const [row] = await sql.query({ text: "SELECT version FROM sallyport_schema" });
  return Number(row?.[0]);
}

/** All of one version or nothing; resolves to the version after it. */
async function applyNext(sql: SqlConnection, migrations: readonly Migration[]): Promise<number> {
  await sql.query({ text: "BEGIN" });
  await sql.query({ text: `SELECT pg_advisory_xact_lock(${ADVISORY_LOCK})` });
  // Read again under the lock: another process may have been faster.
  const version = await readVersion(sql);
  const next = migrations[version];
  if (next === undefined) {
    await sql.query({ text: "ROLLBACK" });
    return version;
  }
  await sql.query({ text: next.statements });
  if (version === 0) {
    const text = "INSERT INTO sallyport_state VALUES (true, $1, 0, 0, 0)";
    await sql.query({ text, values: [newEpoch()] });
  }
  await sql.query({ text: "UPDATE sallyport_schema SET version = $1", values: [version + 1] });
  await sql.query({ text: "COMMIT" });
  return version + 1;
}
