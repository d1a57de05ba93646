/**
 * Stores of every earlier version, with data, are brought to this one and lose nothing. A migration
 * that is added without its fixture, or changed after its fixture was made, fails here.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openStore } from "../../src/store/open-store.ts";
import { PostgresPool } from "../../src/store/postgres-client.ts";
import { migratePostgres, POSTGRES_MIGRATIONS } from "../../src/store/postgres-migrations.ts";
import { readPostgresUrl } from "../../src/store/postgres-options.ts";
import { connectSqlite } from "../../src/store/sqlite-connection.ts";
import { SQLITE_MIGRATIONS } from "../../src/store/sqlite-migrations.ts";
import type { OpenStore } from "../../src/store/store-deps.ts";
import { done, fact } from "./contract.ts";
import {
  FIXTURE_ROWS,
  FIXTURE_STATE,
  loadSqliteFixture,
  readFixture,
  sqliteSchema,
  VERSIONS,
} from "./fixture.ts";
import { opener, storeDeps, temporaryFolder } from "./kit.ts";
import { sharedPostgres } from "./postgres-server.ts";
import { runStatements } from "./statements.ts";

const makeDatabase = sharedPostgres();

/** What every version held is there, and the store goes on. */
async function assertUpgraded(store: OpenStore, schema: number): Promise<void> {
  assert.equal((await store.figures()).schema, schema);
  assert.equal(await store.epoch(), FIXTURE_STATE.epoch);
  assert.equal((await store.now()).number, FIXTURE_STATE.number);
  const { documents, upTo, gap } = await store.changes(0, 100);
  assert.deepEqual([upTo, gap], [FIXTURE_STATE.number, false]);
  assert.deepEqual(
    documents.map((one) => [
      one.collection,
      one.id,
      one.body === undefined ? null : JSON.parse(JSON.stringify(one.body)),
      one.number,
      one.timeMs,
      one.expiresMs ?? null,
    ]),
    FIXTURE_ROWS.map(([collection, id, body, number, timeMs, expiresMs]) => [
      collection,
      id,
      body === null || id === "over" ? null : JSON.parse(body),
      number,
      timeMs,
      expiresMs,
    ]),
  );
  assert.equal((await store.changes(FIXTURE_STATE.forgotten - 1, 100)).gap, true);
  assert.equal(done(await store.commit([fact("new")])).number, FIXTURE_STATE.number + 1);
  // What the expired one and the removals leave: the purge of this version knows those of all.
  assert.equal(await store.purge(0), 1);
  assert.equal((await store.changes(FIXTURE_STATE.number - 1, 100)).gap, true);
}

for (let version = 1; version <= VERSIONS.sqlite; version += 1) {
  test(`sqlite: tables of version ${version} with data become those of ${VERSIONS.sqlite}`, async (t) => {
    const folder = await temporaryFolder(t);
    const [old, path, fresh] = ["old.db", "store.db", "fresh.db"].map((name) => join(folder, name));
    assert.ok(old !== undefined && path !== undefined && fresh !== undefined);
    // The fixture is what these migrations make: none of them was changed since.
    loadSqliteFixture(path, version);
    const migrations = SQLITE_MIGRATIONS.slice(0, version);
    connectSqlite(old, { upgrade: true, migrations }).close();
    assert.deepEqual(sqliteSchema(path), sqliteSchema(old));
    if (version < VERSIONS.sqlite) {
      await assert.rejects(openStore(`sqlite:${path}`, storeDeps(), { existing: true }), {
        code: "store-failed",
        message: /sallyport run upgrades/,
      });
    }
    await assertUpgraded(await opener(t, `sqlite:${path}`)(), VERSIONS.sqlite);
    connectSqlite(fresh, { upgrade: true }).close();
    assert.deepEqual(sqliteSchema(path), sqliteSchema(fresh));
  });

  test(`postgres: tables of version ${version} with data become those of ${VERSIONS.postgres}`, async (t) => {
    const [database, old, fresh] = [
      await makeDatabase(t),
      await makeDatabase(t),
      await makeDatabase(t),
    ];
    if (database === undefined || old === undefined || fresh === undefined) return;
    await runStatements(database.url, readFixture("postgres", version));
    const pool = new PostgresPool(readPostgresUrl(new URL(old.url)), storeDeps());
    t.after(() => pool.close());
    const migrations = POSTGRES_MIGRATIONS.slice(0, version);
    assert.equal(await migratePostgres(pool, { upgrade: true, migrations }), version);
    assert.deepEqual(await postgresSchema(database.url), await postgresSchema(old.url));
    if (version < VERSIONS.postgres) {
      await assert.rejects(openStore(database.url, storeDeps(), { existing: true }), {
        code: "store-failed",
        message: /sallyport run upgrades/,
      });
    }
    await assertUpgraded(await opener(t, database.url)(), VERSIONS.postgres);
    await opener(t, fresh.url)();
    assert.deepEqual(await postgresSchema(database.url), await postgresSchema(fresh.url));
  });
}

test("both engines have the same number of versions", () => {
  assert.equal(VERSIONS.sqlite, VERSIONS.postgres);
});

test("a migration that fails leaves the version before it, whole", async (t) => {
  const path = join(await temporaryFolder(t), "store.db");
  writeFileSync(path, "", { mode: 0o600 });
  const statements = "CREATE TABLE half (a); INSERT INTO absent VALUES (1)";
  const migrations = [...SQLITE_MIGRATIONS, { name: "one that fails", statements }];
  assert.throws(() => connectSqlite(path, { upgrade: true, migrations }), /absent/);
  const database = connectSqlite(path, { upgrade: true });
  assert.equal(
    database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'half'").get(),
    undefined,
  );
  database.close();

  const other = await makeDatabase(t);
  if (other === undefined) return;
  const pool = new PostgresPool(readPostgresUrl(new URL(other.url)), storeDeps());
  t.after(() => pool.close());
  const failing = [
    ...POSTGRES_MIGRATIONS,
    { name: "one that fails", statements: "CREATE TABLE half (a int); SELECT * FROM absent" },
  ];
  await assert.rejects(migratePostgres(pool, { upgrade: true, migrations: failing }), {
    code: "store-failed",
  });
  assert.equal(await migratePostgres(pool, { upgrade: false }), POSTGRES_MIGRATIONS.length);
  assert.deepEqual(await runStatements(other.url, "SELECT to_regclass('half') AS half"), [
    { half: null },
  ]);
});

/** Columns, constraints and indexes of our tables, as the server describes them. */
async function postgresSchema(url: string): Promise<unknown> {
  return await runStatements(
    url,
    `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' ||
        coalesce(collation_name, '') AS line
      FROM information_schema.columns WHERE table_name LIKE 'sallyport%'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'sallyport%'
    UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
      WHERE conrelid::regclass::text LIKE 'sallyport%'
    ORDER BY line`,
  );
}
