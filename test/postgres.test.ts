/** The server that other tests stand on: it starts, survives what they do to it, and leaves nothing. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { postgres, startPostgres } from "./postgres.ts";

test("postgres() keeps what was committed through kill() and stop()", async (t) => {
  const server = await postgres(t);
  if (server === undefined) return;
  await server.query("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)");
  await server.kill();
  await assert.rejects(server.query("SELECT 1"));
  await server.start();
  await server.query("INSERT INTO kept VALUES (2)");
  await server.stop();
  await assert.rejects(server.query("SELECT 1"));
  await server.start();
  assert.deepEqual(await server.query("SELECT n FROM kept ORDER BY n"), [{ n: 1 }, { n: 2 }]);
});

test("startPostgres() leaves nothing behind when it ends", async () => {
  const server = await startPostgres();
  if (server === undefined) return;
  assert.ok(existsSync(server.folder));
  await server.end();
  assert.ok(!existsSync(server.folder));
  await assert.rejects(server.query("SELECT 1"));
});
