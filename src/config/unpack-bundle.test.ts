import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Bundle, digestOf, encodeBundle } from "./bundle.ts";
import { keptBundle, newestBundle, readUnpacked, unpackBundle } from "./unpack-bundle.ts";

const FILE = Buffer.from("-----BEGIN CERTIFICATE-----\n");

/** Bundles that differ in one name. */
function bundleOf(name: string): Bundle {
  return encodeBundle({
    format: 1,
    services: { [name]: { endpoints: ["http://127.0.0.1:9001"], tls: { ca: "ca.pem" } } },
    routes: [],
    authenticators: {},
    limits: {},
    policies: [],
    words: { authenticators: {}, services: {}, routes: [] },
    links: [{ at: ["services", name, "tls", "ca"], digest: digestOf(FILE) }],
    files: { [digestOf(FILE)]: FILE.toString("base64") },
  });
}

function folderOf(context: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-unpack-"));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "bundles");
}

/** Two in one millisecond would have no order. */
function age(folder: string, hash: string, seconds: number): void {
  const then = new Date(Date.now() - seconds * 1000);
  utimesSync(join(folder, hash), then, then);
}

test("unpackBundle() keeps bytes and files to itself", async (context) => {
  const folder = folderOf(context);
  const bundle = bundleOf("a");
  const place = await unpackBundle(bundle, { folder });
  assert.deepEqual(readFileSync(join(place, "bundle.json")), Buffer.from(bundle.bytes));
  assert.deepEqual(readFileSync(join(place, "files", digestOf(FILE))), FILE);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(place).mode & 0o777, 0o700);
  assert.equal(statSync(join(place, "bundle.json")).mode & 0o777, 0o600);
  assert.equal(statSync(join(place, "files", digestOf(FILE))).mode & 0o777, 0o600);
  assert.equal(keptBundle(folder, bundle.hash), place);
  assert.equal(await newestBundle(folder), place);
});

test("unpackBundle() refuses bytes of another hash, and leaves nothing", async (context) => {
  const folder = folderOf(context);
  const { hash } = bundleOf("a");
  const { bytes } = bundleOf("b");
  await assert.rejects(unpackBundle({ hash, bytes }, { folder }), { code: "feed-failed" });
  assert.equal(existsSync(folder), false);
});

test("unpackBundle() replaces what a crash or somebody else left under the name", async (context) => {
  const folder = folderOf(context);
  const bundle = bundleOf("a");
  for (const damage of [
    (place: string) => writeFileSync(join(place, "bundle.json"), "{}"),
    (place: string) => writeFileSync(join(place, "files", digestOf(FILE)), "other"),
    (place: string) => rmSync(join(place, "files"), { recursive: true }),
  ]) {
    const place = await unpackBundle(bundle, { folder });
    damage(place);
    assert.equal(keptBundle(folder, bundle.hash), undefined);
    await unpackBundle(bundle, { folder });
    assert.deepEqual(readFileSync(join(place, "files", digestOf(FILE))), FILE);
    assert.deepEqual(Object.keys(readUnpacked(place).content.services), ["a"]);
  }
});

test("unpackBundle() clears what was not finished, and all but two and those in use", async (context) => {
  const folder = folderOf(context);
  const [running, failed, older, newest] = ["a", "b", "c", "d"].map(bundleOf);
  assert.ok(running && failed && older && newest);
  for (const [at, bundle] of [running, failed, older].entries()) {
    await unpackBundle(bundle, { folder, inUse: [running.hash] });
    age(folder, bundle.hash, 100 - at);
  }
  mkdirSync(join(folder, ".unfinished-x"));
  await unpackBundle(newest, { folder, inUse: [running.hash] });
  const expected = [running.hash, older.hash, newest.hash];
  assert.deepEqual(readdirSync(folder).toSorted(), expected.toSorted());
  // One that comes back is the newest again.
  await unpackBundle(running, { folder });
  assert.deepEqual(readdirSync(folder).toSorted(), [running.hash, newest.hash].toSorted());
  assert.equal(await newestBundle(folder), join(folder, running.hash));
});

test("unpackBundle() knows the newest where the clock was put back", async (context) => {
  const folder = folderOf(context);
  const [first, second] = ["a", "b"].map(bundleOf);
  assert.ok(first && second);
  await unpackBundle(first, { folder });
  age(folder, first.hash, -3600);
  await unpackBundle(second, { folder });
  assert.equal(await newestBundle(folder), join(folder, second.hash));
});

test("readUnpacked() refuses a bundle that was changed on disk", async (context) => {
  const folder = folderOf(context);
  const place = await unpackBundle(bundleOf("a"), { folder });
  writeFileSync(join(place, "bundle.json"), bundleOf("b").bytes);
  assert.throws(() => readUnpacked(place), { code: "feed-failed" });
});

test("keptBundle() takes no name that is not a hash", (context) => {
  const folder = folderOf(context);
  assert.equal(keptBundle(folder, "../../etc"), undefined);
  assert.equal(keptBundle(folder, ""), undefined);
});

test("unpackBundle() says when the disk refuses", async (context) => {
  const folder = folderOf(context);
  mkdirSync(join(folder, ".."), { recursive: true });
  writeFileSync(folder, "a file");
  await assert.rejects(unpackBundle(bundleOf("a"), { folder }), { code: "io-failed" });
});
