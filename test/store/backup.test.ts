/** Backups of SQLite that are taken while it is written, and what is put back of them. */
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { backupSqlite } from "../../src/store/sqlite-backup.ts";
import { restoreSqlite } from "../../src/store/sqlite-restore.ts";
import { done, fact } from "./contract.ts";
import { opener, temporaryFolder } from "./kit.ts";

const FAILED = { code: "store-failed" };
const RESTORE = { replace: false, nowMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6) };

interface Ground {
  readonly folder: string;
  readonly path: string;
  readonly file: string;
  readonly open: ReturnType<typeof opener>;
}

async function ground(t: TestContext): Promise<Ground> {
  const folder = await temporaryFolder(t);
  const path = join(folder, "store.db");
  return { folder, path, file: join(folder, "backup"), open: opener(t, `sqlite:${path}`) };
}

test("backupSqlite() copies a store in use, whole commits only, and its copy is a store", async (t) => {
  const { folder, path, file, open } = await ground(t);
  const store = await open();
  const until = { stop: false };
  const writing = (async () => {
    let last = 0;
    for (let n = 1; !until.stop; n += 1) {
      last = done(await store.commit([fact("a", n), fact(`b${n}`, n)])).number;
    }
    return last;
  })();
  while ((await store.now()).number < 20);
  const contents = backupSqlite(path, file);
  const commit = store.commit([fact("after")]);
  until.stop = true;
  await Promise.all([writing, commit]);
  assert.ok(contents.number >= 20);
  assert.equal(contents.epoch, await store.epoch());
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const copy = await opener(t, `sqlite:${file}`)();
  assert.equal((await copy.now()).number, contents.number);
  assert.equal((await copy.get("facts", "a"))?.body?.["value"], contents.number);
  const { documents } = await copy.changes(0, 10_000);
  assert.equal(documents.length, contents.number + 1);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes("partial")),
    [],
  );
});

test("backupSqlite() never takes the place of a file, and makes none of a store that is not there", async (t) => {
  const { path, file, folder, open } = await ground(t);
  assert.throws(() => backupSqlite(path, file), { ...FAILED, message: /is not there/ });
  assert.ok(!existsSync(path) && !existsSync(file));
  await open();
  writeFileSync(file, "precious");
  assert.throws(() => backupSqlite(path, file), { ...FAILED, message: /is there already/ });
  assert.equal(statSync(file).size, 8);
  assert.throws(() => backupSqlite(path, join(folder, "no", "backup")), {
    ...FAILED,
    message: /ENOENT/,
  });
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes("partial")),
    [],
  );
});

test("restoreSqlite() gives back what the backup holds, under another epoch", async (t) => {
  const { folder, path, file, open } = await ground(t);
  const store = await open();
  await store.commit([fact("a")]);
  const before = await store.epoch();
  backupSqlite(path, file);
  await store.close();
  const other = join(folder, "elsewhere", "store.db");
  const restored = restoreSqlite(file, other, RESTORE);
  assert.equal(restored.setAside, undefined);
  assert.equal(statSync(other).mode & 0o777, 0o600);
  const again = await opener(t, `sqlite:${other}`)();
  assert.equal((await again.get("facts", "a"))?.number, 1);
  assert.equal(await again.epoch(), restored.epoch);
  assert.notEqual(restored.epoch, before);
  // The backup itself stays as it was made.
  assert.equal(await (await opener(t, `sqlite:${file}`)()).epoch(), before);
});

test("restoreSqlite() replaces a store only when told, never one in use, and removes nothing", async (t) => {
  const { folder, path, file, open } = await ground(t);
  const store = await open();
  await store.commit([fact("a")]);
  backupSqlite(path, file);
  await store.commit([fact("b")]);
  assert.throws(() => restoreSqlite(file, path, RESTORE), { ...FAILED, message: /--replace/ });
  const replace = { ...RESTORE, replace: true };
  assert.throws(() => restoreSqlite(file, path, replace), { ...FAILED, message: /in use/ });
  assert.equal(done(await store.commit([fact("c")])).number, 3);
  await store.close();
  const { setAside } = restoreSqlite(file, path, replace);
  assert.equal(setAside, `${path}.before-restore-20260102T030405006Z`);
  const restored = await open();
  assert.equal((await restored.now()).number, 1);
  const aside = await opener(t, `sqlite:${setAside}`)();
  assert.equal((await aside.get("facts", "c"))?.number, 3);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes("partial")),
    [],
  );
});

test("restoreSqlite() puts a backup in the place of a damaged store", async (t) => {
  const { path, file, open } = await ground(t);
  const store = await open();
  await store.commit([fact("a")]);
  backupSqlite(path, file);
  await store.close();
  writeFileSync(path, "no database at all ".repeat(1000));
  writeFileSync(`${path}-wal`, "of the damaged store", { mode: 0o600 });
  const { setAside } = restoreSqlite(file, path, { ...RESTORE, replace: true });
  assert.ok(existsSync(`${setAside}-wal`) && !existsSync(`${path}-wal`));
  assert.equal((await (await open()).get("facts", "a"))?.number, 1);
});

test("restoreSqlite() refuses what is no whole backup of ours", async (t) => {
  const { folder, path, file, open } = await ground(t);
  const store = await open();
  for (let n = 0; n < 30; n += 1) await store.commit([fact(`${n}`, "x".repeat(500))]);
  const target = join(folder, "target.db");
  const refused = (from: string, message: RegExp): void => {
    assert.throws(() => restoreSqlite(from, target, RESTORE), { ...FAILED, message });
    assert.ok(!existsSync(target));
  };
  refused(join(folder, "absent"), /not there/);
  refused(folder, /not a regular file/);
  refused(path, /in use/);
  const text = join(folder, "text");
  writeFileSync(text, "no database at all ".repeat(100));
  refused(text, /SQLite 26|not a database/);
  const empty = join(folder, "empty");
  writeFileSync(empty, "");
  refused(empty, /holds no store/);
  backupSqlite(path, file);
  const damaged = join(folder, "damaged");
  copyFileSync(file, damaged);
  const { size } = statSync(damaged);
  writeFileSync(damaged, Buffer.alloc(4096, 0x55), { flag: "r+" });
  refused(damaged, /SQLite 26|damaged/);
  const newer = join(folder, "newer");
  copyFileSync(file, newer);
  const database = new DatabaseSync(newer);
  database.exec("PRAGMA user_version = 99");
  database.close();
  refused(newer, /version 99/);
  const cut = join(folder, "cut");
  copyFileSync(file, cut);
  truncateSync(cut, size - 4096);
  refused(cut, /damaged|malformed|SQLite 11/);
});
