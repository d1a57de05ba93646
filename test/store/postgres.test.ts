/** The contract on Postgres, and what only several connections to one server can show. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { openStore } from "../../src/store/open-store.ts";
import { recordedLog } from "../ports.ts";
import { done, fact, testStoreContract, until } from "./contract.ts";
import { opener, storeDeps } from "./kit.ts";
import { sharedPostgres } from "./postgres-server.ts";
import { runStatements } from "./statements.ts";
import { tcpProxy } from "./tcp-proxy.ts";

/** As the driver sends it: a simple query, which ends in NUL. */
const COMMIT = "COMMIT\0";

const makeDatabase = sharedPostgres();

testStoreContract("postgres", async (t) => {
  const database = await makeDatabase(t);
  return database === undefined ? undefined : { open: opener(t, database.url) };
});

test("commit() keeps a later one from being seen before an earlier one that takes long", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const proxy = await tcpProxy(t, database.server.port);
  const fast = await opener(t, database.url)();
  const slow = await opener(t, database.urlAt(proxy.port))();
  proxy.hold(COMMIT);
  const first = slow.commit([fact("slow")]);
  await proxy.held();
  let isDone = false;
  const second = fast.commit([fact("fast")]).finally(() => (isDone = true));
  // Without the counter's lock it would be done here, with the later number.
  const waits = `SELECT 1 FROM pg_stat_activity
    WHERE datname = '${database.name}' AND wait_event_type = 'Lock'`;
  await until(async () => isDone || (await database.server.query(waits)).length > 0);
  const before = await fast.changes(0, 10);
  proxy.release();
  assert.deepEqual([done(await first).number, done(await second).number], [1, 2]);
  const after = await fast.changes(before.upTo, 10);
  assert.deepEqual(
    [...before.documents, ...after.documents].map(({ id, number }) => [id, number]),
    [
      ["slow", 1],
      ["fast", 2],
    ],
  );
});

test("openStore() lets many that start at once make the tables together", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const open = opener(t, database.url);
  const stores = await Promise.all(Array.from({ length: 6 }, open));
  const epochs = await Promise.all(stores.map((store) => store.epoch()));
  assert.equal(new Set(epochs).size, 1);
});

test("openStore() refuses a database of another encoding, and of a later version", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const { server, name, url } = database;
  await server.query(`CREATE DATABASE ${name}latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0`);
  await assert.rejects(opener(t, `${url}latin`)(), { code: "store-failed", message: /LATIN1/ });
  await (await opener(t, url)()).close();
  const client = opener(t, url);
  await runStatements(url, "UPDATE sallyport_schema SET version = 99");
  await assert.rejects(client(), { code: "store-failed", message: /version 99/ });
});

test("a role that owns nothing needs the four rights on the tables, and no more", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const { name, url } = database;
  await (await opener(t, url)()).close();
  await runStatements(
    url,
    `CREATE ROLE ${name}role LOGIN PASSWORD 'narrow';
      REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO ${name}role;
      GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${name}role`,
  );
  const narrow = url.replace(/\/\/[^@]*@/, `//${name}role:narrow@`);
  const store = await opener(t, narrow)();
  await assert.rejects(store.commit([fact("a")]), { code: "store-failed", message: /42501/ });
  await runStatements(
    url,
    `GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${name}role`,
  );
  assert.equal(done(await store.commit([fact("a")])).number, 1);
  done(await store.commit([{ ...fact("a"), body: undefined }]));
  let calls = 0;
  store.watch(() => (calls += 1));
  await until(async () => calls > 0);
  await until(async () => (await store.purge(0)) === 0 && (await store.changes(1, 10)).gap);
  assert.equal((await store.figures()).number, 2);
});

test("two stores in one database lie apart by their search path", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  await runStatements(database.url, "CREATE SCHEMA other");
  const one = await opener(t, database.url)();
  const other = await opener(t, `${database.url}?options=-c%20search_path%3Dother`)();
  await one.commit([fact("a")]);
  assert.equal((await other.now()).number, 0);
  assert.equal(await other.get("facts", "a"), undefined);
  assert.notEqual(await one.epoch(), await other.epoch());
});

test("openStore() refuses a wrong password, database and host, and repeats no password", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const wrong = {
    "28P01": database.url.replace(/:[^:@/]*@/, ":CANARY@"),
    "3D000": database.url.replace(database.name, "absent"),
    ENOTFOUND: "postgres://u:CANARY@absent.invalid/db?sslmode=verify-full",
  };
  for (const [why, url] of Object.entries(wrong)) {
    const log = recordedLog();
    const error = await openStore(url, storeDeps(log)).then(
      () => undefined,
      (reason: unknown) => reason as Error & { readonly code: string },
    );
    assert.equal(error?.code, "store-unavailable", why);
    assert.match(error.message, new RegExp(why));
    const told = `${error.message}${String(error.cause)}${inspect(error)}${log.lines.join("")}`;
    assert.doesNotMatch(told, /CANARY|loopback-only/);
  }
});
