import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createLocalMemory, type LocalMemoryOptions } from "./local-memory.ts";

function memoryOf(options: LocalMemoryOptions = {}) {
  const clock = new ManualClock(1_700_000_000_000);
  const timers = new ManualTimers();
  return { clock, timers, memory: createLocalMemory({ clock, timers }, options) };
}

test("claim() is true for one caller until the time is over", () => {
  const { clock, memory } = memoryOf();
  assert.equal(memory.claim("proofs", "a", 1000), true);
  assert.equal(memory.claim("proofs", "a", 1000), false);
  assert.equal(memory.claim("proofs", "b", 1000), true);
  assert.equal(memory.claim("other", "a", 1000), true, "spaces know nothing of each other");
  clock.advance(999);
  assert.equal(memory.claim("proofs", "a", 1000), false);
  clock.advance(1);
  assert.equal(memory.claim("proofs", "a", 1000), true);
});

test("claim() that was refused does not make the first one last longer", () => {
  const { clock, memory } = memoryOf();
  memory.claim("proofs", "a", 1000);
  clock.advance(500);
  memory.claim("proofs", "a", 1000);
  clock.advance(500);
  assert.equal(memory.claim("proofs", "a", 1000), true);
});

test("agree() gives everybody the first one's value until the time is over", () => {
  const { clock, memory } = memoryOf();
  assert.equal(memory.agree("nonces", "7", "first", 1000), "first");
  assert.equal(memory.agree("nonces", "7", "second", 1000), "first");
  assert.equal(memory.get("nonces", "7"), "first");
  clock.advance(1000);
  assert.equal(memory.agree("nonces", "7", "third", 1000), "third");
});

test("claim() refuses in a space that is full, and forgets nobody for it", () => {
  const { clock, memory } = memoryOf({ maxEntries: 3 });
  for (const key of ["a", "b", "c"]) memory.claim("proofs", key, 10_000);
  assert.throws(() => memory.claim("proofs", "d", 10_000), { code: "memory-full" });
  for (const key of ["a", "b", "c"]) assert.equal(memory.claim("proofs", key, 10_000), false);
  assert.equal(memory.claim("other", "d", 10_000), true, "another space has its own room");
  clock.advance(11_000);
  assert.equal(memory.claim("proofs", "d", 10_000), true, "there is room once they have expired");
  assert.equal(memory.sizes().get("proofs"), 1);
});

test("put() refuses what has no room, by bytes too, and keeps what was there", () => {
  const { memory } = memoryOf({ maxBytes: 1000 });
  memory.put("sessions", "a", "x".repeat(500), 10_000);
  assert.throws(() => memory.put("sessions", "b", "y".repeat(500), 10_000), {
    code: "memory-full",
  });
  assert.throws(() => memory.put("sessions", "a", "y".repeat(900), 10_000), {
    code: "memory-full",
  });
  assert.equal(memory.get("sessions", "a"), "x".repeat(500));
  memory.put("sessions", "a", "short", 10_000);
  memory.put("sessions", "b", "y".repeat(500), 10_000);
  assert.equal(memory.get("sessions", "b"), "y".repeat(500));
});

test("put() refuses keys and values that no entry may have", () => {
  const { memory } = memoryOf();
  assert.throws(() => memory.put("s", "k".repeat(513), "", 1000), { code: "memory-full" });
  assert.throws(() => memory.put("s", "k", "v".repeat(256 * 1024 + 1), 1000), {
    code: "memory-full",
  });
  assert.throws(() => memory.put("s", "k", "v", 0), TypeError);
  assert.throws(() => memory.put("s", "k", "v", Number.NaN), TypeError);
});

test("put() refuses spaces beyond the bound", () => {
  const { memory } = memoryOf();
  for (let index = 0; index < 64; index++) memory.put(`s${index}`, "k", "v", 1000);
  assert.throws(() => memory.put("one-more", "k", "v", 1000), { code: "memory-full" });
  assert.equal(memory.get("one-more", "k"), undefined);
});

test("remove() forgets, and what comes again counts from then on", () => {
  const { clock, timers, memory } = memoryOf();
  memory.put("sessions", "a", "one", 1000);
  memory.remove("sessions", "a");
  memory.remove("sessions", "never");
  assert.equal(memory.get("sessions", "a"), undefined);
  memory.put("sessions", "a", "two", 5000);
  clock.advance(2000);
  timers.runAll();
  assert.equal(memory.get("sessions", "a"), "two");
});

test("createLocalMemory() forgets by itself what has expired, and then has nothing to wait for", () => {
  const { clock, timers, memory } = memoryOf();
  memory.put("sessions", "a", "one", 1500);
  memory.put("sessions", "a", "two", 500);
  memory.put("sessions", "b", "two", 30_000);
  clock.advance(1000);
  timers.runAll();
  assert.equal(memory.sizes().get("sessions"), 1);
  assert.equal(timers.delays.length, 1);
  clock.advance(60_000);
  timers.runAll();
  assert.equal(memory.sizes().get("sessions"), 0);
  assert.equal(timers.delays.length, 0);
});

test("createLocalMemory() answers as a table without bounds does, whatever is asked in which order", () => {
  const verb = fc.record({
    verb: fc.constantFrom("claim", "get", "put", "remove", "wait", "sweep"),
    key: fc.constantFrom("a", "b", "c"),
    ms: fc.integer({ min: 1, max: 5000 }),
  });
  fc.assert(
    fc.property(fc.array(verb, { maxLength: 60 }), (steps) => {
      const { clock, timers, memory } = memoryOf();
      const model = new Map<string, { value: string; until: number }>();
      const alive = (key: string): string | undefined => {
        const entry = model.get(key);
        return entry !== undefined && clock.monotonic() < entry.until ? entry.value : undefined;
      };
      for (const [index, { verb: asked, key, ms }] of steps.entries()) {
        const until = clock.monotonic() + ms;
        if (asked === "wait") clock.advance(ms);
        else if (asked === "sweep") timers.runAll();
        else if (asked === "get") assert.equal(memory.get("s", key), alive(key));
        else if (asked === "put") {
          memory.put("s", key, String(index), ms);
          model.set(key, { value: String(index), until });
        } else if (asked === "remove") {
          memory.remove("s", key);
          model.delete(key);
        } else {
          const free = alive(key) === undefined;
          assert.equal(memory.claim("s", key, ms), free);
          if (free) model.set(key, { value: "", until });
        }
      }
    }),
  );
});
