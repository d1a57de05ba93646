import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readFileBytes } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-files-"));
after(() => rmSync(folder, { recursive: true }));

const codeOf = (path: string): string => {
  try {
    readFileBytes(path);
    return "read";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "none";
  }
};

test("readFileBytes() reads a file, also through a link", () => {
  const file = join(folder, "file");
  writeFileSync(file, "hello");
  symlinkSync(file, join(folder, "link"));
  assert.equal(readFileBytes(file).toString(), "hello");
  assert.equal(readFileBytes(join(folder, "link")).toString(), "hello");
});

test("readFileBytes() refuses what may never end, at once", () => {
  const pipe = join(folder, "pipe");
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  assert.equal(codeOf(pipe), "not a regular file");
  assert.equal(codeOf("/dev/zero"), "not a regular file");
  assert.equal(codeOf(folder), "EISDIR");
  assert.equal(codeOf(join(folder, "absent")), "ENOENT");
});

test("readFileBytes() refuses a file beyond the limit", () => {
  const large = join(folder, "large");
  writeFileSync(large, "");
  truncateSync(large, 16 * 1024 * 1024 + 1);
  assert.equal(codeOf(large), "larger than 16777216 bytes");
});
