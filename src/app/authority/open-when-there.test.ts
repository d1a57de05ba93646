import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedLog } from "../../../test/ports.ts";
import { SallyportError } from "../../model/errors.ts";
import type { OpenStore } from "../../store/store-deps.ts";
import { openWhenThere } from "./open-when-there.ts";

const store = { epoch: () => Promise.resolve("one") } as unknown as OpenStore;
const away = new SallyportError("store-unavailable", "store: Postgres cannot be reached");

/** Fails so often, then opens. */
function opening(failures: number, error: Error = away): () => Promise<OpenStore> {
  let left = failures;
  return () => {
    left -= 1;
    return left >= 0 ? Promise.reject(error) : Promise.resolve(store);
  };
}

test("openWhenThere() waits for a store that cannot be reached, ever longer up to two seconds, and says so", async () => {
  const log = recordedLog();
  const waited: number[] = [];
  const told: string[] = [];
  const waits = (text: string): void => void told.push(text);
  const wait = (ms: number): Promise<void> => {
    waited.push(ms);
    return Promise.resolve();
  };
  assert.equal(
    await openWhenThere(opening(6), { log, name: "postgres://db/gate", waits, wait }),
    store,
  );
  assert.deepEqual(waited, [250, 500, 1000, 2000, 2000, 2000]);
  assert.equal(log.lines.length, 1);
  assert.match(log.lines[0] ?? "", /^warn the store cannot be reached.*postgres:\/\/db\/gate/);
  assert.equal(told[0], "waiting for the store: postgres://db/gate");
});

test("openWhenThere() says it again once in a while", async () => {
  const log = recordedLog();
  await openWhenThere(opening(25), {
    log,
    name: "postgres://db/gate",
    wait: () => Promise.resolve(),
  });
  assert.equal(log.lines.length, 3);
});

test("openWhenThere() gives up where no waiting helps", async () => {
  const log = recordedLog();
  const wait = (): Promise<void> => assert.fail("it waited");
  const damaged = new SallyportError("store-failed", "tables of a later version");
  await assert.rejects(
    openWhenThere(opening(1, damaged), { log, name: "postgres://db/gate", wait }),
    damaged,
  );
  const defect = new TypeError("ours");
  await assert.rejects(
    openWhenThere(opening(1, defect), { log, name: "postgres://db/gate", wait }),
    defect,
  );
});
