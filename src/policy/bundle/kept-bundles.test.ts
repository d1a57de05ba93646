import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isKept, keepBundle, keptBundlesFolder, readKeptBundle } from "./kept-bundles.ts";
import { encodePolicyBundle } from "./policy-bundle.ts";

const VOCABULARY = { authenticators: [], services: [], routes: [] };

function bundleOf(text: string): ReturnType<typeof encodePolicyBundle> {
  return encodePolicyBundle({ files: [{ name: "a.cedar", text }], vocabulary: VOCABULARY });
}

function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "kept-bundles-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return keptBundlesFolder(folder);
}

test("keepBundle() keeps a bundle under its hash, for nobody else to read", (context) => {
  const folder = folderOf(context);
  const bundle = bundleOf("permit (principal, action, resource);");
  assert.equal(isKept(folder, bundle.hash), false);
  keepBundle(folder, bundle);
  keepBundle(folder, bundle);
  assert.equal(isKept(folder, bundle.hash), true);
  assert.deepEqual(readdirSync(folder), [`${bundle.hash}.json`]);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, `${bundle.hash}.json`)).mode & 0o777, 0o600);
  assert.deepEqual(readKeptBundle(folder, bundle.hash)?.files, [
    { name: "a.cedar", text: "permit (principal, action, resource);" },
  ]);
});

test("keepBundle() writes anew what is not whole, and keeps what was in force last of a thousand", (context) => {
  const folder = folderOf(context);
  const first = bundleOf("// first");
  keepBundle(folder, first);
  writeFileSync(join(folder, `${first.hash}.json`), "{");
  keepBundle(folder, first);
  assert.ok(readKeptBundle(folder, first.hash) !== undefined);
  for (let index = 0; index < 1000; index++) {
    const path = join(folder, `sha256-${String(index).padStart(43, "x")}.json`);
    writeFileSync(path, "{}");
    utimesSync(path, index, index);
  }
  const last = bundleOf("// last");
  keepBundle(folder, last);
  const names = readdirSync(folder);
  assert.equal(names.length, 1000);
  for (const { hash } of [first, last]) assert.ok(names.includes(`${hash}.json`));
  assert.ok(!names.includes(`sha256-${"0".padStart(43, "x")}.json`));
});

test("readKeptBundle() refuses bytes of another hash, and looks for nothing that is no hash", (context) => {
  const folder = folderOf(context);
  const bundle = bundleOf("// one");
  keepBundle(folder, bundle);
  writeFileSync(join(folder, `${bundle.hash}.json`), bundleOf("// two").bytes);
  assert.throws(() => readKeptBundle(folder, bundle.hash), { code: "policy-invalid" });
  assert.equal(readKeptBundle(folder, bundleOf("// three").hash), undefined);
  assert.equal(readKeptBundle(folder, `../../${bundle.hash}`), undefined);
});
