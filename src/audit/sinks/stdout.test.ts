import assert from "node:assert/strict";
import { test } from "node:test";
import { completionLine, decisionLine } from "../../../test/sink-kit.ts";
import type { RecordLine } from "../../model/record-feed.ts";
import type { WriteSome } from "../../platform/stdout.ts";
import { ManualTimers } from "../../platform/timers.ts";
import type { SinkRecord } from "./sink.ts";
import { createStdoutSink } from "./stdout.ts";

function records(...lines: readonly string[]): SinkRecord[] {
  return lines.map((line, index) => ({
    id: `s:${index}`,
    line,
    entry: JSON.parse(line) as RecordLine,
  }));
}

/** A pipe that takes a few bytes at a time, and none while it is full. */
function pipe() {
  const self = {
    text: Buffer.alloc(0),
    full: false,
    error: undefined as string | undefined,
    write: ((data, done) => {
      if (self.error !== undefined) return done({ code: self.error }, 0);
      if (self.full) return done({ code: "EAGAIN" }, 0);
      const some = data.subarray(0, 100);
      self.text = Buffer.concat([self.text, some]);
      return setImmediate(() => done(null, some.length));
    }) as WriteSome,
  };
  return self;
}

const idle = new AbortController().signal;

test("deliver() writes each record as a line, as it is, however little is taken at once", async () => {
  const out = pipe();
  const sink = createStdoutSink({ timers: new ManualTimers(), out });
  const lines = [decisionLine(1, { path: "/é€" }), completionLine(1)];
  assert.deepEqual(await sink.deliver(records(...lines), idle), { kind: "delivered", refused: 0 });
  assert.equal(out.text.toString(), `${lines.join("\n")}\n`);
});

test("deliver() waits for a full pipe, and goes on where it was", async () => {
  const out = pipe();
  const timers = new ManualTimers();
  const sink = createStdoutSink({ timers, out });
  out.full = true;
  const delivery = sink.deliver(records(decisionLine(1)), idle);
  await new Promise(setImmediate);
  assert.equal(timers.delays.length, 1);
  out.full = false;
  timers.runAll();
  assert.equal((await delivery).kind, "delivered");
  assert.equal(out.text.toString(), `${decisionLine(1)}\n`);
});

test("deliver() ends with its signal, and finishes the line that was begun before anything else", async () => {
  const out = pipe();
  const timers = new ManualTimers();
  const sink = createStdoutSink({ timers, out });
  const abort = new AbortController();
  const batch = records(decisionLine(1), decisionLine(2));
  const delivery = sink.deliver(batch, abort.signal);
  out.full = true;
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  abort.abort();
  assert.equal((await delivery).kind, "retry");
  assert.equal(timers.delays.length, 0);
  out.full = false;
  await sink.deliver(records(decisionLine(3)), idle);
  assert.equal(out.text.toString(), `${decisionLine(1)}\n${decisionLine(3)}\n`);
});

test("deliver() goes on with the same batch where it was cut off", async () => {
  const out = pipe();
  const sink = createStdoutSink({ timers: new ManualTimers(), out });
  const batch = records(decisionLine(1), decisionLine(2));
  const delivery = sink.deliver(batch, idle);
  out.error = "EPIPE";
  assert.deepEqual(await delivery, {
    kind: "retry",
    why: "standard output cannot be written (EPIPE)",
  });
  out.error = undefined;
  assert.equal((await sink.deliver(batch, idle)).kind, "delivered");
  assert.equal(out.text.toString(), `${decisionLine(1)}\n${decisionLine(2)}\n`);
});
