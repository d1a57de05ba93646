import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ManualClock } from "../../platform/clock.ts";
import { recordedLog } from "../../../test/ports.ts";
import { createMemoryStore, type MemoryStore } from "../../../test/store/memory.ts";
import {
  type Bundle,
  type BundleRegister,
  createBundleRegister,
  type Publication,
} from "./bundle-register.ts";

function bundle(text: string): Bundle {
  const bytes = Buffer.from(text);
  return { hash: `sha256-${createHash("sha256").update(bytes).digest("base64url")}`, bytes };
}

function publication(text: string, proxy = "*"): Publication {
  return {
    hash: bundle(`whole ${text}`).hash,
    parts: [{ proxy, services: "all", bundle: bundle(text) }],
  };
}

interface Ground {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly open: () => Promise<BundleRegister>;
}

function ground(): Ground {
  const clock = new ManualClock(1_000_000);
  const store = createMemoryStore(clock);
  const open = async (): Promise<BundleRegister> => {
    const register = createBundleRegister({ store, clock, log: recordedLog() });
    await register.start();
    return register;
  };
  return { clock, store, open };
}

const START = { by: "authority-1", how: "start" } as const;
const ASKED = { by: "user:ann", how: "asked" } as const;

void test("publish() puts a bundle in force, on every authority over the store", async () => {
  const { open } = ground();
  const [one, other] = [await open(), await open()];
  const heard = Promise.withResolvers<void>();
  other.changed(() => heard.resolve());
  assert.equal(await one.publish(publication("a"), START), "published");
  await heard.promise;
  const wanted = [{ proxy: "*", services: "all", bundle: bundle("a").hash, bytes: 1 }];
  assert.deepEqual(other.assignments(), wanted);
  assert.deepEqual((await other.bytes(bundle("a").hash))?.toString(), "a");
  assert.deepEqual((await open()).assignments(), wanted, "and after a start");
});

void test("the log says that a bundle is published when it is, and not at each start", async () => {
  const { clock, store } = ground();
  const start = async () => {
    const log = recordedLog();
    const register = createBundleRegister({ store, clock, log });
    await register.start();
    await register.publish(publication("a"), START);
    register.close();
    return log.lines.map((line) => line.slice(0, line.indexOf(" {")));
  };
  assert.deepEqual(await start(), ["info a bundle is published"]);
  assert.deepEqual(await start(), ["info the published bundle is known"]);
});

void test("publish() says unchanged for what is in force, and writes nothing", async () => {
  const { open, store } = ground();
  const register = await open();
  await register.publish(publication("a"), START);
  const before = (await store.now()).number;
  assert.equal(await register.publish(publication("a"), ASKED), "unchanged");
  assert.equal((await store.now()).number, before);
});

void test("publish() at a start does not put back what was replaced; asked, it does", async () => {
  const { open } = ground();
  const register = await open();
  await register.publish(publication("old"), START);
  await register.publish(publication("new"), ASKED);
  const late = await open();
  assert.equal(await late.publish(publication("old"), START), "outdated");
  assert.equal(late.assignments()[0]?.bundle, bundle("new").hash);
  assert.equal(await late.publish(publication("old"), ASKED), "published");
  assert.equal(late.assignments()[0]?.bundle, bundle("old").hash);
});

void test("publish() knows what another authority has published, whatever else stands in its own file", async () => {
  const { open } = ground();
  const [one, other] = [await open(), await open()];
  await one.publish(publication("a"), START);
  const own = { ...publication("a"), hash: bundle("of other addresses").hash };
  assert.equal(await other.publish(own, START), "unchanged");
  await one.publish(publication("b"), ASKED);
  assert.equal(await other.publish({ ...publication("b"), hash: own.hash }, ASKED), "unchanged");
  assert.equal(await other.publish(own, START), "outdated");
});

void test("publish() takes a change of who gets what for a change", async () => {
  const { open } = ground();
  const register = await open();
  await register.publish(publication("a", "*"), START);
  assert.equal(await register.publish(publication("a", "edge-*"), ASKED), "published");
  assert.equal(register.assignments()[0]?.proxy, "edge-*");
});

void test("publish() of two authorities at once ends with one of them in force on both", async () => {
  const { open } = ground();
  const [one, other] = [await open(), await open()];
  await Promise.all([one.publish(publication("a"), ASKED), other.publish(publication("b"), ASKED)]);
  const third = await open();
  assert.equal(third.list().length, 2, "neither was lost");
  assert.deepEqual(
    third.list().map(({ inForce }) => inForce),
    [true, false],
  );
});

void test("publish() forgets bundles that no remembered publication names", async () => {
  const { open, store } = ground();
  const register = await open();
  for (let index = 0; index < 25; index++) {
    await register.publish(publication(`bundle ${index}`), ASKED);
  }
  assert.equal(register.list().length, 20);
  assert.equal(await register.bytes(bundle("bundle 4").hash), undefined);
  assert.equal((await register.bytes(bundle("bundle 5").hash))?.toString(), "bundle 5");
  assert.equal((await store.list("bundles", { limit: 100 })).length, 21);
});

void test("publish() rejects with store-unavailable and changes nothing while the store is away", async () => {
  const { open, store } = ground();
  const register = await open();
  await register.publish(publication("a"), START);
  store.away = true;
  await assert.rejects(register.publish(publication("b"), ASKED), { code: "store-unavailable" });
  assert.equal(register.assignments()[0]?.bundle, bundle("a").hash);
  store.away = false;
  assert.equal(await register.publish(publication("b"), ASKED), "published");
});

void test("start() rejects with store-failed where the history cannot be read", async () => {
  const { open, store } = ground();
  await store.commit([{ collection: "bundles", id: "in-force", body: { history: [{ hash: 1 }] } }]);
  await assert.rejects(open(), { code: "store-failed" });
});

void test("bytes() gives nothing for what is no hash of a bundle", async () => {
  const { open } = ground();
  const register = await open();
  await register.publish(publication("a"), START);
  assert.equal(await register.bytes("in-force"), undefined);
  assert.equal(await register.bytes("../secrets"), undefined);
});
