/**
 * SQLite with what goes wrong around it: processes that are killed, locks that are held, disks that are
 * full or only read, files that others reach, replace or damage.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { openStore } from "../../src/store/open-store.ts";
import { SqliteThread, startSqliteWorker } from "../../src/store/sqlite-thread.ts";
import { done, fact, until } from "./contract.ts";
import { follow } from "./follower.ts";
import { opener, storeDeps, temporaryFolder } from "./kit.ts";

const UNAVAILABLE = { code: "store-unavailable" };
const FAILED = { code: "store-failed" };

/** Milliseconds within which everything is answered: 5 s, and what a busy machine adds. */
const BOUND = 12_000;

async function freshPath(t: TestContext): Promise<string> {
  return join(await temporaryFolder(t), "store.db");
}

function start(script: string, ...args: string[]): ChildProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", path, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
}

test("kill -9 of a process that commits loses nothing that it was told is kept", async (t) => {
  const path = await freshPath(t);
  const url = `sqlite:${path}`;
  const reader = await opener(t, url)();
  const end: { number?: number } = {};
  const following = follow(reader, () => end.number);
  let kept = 0;
  for (const lines of [1, 7, 40, 150]) {
    const child = start("chain-writer.ts", url, "a");
    const exited = once(child, "exit");
    let seen = 0;
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      kept = Number(line);
      if ((seen += 1) === lines) child.kill("SIGKILL");
    }
    assert.deepEqual(await exited, [null, "SIGKILL"]);
    const head = Number((await reader.get("facts", "a"))?.body?.["value"]);
    // At most the commit that it was not told of any more.
    assert.ok(head === kept || head === kept + 1, `${head} after ${kept}`);
    assert.equal((await reader.now()).number, head);
  }
  const { number } = await reader.now();
  end.number = number;
  const steps = (await following).filter(({ collection }) => collection === "bundles");
  assert.deepEqual(
    steps.map(({ id }) => id),
    Array.from({ length: number }, (_, index) => `a-${index + 1}`),
  );
});

test("commits of another process are heard of", async (t) => {
  const url = `sqlite:${await freshPath(t)}`;
  const store = await opener(t, url)();
  let seen = 0;
  store.watch(() => void store.now().then(({ number }) => (seen = Math.max(seen, number))));
  const child = start("chain-writer.ts", url, "a", "5");
  const exited = once(child, "exit");
  await until(async () => seen === 5);
  assert.deepEqual(await exited, [0, null]);
});

test("a lock that another process holds is said within seconds, and hinders no reader", async (t) => {
  const path = await freshPath(t);
  const open = opener(t, `sqlite:${path}`);
  const [store, reader] = [await open(), await open()];
  await store.commit([fact("a")]);
  const child = start("sqlite-lock.ts", path);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  const started = performance.now();
  const refused = assert.rejects(store.commit([fact("b")]), UNAVAILABLE);
  assert.equal((await reader.get("facts", "a"))?.number, 1);
  await refused;
  assert.ok(performance.now() - started < BOUND);
  child.stdin?.end();
  await once(child, "exit");
  assert.equal(done(await store.commit([fact("b")])).number, 2);
});

test("a thread that dies is started anew, and what it had not answered is unavailable", async (t) => {
  const workers: Worker[] = [];
  const path = await freshPath(t);
  const thread = new SqliteThread({ path, existing: false }, storeDeps(), (data) => {
    const worker = startSqliteWorker(data);
    workers.push(worker);
    return worker;
  });
  t.after(() => thread.close());
  const epoch = await thread.ask("epoch", {});
  const pending = assert.rejects(
    Promise.all(Array.from({ length: 50 }, () => thread.ask("figures", { nowMs: 0 }))),
    UNAVAILABLE,
  );
  await workers[0]?.terminate();
  await pending;
  await until(
    async () =>
      await thread.ask("epoch", {}).then(
        (same) => same === epoch,
        () => false,
      ),
  );
  assert.equal(workers.length, 2);
});

test("a thread that does not answer is given up, and so is a queue without end", async (t) => {
  const path = await freshPath(t);
  let silent: Worker | undefined;
  const timers: (() => void)[] = [];
  const deps = {
    ...storeDeps(),
    timers: {
      after: (_ms: number, run: () => void) => {
        timers.push(run);
        return () => undefined;
      },
    },
  };
  const thread = new SqliteThread({ path, existing: false }, deps, (data) => {
    silent = startSqliteWorker(data);
    silent.postMessage = () => undefined;
    return silent;
  });
  t.after(() => silent?.terminate());
  const asked = Array.from({ length: 2000 }, () =>
    assert.rejects(thread.ask("epoch", {}), UNAVAILABLE),
  );
  await assert.rejects(thread.ask("epoch", {}), { message: /too much to do/ });
  for (const run of timers) run();
  await Promise.all(asked);
});

test("openStore() makes file and folder for its owner only", async (t) => {
  const path = join(await temporaryFolder(t), "new", "store.db");
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const store = await opener(t, `sqlite:${path}`)();
  await store.commit([fact("a")]);
  for (const suffix of ["", "-wal", "-shm"]) {
    assert.equal(statSync(path + suffix).mode & 0o777, 0o600, suffix);
  }
  assert.equal(statSync(join(path, "..")).mode & 0o777, 0o700);
});

test("openStore() refuses what others can reach, and says what to do", async (t) => {
  const path = await freshPath(t);
  const open = opener(t, `sqlite:${path}`);
  await (await open()).close();
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(path, mode);
    await assert.rejects(open(), { ...FAILED, message: /chmod it to 0600/ });
  }
  chmodSync(path, 0o600);
  writeFileSync(`${path}-wal`, "", { mode: 0o600 });
  chmodSync(`${path}-wal`, 0o666);
  await assert.rejects(open(), { ...FAILED, message: /-wal has mode 0666/ });
  rmSync(`${path}-wal`);
  chmodSync(join(path, ".."), 0o1777);
  await assert.rejects(open(), { ...FAILED, message: /has mode 1777.*0700/ });
  chmodSync(join(path, ".."), 0o755);
  await open();
});

test("openStore() refuses links, folders and files of somebody else", async (t) => {
  const folder = await temporaryFolder(t);
  const refused = async (name: string): Promise<void> => {
    await assert.rejects(openStore(`sqlite:${join(folder, name)}`, storeDeps()), FAILED, name);
  };
  symlinkSync("/etc/passwd", join(folder, "link"));
  mkdirSync(join(folder, "folder"));
  writeFileSync(join(folder, "text"), "no database at all ".repeat(100), { mode: 0o600 });
  for (const name of ["link", "folder", "text"]) await refused(name);
  const other = new DatabaseSync(join(folder, "other"));
  other.exec("CREATE TABLE documents (a)");
  other.close();
  chmodSync(join(folder, "other"), 0o600);
  await refused("other");
  assert.equal(readFileSync(join(folder, "text"), "utf8").slice(0, 11), "no database");
});

test("openStore() refuses tables of a later version, and leaves them alone", async (t) => {
  const path = await freshPath(t);
  await (await opener(t, `sqlite:${path}`)()).close();
  const database = new DatabaseSync(path);
  database.exec("PRAGMA user_version = 99");
  database.close();
  const before = readFileSync(path);
  await assert.rejects(openStore(`sqlite:${path}`, storeDeps()), {
    ...FAILED,
    message: /version 99.*newer program/,
  });
  assert.ok(readFileSync(path).equals(before));
});

test("openStore() for what exists makes nothing and upgrades nothing", async (t) => {
  const path = await freshPath(t);
  const existing = openStore(`sqlite:${path}`, storeDeps(), { existing: true });
  await assert.rejects(existing, { ...FAILED, message: /is not there/ });
  assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
});

test("a damaged file is said to be damaged", async (t) => {
  const path = await freshPath(t);
  const store = await opener(t, `sqlite:${path}`)();
  for (let round = 0; round < 20; round += 1) {
    await store.commit(Array.from({ length: 100 }, (_, index) => fact(`${round}-${index}`)));
  }
  await store.close();
  const bytes = readFileSync(path);
  // All but the first two pages, which hold the schema and the counter.
  bytes.fill(0x55, 3 * 4096);
  writeFileSync(path, bytes);
  const damaged = await opener(t, `sqlite:${path}`)();
  await assert.rejects(damaged.list("facts", { limit: 10_000 }), FAILED);
});

test("a file that is replaced under a running store is noticed before anything is lost in it", async (t) => {
  const path = await freshPath(t);
  const store = await opener(t, `sqlite:${path}`)();
  await store.commit([fact("a")]);
  await store.close();
  const copy = `${path}.copy`;
  copyFileSync(path, copy);
  const running = await opener(t, `sqlite:${path}`)();
  await running.commit([fact("b")]);
  for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix);
  renameSync(path, `${path}.away`);
  chmodSync(copy, 0o600);
  renameSync(copy, path);
  await assert.rejects(running.commit([fact("c")]), { ...UNAVAILABLE, message: /replaced/ });
  assert.equal(done(await running.commit([fact("c")])).number, 2);
  assert.equal(await running.get("facts", "b"), undefined);
});

test("a full disk refuses commits, keeps what it has, and goes on when there is room", async (t) => {
  const disk = await mountDisk(t, "2m");
  if (disk === undefined) return;
  const store = await opener(t, `sqlite:${join(disk, "store.db")}`)();
  done(await store.commit([fact("first")]));
  writeFileSync(join(disk, "ballast"), Buffer.alloc(1024 * 1024));
  let kept = 1;
  await assert.rejects(async () => {
    for (;;) {
      await store.commit([fact(`f${kept}`, "x".repeat(50_000))]);
      kept += 1;
    }
  }, UNAVAILABLE);
  assert.equal((await store.get("facts", "first"))?.number, 1);
  assert.equal((await store.now()).number, kept);
  rmSync(join(disk, "ballast"));
  assert.equal(done(await store.commit([fact("last")])).number, kept + 1);
});

test("a disk that only reads is unavailable until it writes again", async (t) => {
  const disk = await mountDisk(t, "4m");
  if (disk === undefined) return;
  const open = opener(t, `sqlite:${join(disk, "store.db")}`);
  const store = await open();
  await store.commit([fact("a")]);
  await store.close();
  remount(disk, "ro");
  await assert.rejects(open(), UNAVAILABLE);
  remount(disk, "rw");
  assert.equal((await (await open()).get("facts", "a"))?.number, 1);
});

/** A file system in memory; undefined, said in the test's output, where none can be mounted. */
async function mountDisk(t: TestContext, size: string): Promise<string | undefined> {
  const disk = await mkdtemp(join(tmpdir(), "sallyport-store-disk-"));
  const options = `size=${size},mode=0700`;
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk]);
  if (mounted.status !== 0) {
    await rmdir(disk);
    t.diagnostic("skipped: mounting a small file system takes root");
    return undefined;
  }
  t.after(async () => {
    spawnSync("umount", ["--lazy", disk]);
    await rmdir(disk);
  });
  return disk;
}

function remount(disk: string, how: "ro" | "rw"): void {
  const result = spawnSync("mount", ["-o", `remount,${how}`, disk], { encoding: "utf8" });
  assert.equal(result.status, 0, result.stderr);
}
