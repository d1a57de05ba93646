/** The contract on Postgres, and what only several connections to one server can show. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { done, fact, testStoreContract, until } from "./contract.ts";
import { opener } from "./kit.ts";
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
