/** Sealing a store anew under another key: whole, while it is used, again and again. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createKek, createSealer, type Sealer, sealContext } from "../../src/crypto/seal.ts";
import type { Store, Write } from "../../src/model/store.ts";
import { rewrapStore } from "../../src/store/rewrap.ts";
import { fact } from "./contract.ts";
import { opener, temporaryFolder } from "./kit.ts";

const OLD = createKek(Buffer.alloc(32, 1));
const NEW = createKek(Buffer.alloc(32, 2));
const before = createSealer({ current: OLD, previous: [] });
const between = createSealer({ current: NEW, previous: [OLD] });
const after = createSealer({ current: NEW, previous: [] });

async function openFresh(t: TestContext): Promise<Store> {
  return await opener(t, `sqlite:${join(await temporaryFolder(t), "store.db")}`)();
}

function secret(sealer: Sealer, id: string): Write {
  const at = (field: string): string =>
    sealer.seal(Buffer.from(`secret of ${id}`), sealContext("signing-keys", id, field));
  const body = {
    open: 1,
    sealed: at("sealed"),
    deep: { list: ["plain", { k: at("deep.list.1.k") }] },
  };
  return { collection: "signing-keys", id, body };
}

async function secretsOf(store: Store, sealer: Sealer, id: string): Promise<string[]> {
  const body = JSON.parse(JSON.stringify((await store.get("signing-keys", id))?.body)) as {
    readonly sealed: string;
    readonly deep: { readonly list: readonly [string, { readonly k: string }] };
  };
  const open = (text: string, field: string): string =>
    sealer.open(text, sealContext("signing-keys", id, field)).toString();
  return [open(body.sealed, "sealed"), open(body.deep.list[1].k, "deep.list.1.k")];
}

test("rewrapStore() seals everything under the current key, and leaves all else as it is", async (t) => {
  const store = await openFresh(t);
  const { timeMs } = await store.now();
  const expiresMs = timeMs + 3_600_000;
  await store.commit([fact("plain"), secret(before, "a"), { ...secret(before, "b"), expiresMs }]);
  const progress: number[] = [];
  const result = await rewrapStore(store, between, ({ looked }) => progress.push(looked));
  assert.deepEqual(result, { looked: 3, rewrapped: 2, failed: [] });
  assert.equal(progress.at(-1), 3);
  for (const id of ["a", "b"]) {
    assert.deepEqual(await secretsOf(store, after, id), [`secret of ${id}`, `secret of ${id}`]);
  }
  assert.equal((await store.get("signing-keys", "b"))?.expiresMs, expiresMs);
  assert.equal((await store.get("facts", "plain"))?.number, 1);
  // There is nothing left to do.
  const { number } = await store.now();
  assert.equal((await rewrapStore(store, between)).rewrapped, 0);
  assert.equal((await store.now()).number, number);
});

test("rewrapStore() goes on from where it was interrupted", async (t) => {
  const store = await openFresh(t);
  await store.commit(["a", "b", "c"].map((id) => secret(before, id)));
  let commits = 0;
  const failing: Store = {
    ...bound(store),
    commit: async (writes) => {
      if ((commits += 1) > 1) throw new Error("the machine went away");
      return await store.commit(writes);
    },
  };
  await assert.rejects(rewrapStore(failing, between), /went away/);
  assert.equal((await rewrapStore(store, between)).rewrapped, 2);
  for (const id of ["a", "b", "c"]) await secretsOf(store, after, id);
});

test("rewrapStore() keeps what somebody else wrote meanwhile", async (t) => {
  const store = await openFresh(t);
  await store.commit([secret(before, "a"), secret(before, "b")]);
  const busy: Store = {
    ...bound(store),
    commit: async (writes) => {
      const [write] = writes;
      // Between reading and writing, each document is written, and one of them removed.
      const num = (await store.now()).number;
      if (num === 1 && write !== undefined) {
        const other = { ...secret(before, "a"), body: { ...secret(before, "a").body, open: 2 } };
        await store.commit([other, { collection: "signing-keys", id: "b", body: undefined }]);
      }
      return await store.commit(writes);
    },
  };
  const result = await rewrapStore(busy, between);
  assert.equal(result.rewrapped, 1);
  assert.equal((await store.get("signing-keys", "a"))?.body?.["open"], 2);
  await secretsOf(store, after, "a");
  assert.equal(await store.get("signing-keys", "b"), undefined);
});

test("rewrapStore() names what does not open, and goes on with the rest", async (t) => {
  const store = await openFresh(t);
  const moved = { ...secret(before, "a"), id: "moved" };
  const forged = {
    collection: "revocations",
    id: "r",
    body: { reason: "sealed:v1:nonsense" },
  } as const;
  await store.commit([moved, secret(before, "z"), forged]);
  const { rewrapped, failed } = await rewrapStore(store, between);
  assert.equal(rewrapped, 1);
  assert.deepEqual(failed.map(({ place }) => place).toSorted(), [
    "revocations/r",
    "signing-keys/moved",
  ]);
  await secretsOf(store, after, "z");
  const without = await rewrapStore(store, createSealer({ current: OLD, previous: [] }));
  assert.match(without.failed.map(({ message }) => message).join("\n"), new RegExp(NEW.id));
});

/** Its verbs, to put others in the place of some. */
function bound(store: Store): Store {
  return {
    epoch: () => store.epoch(),
    get: (collection, id) => store.get(collection, id),
    list: (collection, options) => store.list(collection, options),
    changes: (since, limit) => store.changes(since, limit),
    now: () => store.now(),
    commit: (writes) => store.commit(writes),
    watch: (changed) => store.watch(changed),
    purge: (keepRemovalsMs) => store.purge(keepRemovalsMs),
    close: () => store.close(),
  };
}
