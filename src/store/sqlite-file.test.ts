import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { lookAtSqliteFile, prepareSqliteFile } from "./sqlite-file.ts";

const FAILED = { code: "store-failed" };

function ground(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-sqlite-file-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "plain"), "", { mode: 0o600 });
  return folder;
}

test("prepareSqliteFile() refuses for good where the folder cannot be made", (t) => {
  const folder = ground(t);
  for (const path of ["plain/store.db", "plain/deeper/store.db"]) {
    assert.throws(() => prepareSqliteFile(join(folder, path), { create: true }), {
      ...FAILED,
      message: /E(EXIST|NOTDIR|NOENT).*a folder that this user may write to/,
    });
  }
});

test("prepareSqliteFile() that is not to make anything says what would", (t) => {
  const folder = ground(t);
  for (const path of ["store.db", "absent/store.db"]) {
    assert.throws(() => prepareSqliteFile(join(folder, path), { create: false }), {
      ...FAILED,
      message: /is not there; the first `sallyport run` makes it/,
    });
  }
});

test("lookAtSqliteFile() finds what would be refused, and makes nothing", (t) => {
  const folder = ground(t);
  const at = (path: string): string => join(folder, path);
  for (const path of ["store.db", "absent/deeper/store.db", "plain"]) lookAtSqliteFile(at(path));
  assert.ok(!existsSync(at("absent")) && !existsSync(at("store.db")));
  for (const path of ["plain/store.db", "plain/deeper/store.db"]) {
    assert.throws(() => lookAtSqliteFile(at(path)), {
      ...FAILED,
      message: /plain is not a folder/,
    });
  }
  mkdirSync(at("open"));
  chmodSync(at("open"), 0o777);
  assert.throws(() => lookAtSqliteFile(at("open/store.db")), { ...FAILED, message: /mode 0777/ });
  lookAtSqliteFile(at("open/inside/store.db"));
  writeFileSync(at("store.db-wal"), "");
  chmodSync(at("store.db-wal"), 0o644);
  assert.throws(() => lookAtSqliteFile(at("store.db")), {
    ...FAILED,
    message: /wal has mode 0644/,
  });
});
