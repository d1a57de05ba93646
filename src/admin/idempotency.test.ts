import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedLog } from "../../test/ports.ts";
import { createMemoryStore } from "../../test/store/memory.ts";
import { SallyportError } from "../model/errors.ts";
import { ManualClock } from "../platform/clock.ts";
import { localPrincipal } from "../policy/decide/local-socket.ts";
import type { AdminDeps } from "./admin-deps.ts";
import type { ApiAnswer } from "./call.ts";
import { answerOnce, type Asked } from "./idempotency.ts";
import { AdminProblem } from "./problem.ts";

const ASKED: Asked = {
  key: "k1",
  by: "local/0",
  secret: false,
  call: {
    operation: "createRevocation",
    principal: localPrincipal(0),
    decision: "ID",
    method: "POST",
    target: "/v1/revocations",
    fields: [],
    requestId: "r",
    listener: "admin",
    peer: { address: "127.0.0.1", port: 1 },
    body: "{}",
  },
};
const DONE: ApiAnswer = { status: 201, fields: [["etag", '"1"']], body: "{}" };

function ground() {
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const store = createMemoryStore(clock);
  const deps = { clock, store, log: recordedLog() } as unknown as AdminDeps;
  let times = 0;
  const work = (): Promise<ApiAnswer> => {
    times += 1;
    return Promise.resolve(DONE);
  };
  return { clock, store, deps, work, times: () => times };
}

const refusal = (code: AdminProblem["code"]) => (error: unknown) =>
  error instanceof AdminProblem && error.code === code;

void test("answerOnce() remembers for a day, and not for longer", async () => {
  const { clock, deps, work, times } = ground();
  await answerOnce(ASKED, work, deps);
  clock.advance(24 * 60 * 60 * 1000 - 1);
  const again = await answerOnce(ASKED, work, deps);
  assert.deepEqual(again, { ...DONE, fields: [...DONE.fields, ["idempotent-replayed", "true"]] });
  assert.equal(times(), 1);
  clock.advance(2);
  assert.deepEqual(await answerOnce(ASKED, work, deps), DONE);
  assert.equal(times(), 2);
});

void test("answerOnce() does again what a process began and never ended, when it must be gone", async () => {
  const { clock, deps, work, times } = ground();
  const dying = answerOnce(ASKED, () => new Promise(() => {}), deps);
  void dying;
  // Until it is known that the first has begun.
  while ((await deps.store?.list("idempotency", { limit: 1 }))?.length !== 1);
  await assert.rejects(answerOnce(ASKED, work, deps), refusal("in-progress"));
  clock.advance(60_000);
  assert.deepEqual(await answerOnce(ASKED, work, deps), DONE);
  assert.equal(times(), 1);
});

void test("answerOnce() tells callers, operations and requests apart", async () => {
  const { deps, work, times } = ground();
  await answerOnce(ASKED, work, deps);
  await answerOnce({ ...ASKED, by: "local/1" }, work, deps);
  const other = { ...ASKED.call, operation: "rotateKey" as const };
  await answerOnce({ ...ASKED, call: other }, work, deps);
  assert.equal(times(), 3);
  for (const changed of [{ body: "{ }" }, { body: undefined }, { target: "/v1/revocations?a" }]) {
    const call = { ...ASKED.call, ...changed };
    await assert.rejects(answerOnce({ ...ASKED, call }, work, deps), refusal("key-reused"));
  }
});

void test("answerOnce() keeps no secret, and says that it was shown", async () => {
  const { store, deps } = ground();
  const secret: ApiAnswer = { ...DONE, body: "canary-s3cret" };
  const asked = { ...ASKED, secret: true };
  assert.equal(await answerOnce(asked, () => Promise.resolve(secret), deps), secret);
  const kept = JSON.stringify(await store.list("idempotency", { limit: 10 }));
  assert.ok(!kept.includes("canary-s3cret"));
  const again = answerOnce(asked, () => Promise.resolve(secret), deps);
  await assert.rejects(again, refusal("shown-once"));
});

void test("answerOnce() forgets what failed on our side, and keeps what the caller did wrong", async () => {
  const { deps, work, times } = ground();
  const away = new SallyportError("store-unavailable", "away");
  await assert.rejects(
    answerOnce(ASKED, () => Promise.reject(away), deps),
    away,
  );
  await answerOnce(ASKED, work, deps);
  assert.equal(times(), 1);
  const asked = { ...ASKED, key: "k2" };
  const conflict = new AdminProblem("conflict", "taken");
  await assert.rejects(
    answerOnce(asked, () => Promise.reject(conflict), deps),
    conflict,
  );
  await assert.rejects(answerOnce(asked, work, deps), refusal("conflict"));
  assert.equal(times(), 1);
});
