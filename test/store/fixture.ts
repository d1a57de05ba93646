/**
 * A store of each version of the tables, with data, as SQL: `fixtures/<engine>-<version>.sql`. Run as a
 * script it writes those that are missing, from the migrations as they are; it never changes one.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { POSTGRES_MIGRATIONS } from "../../src/store/postgres-migrations.ts";
import { connectSqlite } from "../../src/store/sqlite-connection.ts";
import { SQLITE_MIGRATIONS } from "../../src/store/sqlite-migrations.ts";

export type Engine = "sqlite" | "postgres";

export const VERSIONS: Readonly<Record<Engine, number>> = {
  sqlite: SQLITE_MIGRATIONS.length,
  postgres: POSTGRES_MIGRATIONS.length,
};

/** In the order of the columns: collection, id, body, number, time_ms, expires_ms. */
export type FixtureRow = readonly [string, string, string | null, number, number, number | null];

export const FIXTURE_STATE = {
  epoch: "Zml4dHVyZS1lcG9jaC0xMg",
  number: 7,
  timeMs: 1_767_225_600_000,
  forgotten: 2,
} as const;

/** What versions before must have been able to hold; a later version may need more. */
export const FIXTURE_ROWS: readonly FixtureRow[] = [
  ["facts", "a/ü/\u{1F600}", '{"text":"it\'s \\"quoted\\"","n":-0.5}', 3, 1_767_225_500_000, null],
  ["signing-keys", "tokens.000001", '{"sealed":"sealed:v1:0011:AAAA"}', 4, 1_767_225_510_000, null],
  [
    "revocations",
    "kept",
    '{"cutoffMs":1767225520000}',
    5,
    1_767_225_520_000,
    9_007_199_254_740_991,
  ],
  ["idempotency", "over", "{}", 6, 1_767_225_530_000, 1_767_225_540_000],
  ["workloads", "removed", null, 7, 1_767_225_600_000, null],
];

/** Throws where it is missing, with what to do. */
export function readFixture(engine: Engine, version: number): string {
  const path = fixturePath(engine, version);
  if (existsSync(path)) return readFileSync(path, "utf8");
  throw new Error(
    `${path} is missing: run test/store/fixture.ts while no later migration is there`,
  );
}

export function loadSqliteFixture(path: string, version: number): void {
  writeFileSync(path, "", { mode: 0o600 });
  const database = new DatabaseSync(path);
  database.exec(readFixture("sqlite", version));
  database.close();
}

/** The statements that make the tables, as SQLite keeps them. */
export function sqliteSchema(path: string): string[] {
  const database = new DatabaseSync(path);
  try {
    const text = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name";
    return database
      .prepare(text)
      .all()
      .map(({ sql }) => String(sql).replaceAll(/\s+/g, " "));
  } finally {
    database.close();
  }
}

function fixturePath(engine: Engine, version: number): string {
  return fileURLToPath(new URL(`fixtures/${engine}-${version}.sql`, import.meta.url));
}

function sqliteFixture(version: number): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-fixture-"));
  try {
    const path = join(folder, "store.db");
    writeFileSync(path, "", { mode: 0o600 });
    const migrations = SQLITE_MIGRATIONS.slice(0, version);
    const database = connectSqlite(path, { upgrade: true, migrations });
    const id = database.prepare("PRAGMA application_id").get()?.["application_id"];
    database.close();
    return [
      `PRAGMA application_id = ${String(id)}`,
      `PRAGMA user_version = ${version}`,
      ...sqliteSchema(path),
      `INSERT INTO state VALUES (1, ${stateValues()})`,
      ...FIXTURE_ROWS.map((row) => `INSERT INTO documents VALUES (${row.map(literal).join(", ")})`),
      "",
    ].join(";\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function postgresFixture(version: number): string {
  const migrations = POSTGRES_MIGRATIONS.slice(0, version).flatMap(({ statements }) =>
    statements.split(";").map((statement) => statement.trim().replaceAll(/\s+/g, " ")),
  );
  return [
    ...migrations.filter((statement) => statement !== ""),
    `UPDATE sallyport_schema SET version = ${version}`,
    `INSERT INTO sallyport_state VALUES (true, ${stateValues()})`,
    ...FIXTURE_ROWS.map(
      (row) => `INSERT INTO sallyport_documents VALUES (${row.map(literal).join(", ")})`,
    ),
    "",
  ].join(";\n");
}

function stateValues(): string {
  const { epoch, number, timeMs, forgotten } = FIXTURE_STATE;
  return [epoch, number, timeMs, forgotten].map(literal).join(", ");
}

function literal(value: string | number | null): string {
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  return value === null ? "NULL" : String(value);
}

if (import.meta.main) {
  const make = { sqlite: sqliteFixture, postgres: postgresFixture };
  for (const engine of ["sqlite", "postgres"] as const) {
    for (let version = 1; version <= VERSIONS[engine]; version += 1) {
      const path = fixturePath(engine, version);
      if (existsSync(path)) continue;
      writeFileSync(path, make[engine](version));
      console.log(path);
    }
  }
}
