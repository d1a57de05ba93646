import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { bundleHash, FeedStateFile } from "./feed-state-file.ts";

async function opened(
  t: TestContext,
): Promise<{ file: FeedStateFile; folder: string; path: string }> {
  const parent = await mkdtemp(join(tmpdir(), "sallyport-state-"));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, "feed");
  const file = new FeedStateFile(folder);
  assert.deepEqual(await file.read(), { floor: 0, bundle: "", lines: [] });
  return { file, folder, path: join(folder, "state") };
}

const line = (text: string): Buffer => Buffer.from(`${text}\n`);
const texts = (lines: readonly Buffer[]): string[] => lines.map(String);

test("FeedStateFile keeps frames and head, for nobody else to read", async (t) => {
  const { file, folder, path } = await opened(t);
  void file.replace({ floor: 5, bundle: "" }, [line("a"), line("b")]);
  void file.append([line("c")]);
  await file.append([line("d")]);
  const { floor, lines } = await file.read();
  assert.equal(floor, 5);
  assert.deepEqual(texts(lines), ["a", "b", "c", "d"]);
  await file.changeHead({ floor: 7, bundle: "" });
  const changed = await file.read();
  assert.equal(changed.floor, 7);
  assert.equal(changed.lostEpoch, undefined);
  assert.deepEqual(texts(changed.lines), ["a", "b", "c", "d"]);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
});

test("FeedStateFile keeps which epoch has lost commits", async (t) => {
  const { file } = await opened(t);
  await file.replace({ floor: 5, bundle: "", lostEpoch: "one" }, [line("a")]);
  assert.equal((await file.read()).lostEpoch, "one");
  await file.changeHead({ floor: 5, bundle: "" });
  assert.equal((await file.read()).lostEpoch, undefined);
});

test("FeedStateFile reads nothing of a line that was cut off", async (t) => {
  const { file, path } = await opened(t);
  await file.replace({ floor: 0, bundle: "" }, [line("a")]);
  await appendFile(path, "half a fra");
  assert.deepEqual(texts((await file.read()).lines), ["a"]);
});

test("FeedStateFile reads nothing where the head cannot be read", async (t) => {
  const { file, path } = await opened(t);
  for (const head of [
    "",
    "{}",
    '{"v":2}',
    '{"v":1,"floor":-0.5,"bundle":""}',
    '{"v":1,"floor":1,"bundle":"../x"}',
  ]) {
    await writeFile(path, `${head}\na\n`);
    assert.deepEqual(await file.read(), { floor: 0, bundle: "", lines: [] }, head);
  }
});

test("FeedStateFile goes on after a write that failed", async (t) => {
  const { file, folder } = await opened(t);
  await rm(folder, { recursive: true });
  await assert.rejects(file.replace({ floor: 0, bundle: "" }, [line("a")]));
  await file.read();
  await file.replace({ floor: 0, bundle: "" }, [line("b")]);
  assert.deepEqual(texts((await file.read()).lines), ["b"]);
});

test("FeedStateFile keeps the last bundle alone, and gives it only whole", async (t) => {
  const { file, folder } = await opened(t);
  const [one, two] = [Buffer.from("one"), Buffer.from("two")];
  await file.keepBundle(bundleHash(one), one);
  await file.keepBundle(bundleHash(two), two);
  assert.deepEqual(await readdir(folder), [bundleHash(two)]);
  assert.deepEqual(await file.bundle(bundleHash(two)), two);
  assert.equal(await file.bundle(bundleHash(one)), undefined);
  await writeFile(join(folder, bundleHash(two)), "twp");
  assert.equal(await file.bundle(bundleHash(two)), undefined);
});
