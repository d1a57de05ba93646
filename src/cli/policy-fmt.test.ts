import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { policyFmt } from "./policy-fmt.ts";

const PLAIN = `// Who reads.
@id("readers")
permit(principal,action,resource);
`;

function folderWith(context: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-fmt-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

test("policyFmt() names files with another form under check, and writes them without", async (context) => {
  const log = context.mock.method(console, "log", () => undefined);
  const folder = folderWith(context, { "a.cedar": PLAIN, "notes.txt": "x" });
  const file = join(folder, "a.cedar");
  const options = { config: "none.yaml", check: true };
  assert.equal(await policyFmt([folder], options), 1);
  assert.deepEqual(log.mock.calls.at(-1)?.arguments, [file]);
  assert.equal(readFileSync(file, "utf8"), PLAIN);

  assert.equal(await policyFmt([folder], { ...options, check: false }), 0);
  const after = readFileSync(file, "utf8");
  assert.notEqual(after, PLAIN);
  assert.match(after, /^\/\/ Who reads\.\n@id\("readers"\)\npermit \(/);
  assert.deepEqual(readdirSync(folder).toSorted(), ["a.cedar", "notes.txt"]);
  assert.equal(await policyFmt([file], options), 0, "it has the form now");
});

test("policyFmt() leaves a file that does not parse, and writes the others", async (context) => {
  context.mock.method(console, "log", () => undefined);
  const error = context.mock.method(console, "error", () => undefined);
  const broken = "permit (principal, action);\n";
  const folder = folderWith(context, { "a.cedar": PLAIN, "b.cedar": broken });
  assert.equal(await policyFmt([folder], { config: "none.yaml", check: false }), 1);
  assert.match(String(error.mock.calls[0]?.arguments[0]), /b\.cedar:1:\d+ /);
  assert.equal(readFileSync(join(folder, "b.cedar"), "utf8"), broken);
  assert.notEqual(readFileSync(join(folder, "a.cedar"), "utf8"), PLAIN);
});

test("policyFmt() refuses what cannot be read, is not UTF-8, or holds no policies", async (context) => {
  const folder = folderWith(context, {});
  const options = { config: "none.yaml", check: false };
  await assert.rejects(
    policyFmt([join(folder, "gone.cedar")], options),
    /cannot be read \(ENOENT\)/,
  );
  await assert.rejects(policyFmt([folder], options), /holds no \*\.cedar file/);
  writeFileSync(join(folder, "a.cedar"), Buffer.from([0x2f, 0x2f, 0xff]));
  await assert.rejects(policyFmt([folder], options), /is not UTF-8/);
});
