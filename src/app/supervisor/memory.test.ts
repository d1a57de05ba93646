import assert from "node:assert/strict";
import { test } from "node:test";
import { createLocalMemory, type LocalMemoryOptions } from "../../memory/local-memory.ts";
import { ManualClock } from "../../platform/clock.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { answerFrom, type MemoryRequest, type MemorySource, supervisedMemory } from "./memory.ts";
import { isFromWorker, type Message } from "./protocol.ts";

/** A supervisor's memory, and workers that reach it by messages as the socket carries them. */
function ground(options: LocalMemoryOptions = {}) {
  const clock = new ManualClock(1_800_000_000_000);
  const memory = createLocalMemory({ clock, timers: new ManualTimers() }, options);
  const state = { connected: true, since: 0, answers: true };
  const worker = () => {
    const source = {
      get connected() {
        return state.connected;
      },
      lostAt: 0,
      remember(request: MemoryRequest) {
        if (!state.answers) return Promise.resolve(undefined);
        const message = JSON.parse(
          JSON.stringify({ type: "remember", seq: 1, ...request }),
        ) as Message;
        assert.ok(isFromWorker(message) && message.type === "remember");
        const answer = answerFrom(memory, message, state.since);
        return Promise.resolve(JSON.parse(JSON.stringify(answer)) as typeof answer);
      },
    } satisfies MemorySource;
    return { source, memory: supervisedMemory(source) };
  };
  return { clock, state, worker };
}

test("supervisedMemory() claims once among all workers", async () => {
  const { clock, worker } = ground();
  const [one, two] = [worker().memory, worker().memory];
  assert.equal(await one.claim("proofs", "a", 999.5), true);
  assert.equal(await two.claim("proofs", "a", 1000), false);
  assert.equal(await two.claim("proofs", "b", 1000), true);
  clock.advance(1000);
  assert.equal(await two.claim("proofs", "a", 1000), true);
});

test("supervisedMemory() shows every worker what another put", async () => {
  const { worker } = ground();
  const [one, two] = [worker().memory, worker().memory];
  assert.equal(await two.get("sessions", "a"), undefined);
  await one.put("sessions", "a", "value", 1000);
  assert.equal(await two.get("sessions", "a"), "value");
  await two.remove("sessions", "a");
  assert.equal(await one.get("sessions", "a"), undefined);
  assert.equal(await one.agree("nonces", "7", "mine", 1000), "mine");
  assert.equal(await two.agree("nonces", "7", "other", 1000), "mine");
});

test("supervisedMemory() refuses where the supervisor is gone, is silent, or has no room", async () => {
  const { state, worker } = ground({ maxEntries: 1 });
  const { memory } = worker();
  await memory.claim("proofs", "a", 1000);
  await assert.rejects(async () => await memory.claim("proofs", "b", 1000), {
    code: "memory-full",
  });
  state.answers = false;
  const verbs = [
    async () => await memory.claim("proofs", "c", 1000),
    async () => await memory.agree("proofs", "c", "", 1000),
    async () => await memory.get("proofs", "c"),
    async () => await memory.put("proofs", "c", "", 1000),
    async () => await memory.remove("proofs", "c"),
  ];
  for (const verb of verbs) await assert.rejects(verb, { code: "memory-unavailable" });
  state.answers = true;
  state.connected = false;
  for (const verb of verbs) await assert.rejects(verb, { code: "memory-unavailable" });
});

test("supervisedMemory() says since when it knows everything", async () => {
  const { state, worker } = ground();
  const { source, memory } = worker();
  assert.equal(memory.since, 0);
  source.lostAt = 5;
  assert.equal(memory.since, 5, "this worker lost its supervisor");
  state.since = 7;
  await memory.get("proofs", "a");
  assert.equal(memory.since, 7, "the supervisor took over from one that crashed");
  state.since = 0;
  await memory.get("proofs", "a");
  assert.equal(memory.since, 7);
});

const GOOD = { type: "remember", seq: 1, space: "proofs", key: "a" };

for (const [name, message] of Object.entries({
  "without a verb": GOOD,
  "with another verb": { ...GOOD, verb: "constructor" },
  "without a number": { ...GOOD, verb: "get", seq: 0 },
  "with a space that is none of ours": { ...GOOD, verb: "get", space: "Proofs" },
  "with a space that is no text": { ...GOOD, verb: "get", space: ["proofs"] },
  "with a key that is too long": { ...GOOD, verb: "get", key: "k".repeat(513) },
  "without a key": { ...GOOD, verb: "get", key: undefined },
  "without a lifetime": { ...GOOD, verb: "claim" },
  "with a lifetime of nothing": { ...GOOD, verb: "claim", ttlMs: 0 },
  "with half a millisecond": { ...GOOD, verb: "claim", ttlMs: 0.5 },
  "with an endless lifetime": { ...GOOD, verb: "claim", ttlMs: 32 * 86_400_000 },
  "with a value where none is": { ...GOOD, verb: "claim", ttlMs: 1, value: "v" },
  "without a value": { ...GOOD, verb: "put", ttlMs: 1 },
  "with a value that is too long": { ...GOOD, verb: "put", ttlMs: 1, value: "v".repeat(262_145) },
  "with a lifetime where none is": { ...GOOD, verb: "get", ttlMs: 1 },
})) {
  test(`isFromWorker() refuses to remember ${name}`, () => {
    assert.equal(isFromWorker(JSON.parse(JSON.stringify(message)) as Message), false);
  });
}

test("isFromWorker() takes each verb", () => {
  for (const rest of [
    { verb: "claim", ttlMs: 1 },
    { verb: "agree", ttlMs: 1, value: "" },
    { verb: "put", ttlMs: 1, value: "v" },
    { verb: "get" },
    { verb: "remove" },
  ]) {
    assert.equal(isFromWorker({ ...GOOD, ...rest }), true, rest.verb);
  }
});
