import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { SallyportError } from "../model/errors.ts";
import { writeFileAtomic } from "./write-file.ts";

test("writeFileAtomic() replaces a file, and leaves nothing beside it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-write-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "a");
  await writeFileAtomic(path, "one");
  await writeFileAtomic(path, new Uint8Array([116, 119, 111]), { mode: 0o600 });
  assert.equal(readFileSync(path, "utf8"), "two");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ["a"]);
});

test("writeFileAtomic() names the file that cannot be written, and leaves nothing", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-write-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const failed = (path: string) => (error: unknown) =>
    error instanceof SallyportError && error.code === "io-failed" && error.message.includes(path);
  const absent = join(folder, "absent", "a");
  await assert.rejects(writeFileAtomic(absent, ""), failed(absent));
  // A folder cannot be replaced by a file.
  await assert.rejects(writeFileAtomic(folder, ""), failed(folder));
  assert.deepEqual(readdirSync(folder), []);
});

test("writeFileAtomic() names the file also where its folder is none", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-write-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "file");
  await writeFileAtomic(file, "");
  const message = `${file}/in cannot be written (ENOTDIR)`;
  await assert.rejects(writeFileAtomic(`${file}/in`, ""), { code: "io-failed", message });
});
