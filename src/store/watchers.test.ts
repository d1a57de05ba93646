import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedLog } from "../../test/ports.ts";
import { Watchers } from "./watchers.ts";

test("Watchers tell many commits of one turn as one, after it", async () => {
  const watchers = new Watchers(recordedLog());
  let calls = 0;
  watchers.add(() => (calls += 1));
  watchers.notify();
  watchers.notify();
  assert.equal(calls, 0);
  await Promise.resolve();
  assert.equal(calls, 1);
  watchers.notify();
  await Promise.resolve();
  assert.equal(calls, 2);
});

test("Watchers call the same function as often as it was added, and end one at a time", async () => {
  const watchers = new Watchers(recordedLog());
  let calls = 0;
  const changed = (): void => void (calls += 1);
  const [end] = [watchers.add(changed), watchers.add(changed)];
  end();
  end();
  assert.equal(watchers.size, 1);
  watchers.notify();
  await Promise.resolve();
  assert.equal(calls, 1);
});

test("Watchers log one that fails and go on with the next", async () => {
  const log = recordedLog();
  const watchers = new Watchers(log);
  let calls = 0;
  watchers.add(() => {
    throw new Error("no");
  });
  watchers.add(() => (calls += 1));
  watchers.notify();
  await Promise.resolve();
  assert.equal(calls, 1);
  assert.equal(log.lines.length, 1);
});
