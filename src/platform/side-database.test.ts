import assert from "node:assert/strict";
import {
  chmodSync,
  mkdtempSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import {
  inspectSideDatabase,
  openSideDatabase,
  readSideDatabase,
  type SideDatabaseOptions,
} from "./side-database.ts";

function options(path: string): SideDatabaseOptions {
  return {
    name: "usage",
    path,
    applicationId: 7,
    version: 2,
    tables: "CREATE TABLE t (a INTEGER)",
    remedy: "make it again",
  };
}

const fresh = (): string => join(mkdtempSync(join(tmpdir(), "sallyport-side-")), "in", "x.db");

test("openSideDatabase() makes a file of its owner's own, which others read beside it", () => {
  const path = fresh();
  const writer = openSideDatabase(options(path));
  writer.exec("INSERT INTO t VALUES (1)");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(path, "..")).mode & 0o777, 0o700);
  const reader = readSideDatabase(options(path));
  assert.equal(reader.prepare("SELECT a FROM t").get()?.["a"], 1);
  assert.throws(() => reader.exec("INSERT INTO t VALUES (2)"));
  reader.close();
  writer.close();
  openSideDatabase(options(path)).close();
});

test("openSideDatabase() refuses what others can reach, and what is not its own", () => {
  const wide = fresh();
  openSideDatabase(options(wide)).close();
  chmodSync(wide, 0o640);
  assert.throws(() => openSideDatabase(options(wide)), /can be reached by others/);
  assert.throws(() => readSideDatabase(options(wide)), /can be reached by others/);
  chmodSync(wide, 0o600);
  chmodSync(join(wide, ".."), 0o755);
  assert.throws(() => openSideDatabase(options(wide)), /folder of others/);
  chmodSync(join(wide, ".."), 0o700);
  assert.throws(
    () => openSideDatabase({ ...options(wide), applicationId: 8 }),
    /of another program/,
  );
  assert.throws(
    () => openSideDatabase({ ...options(wide), version: 3 }),
    /version 2 and this program wants 3; make it again/,
  );
  const linked = `${wide}2`;
  symlinkSync(wide, linked);
  assert.throws(() => openSideDatabase(options(linked)), /no regular file/);
  assert.throws(() => readSideDatabase(options(fresh())), /is not there; make it again/);
  const text = `${wide}3`;
  writeFileSync(text, "no database at all, but long enough to be looked at as one".repeat(20));
  chmodSync(text, 0o600);
  assert.throws(() => openSideDatabase(options(text)), { code: "store-failed" });
  const foreign = `${wide}4`;
  const other = new DatabaseSync(foreign);
  other.exec("CREATE TABLE theirs (a)");
  other.close();
  chmodSync(foreign, 0o600);
  assert.throws(() => openSideDatabase(options(foreign)), /of another program/);
});

test("openSideDatabase() says of a damaged file what makes it again", () => {
  const path = fresh();
  openSideDatabase(options(path)).close();
  truncateSync(path, 3000);
  const message = `usage: ${path} is damaged (database disk image is malformed); make it again`;
  for (const open of [openSideDatabase, readSideDatabase]) {
    assert.throws(() => open(options(path)), { code: "store-failed", message });
  }
});

test("inspectSideDatabase() refuses what is cut off, and takes what is still in the write-ahead log", () => {
  const path = fresh();
  const writer = openSideDatabase(options(path));
  writer.exec("INSERT INTO t VALUES (1)");
  assert.equal(inspectSideDatabase(options(path)), true, "while it is written");
  for (let row = 0; row < 5000; row++) writer.exec(`INSERT INTO t VALUES (${row})`);
  writer.close();
  assert.equal(inspectSideDatabase(options(path)), true);
  truncateSync(path, statSync(path).size - 4096);
  assert.throws(() => inspectSideDatabase(options(path)), /is cut off; make it again/);
  truncateSync(path, 120);
  assert.throws(() => inspectSideDatabase(options(path)), /is cut off/);
});
