import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openLog, permit, readSegments, temporaryFolder } from "../../test/audit-kit.ts";
import { SallyportError } from "../model/errors.ts";
import { openAuditFolder } from "./folder.ts";
import { segmentName } from "./segment-names.ts";

/** No process has it: beyond the largest process id of Linux. */
const NOBODY = "4194999";

test("openAuditFolder() makes a folder and files that others cannot read", async (context) => {
  const { log, folder } = await openLog(context);
  log.decision(permit());
  await log.close();
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const name of await readdir(folder)) {
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
  }
});

for (const mode of [0o750, 0o701, 0o720]) {
  test(`openAuditFolder() refuses a folder of mode ${mode.toString(8)}`, async (context) => {
    const folder = join(await temporaryFolder(context), "audit");
    await mkdir(folder);
    await chmod(folder, mode);
    await assert.rejects(openAuditFolder(folder), failsWith(/chmod it to 0700/));
  });
}

test("openAuditFolder() refuses what is not a folder", async (context) => {
  const path = join(await temporaryFolder(context), "audit");
  await writeFile(path, "");
  await assert.rejects(openAuditFolder(path), failsWith(/cannot be opened/));
});

test("openAuditFolder() keeps one key, also when several open the folder at once", async (context) => {
  const folder = join(await temporaryFolder(context), "audit");
  const opened = await Promise.all(Array.from({ length: 8 }, () => openAuditFolder(folder)));
  const keys = new Set(opened.map(({ key }) => Buffer.from(key).toString("hex")));
  assert.equal(keys.size, 1);
  assert.equal(Buffer.from((await openAuditFolder(folder)).key).toString("hex"), [...keys][0]);
  assert.deepEqual(await readdir(folder), ["values.key"]);
});

test("openAuditFolder() refuses a key that others can read, that is short, or that is a link", async (context) => {
  const folder = join(await temporaryFolder(context), "audit");
  await openAuditFolder(folder);
  const key = join(folder, "values.key");
  await chmod(key, 0o640);
  await assert.rejects(openAuditFolder(folder), failsWith(/chmod it to 0600/));
  await chmod(key, 0o600);
  await truncate(key, 16);
  await assert.rejects(openAuditFolder(folder), failsWith(/16 bytes/));
  const other = join(await temporaryFolder(context), "audit");
  await mkdir(other, { mode: 0o700 });
  await symlink(key, join(other, "values.key"));
  await assert.rejects(openAuditFolder(other), failsWith(/ELOOP/));
  await unlink(join(other, "values.key"));
  assert.equal(spawnSync("mkfifo", ["-m", "600", join(other, "values.key")]).status, 0);
  await assert.rejects(openAuditFolder(other), failsWith(/is not a file/));
});

test("openAuditFolder() finds torn ends, but not in a file that somebody may be writing", async (context) => {
  const folder = join(await temporaryFolder(context), "audit");
  await mkdir(folder, { mode: 0o700 });
  const before = Date.now() - 86_400_000;
  const files: [instance: string, startMs: number, text: string][] = [
    [NOBODY, before, '{"a":1}\n{"b"'],
    [`${NOBODY}-w2`, before, '{"a":1}\n'],
    [NOBODY, before + 1, ""],
    [NOBODY, before + 2, "{"],
    [String(process.pid), before, '{"a":1}\n{"of an earlier start'],
    [`${process.pid}-w3`, Date.now() + 1000, '{"of a sibling'],
    [String(process.ppid), before, '{"of a living process'],
  ];
  for (const [instance, startMs, text] of files) {
    await writeFile(join(folder, segmentName(startMs, instance)), text);
  }
  await writeFile(join(folder, "notes.txt"), "no line feed");
  const { torn } = await openAuditFolder(folder);
  assert.deepEqual(
    torn,
    [
      { file: segmentName(before, NOBODY), bytes: 4 },
      { file: segmentName(before, String(process.pid)), bytes: 21 },
      { file: segmentName(before + 2, NOBODY), bytes: 1 },
    ].toSorted((a, b) => (a.file < b.file ? -1 : 1)),
  );
});

test("createAuditLog() never writes into a file that is there", async (context) => {
  const first = await openLog(context);
  first.log.decision(permit({ requestId: "first" }));
  await first.log.close();
  const second = await openLog(context, {}, { folder: first.folder });
  second.log.decision(permit({ requestId: "second" }));
  await second.log.close();
  const segments = await readSegments(first.folder);
  assert.deepEqual(
    segments.map(({ text }) => /"requestId":"(\w+)"/.exec(text)?.[1]),
    ["first", "second"],
  );
  assert.equal((await readFile(join(first.folder, "values.key"))).length, 32);
});

function failsWith(message: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof SallyportError && error.code === "audit-failed" && message.test(error.message);
}
