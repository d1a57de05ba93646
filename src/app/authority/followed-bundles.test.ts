import assert from "node:assert/strict";
import { test } from "node:test";
import type { Prepared } from "../prepare.ts";
import { FollowedBundles } from "./followed-bundles.ts";

/** Bundles whose name begins with "bad" give no configuration. */
function ground() {
  const seen: (string | undefined)[] = [];
  const kept: (readonly string[])[] = [];
  const bundles = new FollowedBundles({
    prepare(place) {
      seen.push(place);
      if (place?.includes("bad")) return Promise.reject(new Error("not for this proxy"));
      return Promise.resolve({ place } as unknown as Prepared);
    },
    unpack({ hash }, inUse) {
      kept.push(inUse);
      return Promise.resolve(`/bundles/${hash}`);
    },
  });
  const reload = async (): Promise<void> => void (await bundles.prepare());
  const take = (hash: string): Promise<void> => bundles.take(hash, new Uint8Array());
  return { bundles, seen, kept, reload, take };
}

void test("take() gives the first configuration to who waits for it", async () => {
  const { bundles, take } = ground();
  await take("a");
  assert.deepEqual(await bundles.first, { place: "/bundles/a" });
});

void test("take() waits for a first bundle that is good", async () => {
  const { bundles, take } = ground();
  await assert.rejects(take("bad"), /not for this proxy/);
  await take("a");
  assert.deepEqual(await bundles.first, { place: "/bundles/a" });
});

void test("take() puts a bundle that comes while the first is put in force into force after it", async () => {
  const { bundles, seen, reload, take } = ground();
  await take("a");
  const second = take("b");
  await new Promise(setImmediate);
  assert.deepEqual(seen, ["/bundles/a"], "nothing is composed with it yet");
  bundles.serve(reload);
  await second;
  assert.deepEqual(seen, ["/bundles/a", "/bundles/b"]);
});

void test("take() goes back to the bundle before where another does not do", async () => {
  const { bundles, seen, reload, take } = ground();
  await take("a");
  bundles.serve(reload);
  await assert.rejects(take("bad"), /not for this proxy/);
  await bundles.prepare();
  assert.deepEqual(seen.at(-1), "/bundles/a");
});

void test("take() keeps the bundle that is in force on the disk while another is tried", async () => {
  const { bundles, kept, reload, take } = ground();
  await take("a");
  bundles.serve(reload);
  await assert.rejects(take("bad"), /not for this proxy/);
  await take("b");
  await take("c");
  assert.deepEqual(kept, [[], ["a"], ["a"], ["b"]]);
});
