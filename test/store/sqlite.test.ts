/** The contract on SQLite. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { testStoreContract } from "./contract.ts";
import { opener, temporaryFolder } from "./kit.ts";

testStoreContract("sqlite", async (t) => {
  const folder = await temporaryFolder(t);
  return { open: opener(t, `sqlite:${join(folder, "state", "store.db")}`) };
});

test("openStore() lets many that start at once make the file together", async (t) => {
  const folder = await temporaryFolder(t);
  // Each round is one chance for them to come between each other's steps.
  for (let round = 0; round < 8; round += 1) {
    const open = opener(t, `sqlite:${join(folder, `store${round}.db`)}`);
    const stores = await Promise.all(Array.from({ length: 6 }, open));
    const epochs = await Promise.all(stores.map((store) => store.epoch()));
    assert.equal(new Set(epochs).size, 1);
    await Promise.all(stores.map((store) => store.close()));
  }
});
