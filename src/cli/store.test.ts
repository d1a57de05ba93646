import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKek, createSealer, sealContext } from "../crypto/seal.ts";
import { openStore } from "../store/open-store.ts";
import type { OpenStore } from "../store/store-deps.ts";
import { systemClock } from "../platform/clock.ts";
import { systemTimers } from "../platform/timers.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { main } from "./main.ts";
import { recordedLog } from "../../test/ports.ts";
import { postgres } from "../../test/postgres.ts";
import { loadSqliteFixture } from "../../test/store/fixture.ts";

interface Ground {
  readonly folder: string;
  readonly url: string;
  readonly keys: { readonly old: Buffer; readonly new: Buffer };
  /** Runs `sallyport store …`. */
  readonly run: (...args: string[]) => Promise<Ended>;
  /** Runs `sallyport check`. */
  readonly check: () => Promise<Ended>;
  /** Writes the configuration anew. */
  readonly configure: (authority: string) => void;
  readonly open: () => Promise<OpenStore>;
}

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function ground(t: TestContext, url?: string): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-cli-store-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  assert.equal((await captured("init", "--dir", folder)).status, 0);
  const config = join(folder, "sallyport.yaml");
  const base = readFileSync(config, "utf8");
  const keys = { old: randomBytes(32), new: randomBytes(32) };
  for (const [name, key] of Object.entries(keys)) {
    writeFileSync(join(folder, `${name}.kek`), key.toString("base64url"), { mode: 0o600 });
  }
  const configure = (authority: string): void => writeFileSync(config, `${base}\n${authority}`);
  configure(authorityYaml(url ?? "sqlite:data/sallyport.db", "{ file: old.kek }"));
  return {
    folder,
    url: url ?? `sqlite:${join(folder, "data/sallyport.db")}`,
    keys,
    configure,
    check: async () => await captured("check", "-c", config),
    run: async (...args) => await captured("store", ...args, "-c", config),
    open: async () =>
      await openStore(url ?? `sqlite:${join(folder, "data/sallyport.db")}`, {
        clock: systemClock,
        timers: systemTimers,
        log: recordedLog(),
        metrics: createMetrics(),
      }),
  };
}

/** In this process: starting seventeen takes longer than all that they do. */
async function captured(...args: string[]): Promise<Ended> {
  const lines = { stdout: [] as string[], stderr: [] as string[] };
  const { log, error } = console;
  console.log = (...parts: unknown[]) => lines.stdout.push(parts.join(" "));
  console.error = (...parts: unknown[]) => lines.stderr.push(parts.join(" "));
  try {
    const status = await main(args);
    return { status, stdout: lines.stdout.join("\n"), stderr: lines.stderr.join("\n") };
  } finally {
    console.log = log;
    console.error = error;
  }
}

function authorityYaml(store: string, key: string): string {
  return `authority:
  issuer: https://sallyport.example.com
  store: ${store}
  keyEncryptionKey: ${key}
`;
}

test("sallyport store status, backup and restore go together", async (t) => {
  const { folder, run, open } = await ground(t);
  const copy = join(folder, "copy.db");
  const absent = await run("status");
  assert.equal(absent.status, 2);
  assert.match(absent.stderr, /is not there; the first `sallyport run` makes it/);
  assert.ok(!existsSync(join(folder, "data")));

  const store = await open();
  await store.commit([{ collection: "facts", id: "a", body: { value: 1 } }]);
  const epoch = await store.epoch();
  const status = await run("status");
  assert.equal(status.status, 0, status.stderr);
  assert.match(status.stdout, /^engine +sqlite$/m);
  assert.match(status.stdout, /^number +1$/m);
  assert.match(status.stdout, /^facts +1$/m);
  assert.match(status.stdout, /^revocations +0$/m);

  const backup = await run("backup", copy);
  assert.equal(backup.status, 0, backup.stderr);
  assert.match(backup.stdout, new RegExp(`copy.db: number 1 of epoch ${epoch}, schema \\d`));
  assert.match((await run("backup", copy)).stderr, /is there already/);
  await store.commit([{ collection: "facts", id: "a", body: { value: 2 } }]);

  assert.match((await run("restore", copy)).stderr, /--replace/);
  const inUse = await run("restore", copy, "--replace");
  assert.equal(inUse.status, 2);
  assert.match(inUse.stderr, /in use/);
  await store.close();
  const restore = await run("restore", copy, "--replace");
  assert.equal(restore.status, 0, restore.stderr);
  assert.match(restore.stdout, /revoked again/);
  assert.match(restore.stdout, /keys rotate all --emergency/);
  assert.match(restore.stdout, /key of the feed is replaced/);
  const restored = await open();
  assert.equal((await restored.get("facts", "a"))?.body?.["value"], 1);
  assert.notEqual(await restored.epoch(), epoch);
  await restored.close();
});

test("sallyport store rewrap seals anew, and says what it cannot open", async (t) => {
  const { run, configure, keys, open } = await ground(t);
  const [older, newer] = [createKek(keys.old), createKek(keys.new)];
  const before = createSealer({ current: older, previous: [] });
  const context = sealContext("signing-keys", "k", "sealed");
  const store = await open();
  const sealed = before.seal(Buffer.from("secret"), context);
  await store.commit([{ collection: "signing-keys", id: "k", body: { sealed } }]);

  configure(authorityYaml("sqlite:data/sallyport.db", "{ file: new.kek }"));
  const without = await run("rewrap");
  assert.equal(without.status, 1, without.stderr);
  assert.match(without.stdout, new RegExp(`signing-keys/k: .*${older.id}`));

  const both = "{ file: new.kek, previous: [{ file: old.kek }] }";
  configure(authorityYaml("sqlite:data/sallyport.db", both));
  const rewrap = await run("rewrap");
  assert.equal(rewrap.status, 0, rewrap.stderr + rewrap.stdout);
  assert.match(rewrap.stdout, /1 documents, 1 sealed anew, 0 that do not open/);
  assert.match((await run("rewrap")).stdout, /1 documents, 0 sealed anew/);
  const text = (await store.get("signing-keys", "k"))?.body?.["sealed"] as string;
  const after = createSealer({ current: newer, previous: [] });
  assert.equal(after.open(text, context).toString(), "secret");
  await store.close();
});

test("sallyport store new-epoch is for Postgres, as backup is not", async (t) => {
  const server = await postgres(t);
  if (server === undefined) return;
  const { folder, run, open } = await ground(t, server.url);
  const copy = join(folder, "copy.db");
  const none = await run("status");
  assert.equal(none.status, 2);
  assert.match(none.stderr, /holds no store/);
  const store = await open();
  t.after(() => store.close());
  const before = await store.epoch();
  assert.match((await run("status")).stdout, /^engine +postgres$/m);
  const result = await run("new-epoch");
  assert.equal(result.status, 0, result.stderr);
  assert.notEqual(await store.epoch(), before);
  assert.match(result.stdout, new RegExp(await store.epoch()));
  assert.match(result.stdout, /key of the feed is replaced/);
  for (const command of ["backup", "restore"]) {
    const refused = await run(command, copy);
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /the store is in Postgres/);
  }
  await server.stop();
  const away = await run("status");
  assert.equal(away.status, 2);
  assert.match(away.stderr, /cannot be reached \(ECONNREFUSED\)/);
  assert.ok(!`${away.stdout}${away.stderr}`.includes("loopback-only"), "the password is no news");
});

test("sallyport store refuses a configuration that keeps no state", async (t) => {
  const { run, configure } = await ground(t);
  configure("");
  const refused = await run("status");
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /keeps no state/);
});

test("sallyport check finds a key-encryption key that does not open the store", async (t) => {
  const { run, check, configure, keys, open } = await ground(t);
  assert.equal((await check()).status, 0, "there is no store yet");
  assert.match((await run("status")).stderr, /is not there/, "and a check makes none");
  const store = await open();
  const sealer = createSealer({ current: createKek(keys.old), previous: [] });
  const sealed = sealer.seal(Buffer.from("s"), sealContext("signing-keys", "k", "sealed"));
  await store.commit([{ collection: "signing-keys", id: "k", body: { sealed } }]);
  const { number } = await store.now();
  assert.equal((await check()).status, 0);
  configure(authorityYaml("sqlite:data/sallyport.db", "{ file: new.kek }"));
  const other = await check();
  assert.equal(other.status, 1);
  assert.match(other.stdout, new RegExp(`signing-keys/k.*${createKek(keys.old).id}`));
  const both = "{ file: new.kek, previous: [{ file: old.kek }] }";
  configure(authorityYaml("sqlite:data/sallyport.db", both));
  assert.equal((await check()).status, 0);
  configure(authorityYaml("sqlite:data/sallyport.db", "{ command: [/bin/false] }"));
  const command = await check();
  assert.equal(command.status, 0, command.stdout);
  assert.match(command.stdout, /not looked at: .*a command prints it/);
  assert.equal((await store.now()).number, number);
  await store.close();
});

test("sallyport check connects to no Postgres, and says so", async (t) => {
  const { check } = await ground(t, "postgres://u@127.0.0.1:1/gate?sslmode=disable");
  const { status, stdout } = await check();
  assert.equal(status, 0, stdout);
  assert.match(stdout, /not looked at: whether the store can be reached/);
});

test("sallyport check leaves a store of an earlier version as it is, and calls it no fault", async (t) => {
  const { folder, check, run } = await ground(t);
  mkdirSync(join(folder, "data"), { mode: 0o700 });
  loadSqliteFixture(join(folder, "data/sallyport.db"), 1);
  chmodSync(join(folder, "data/sallyport.db"), 0o600);
  for (const time of ["first", "again"]) {
    const { status, stdout } = await check();
    assert.equal(status, 0, `${time}: ${stdout}`);
    assert.match(stdout, /not looked at: .*tables of version 1/);
  }
  assert.match((await run("status")).stderr, /tables of version 1/);
});
