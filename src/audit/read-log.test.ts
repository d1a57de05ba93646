import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { temporaryFolder } from "../../test/audit-kit.ts";
import { logFiles, readLines } from "./read-log.ts";
import { RECORD_LIMITS } from "./serialize.ts";

async function linesOf(file: string): Promise<{ lines: string[]; overlong: number }> {
  const lines: string[] = [];
  let overlong = 0;
  for await (const batch of readLines(file)) {
    lines.push(...batch.lines);
    overlong += batch.overlong;
  }
  return { lines, overlong };
}

test("logFiles() lists the segments of a folder in order, or the file itself", async (context) => {
  const folder = await temporaryFolder(context);
  const names = [
    "audit-20261124T040506.123Z-17.jsonl",
    "audit-20261125T000000.000Z-17-2.jsonl",
    "audit-20261126T000000.000Z-9.jsonl.gz",
  ];
  for (const name of [...names.toReversed(), "values.key", "audit-1.jsonl", "notes.jsonl"]) {
    await writeFile(join(folder, name), "");
  }
  const all = names.map((name) => join(folder, name));
  assert.deepEqual(await logFiles(folder), all);
  assert.deepEqual(await logFiles(folder, Date.UTC(2026, 10, 25)), all.slice(0, 2));
  const one = join(folder, "notes.jsonl");
  assert.deepEqual(await logFiles(one), [one]);
});

test("logFiles() refuses what holds no log, by its name", async (context) => {
  const folder = await temporaryFolder(context);
  await mkdir(join(folder, "empty"));
  await assert.rejects(logFiles(join(folder, "empty")), {
    code: "audit-failed",
    message: /empty holds no audit-\*\.jsonl/,
  });
  await assert.rejects(logFiles(join(folder, "gone")), {
    code: "audit-failed",
    message: /gone cannot be read \(ENOENT\)/,
  });
  await assert.rejects(linesOf(join(folder, "gone")), { code: "audit-failed" });
});

test("readLines() gives whole lines wherever a read ends, and leaves out the torn one", async (context) => {
  const file = join(await temporaryFolder(context), "log.jsonl");
  // Some 3 MB, so that reads end within lines and within characters.
  const lines = Array.from(
    { length: 20_000 },
    (_, index) => `${index} ${"é€😀".repeat(index % 40)}`,
  );
  await writeFile(file, `${lines.join("\n")}\ntorn é`);
  assert.deepEqual(await linesOf(file), { lines, overlong: 0 });
  await writeFile(`${file}.gz`, gzipSync(await readFile(file)));
  assert.deepEqual(await linesOf(`${file}.gz`), { lines, overlong: 0 });
});

test("readLines() leaves out lines that are longer than a record, whatever their length", async (context) => {
  const file = join(await temporaryFolder(context), "log.jsonl");
  const limit = RECORD_LIMITS.line;
  const lengths = [limit + 1, limit * 3 + 10, 3 << 20];
  for (const length of lengths) {
    await writeFile(file, `first\n${"x".repeat(length)}\nlast\n`);
    assert.deepEqual(await linesOf(file), { lines: ["first", "last"], overlong: 1 }, `${length}`);
  }
  await writeFile(file, `${"x".repeat(limit)}\n`);
  assert.equal((await linesOf(file)).lines[0]?.length, limit);
  await writeFile(file, "");
  assert.deepEqual(await linesOf(file), { lines: [], overlong: 0 });
});
