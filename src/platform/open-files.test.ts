import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openFilesLimit } from "./open-files.ts";

test("openFilesLimit() reads the soft limit, and knows nothing where nothing is said", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-limits-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "limits");
  const cases: readonly [text: string, limit: number | undefined][] = [
    ["Max open files            1024                 4096                 files     \n", 1024],
    ["Max open files            unlimited            unlimited            files     \n", Infinity],
    ["Max locked memory         65536                65536                bytes     \n", undefined],
    ["", undefined],
  ];
  for (const [text, limit] of cases) {
    writeFileSync(file, `Limit  Soft Limit  Hard Limit  Units\n${text}`);
    assert.equal(openFilesLimit(file), limit);
  }
  assert.equal(openFilesLimit(join(folder, "absent")), undefined);
});
