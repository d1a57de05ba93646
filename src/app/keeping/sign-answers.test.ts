/** What becomes of an answer: a revocation, an event, a metric, a log line; a failure stops nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KeptLog } from "../../../test/keys/kit.ts";
import type { Revocation } from "../../keys/revocation-register.ts";
import type { EventRecord } from "../../model/events.ts";
import { NEVER } from "../../model/revocation.ts";
import { ManualClock } from "../../platform/clock.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { renderFamilies } from "../../telemetry/exposition.ts";
import { createMetrics } from "../../telemetry/metrics.ts";
import type { SignAnswer } from "../../telemetry/signs/answers.ts";
import { SignAnswers, type TakeAway } from "./sign-answers.ts";

const NOW = Date.UTC(2026, 10, 24, 4, 5, 6);
const ANSWER: SignAnswer = {
  sign: "refusal-burst",
  authenticator: "corp",
  subject: "ada",
  blockMs: 900_000,
  decisions: ["D1", "D2"],
  late: false,
};

function stageOf(takeAway: TakeAway | undefined) {
  const clock = new ManualClock(NOW);
  const timers = new ManualTimers();
  const log = new KeptLog();
  const metrics = createMetrics();
  const events: EventRecord[] = [];
  const answers = new SignAnswers({
    clock,
    timers,
    log,
    metrics,
    events: { event: (record) => void events.push(record) },
    takeAway: () => takeAway,
  });
  const counts = () => renderFamilies(metrics.families(), true);
  return { answers, timers, log, events, counts };
}

const TARGET = { kind: "subject", authenticator: "corp", subject: "ada" } as const;

/** As the register would say it. */
function registering(asked: unknown[]): TakeAway {
  return (target, options) => {
    asked.push([target, options]);
    const { mode, untilMs = NEVER } = options;
    const what =
      mode === "block" ? { block: { untilMs } } : { cutoff: { atMs: NOW, expiresMs: NOW + 1000 } };
    const written = { target, by: "signs", digest: "digest", number: 1, timeMs: NOW };
    return Promise.resolve({ ...written, ...what } as Revocation);
  };
}

test("a block ends by itself, and leaves an event, a count and a line", async () => {
  const asked: unknown[] = [];
  const { answers, events, counts, log } = stageOf(registering(asked));
  answers.give(ANSWER);
  await answers.settled();
  const reason = "sign refusal-burst, decision D2";
  assert.deepEqual(asked, [[TARGET, { mode: "block", untilMs: NOW + 900_000, reason }]]);
  const until = "2026-11-24T04:20:06.000Z";
  assert.deepEqual(events, [
    {
      timeMs: NOW,
      event: "sign-answered",
      detail: `the principal is blocked until ${until}, or until it is lifted`,
      principal: "corp/ada",
      decisions: ["D1", "D2"],
      figures: { answer: "block", revocation: "digest", sign: "refusal-burst", until },
    },
  ]);
  assert.match(
    counts(),
    /^sallyport_signs_answered_total\{sign="refusal-burst",outcome="blocked"\} 1$/m,
  );
  assert.deepEqual(
    log.lines.map(({ event, fields }) => [event, fields["revocation"]]),
    [["a sign of a breach was answered", "digest"]],
  );
});

test("a revocation says until when what was issued is refused", async () => {
  const asked: unknown[] = [];
  const { answers, events, counts } = stageOf(registering(asked));
  answers.give({ ...ANSWER, blockMs: undefined });
  await answers.settled();
  assert.deepEqual(asked, [
    [TARGET, { mode: "revoke", reason: "sign refusal-burst, decision D2" }],
  ]);
  assert.deepEqual(events[0]?.figures, {
    answer: "revoke",
    revocation: "digest",
    sign: "refusal-burst",
    until: "2026-11-24T04:05:07.000Z",
  });
  assert.match(counts(), /outcome="revoked"\} 1$/m);
});

test("what cannot be taken away is an error in the log and a count, and no event", async () => {
  const failing: TakeAway = () => Promise.reject(new Error("the store is away"));
  for (const takeAway of [failing, undefined]) {
    const { answers, events, counts, log } = stageOf(takeAway);
    answers.give(ANSWER);
    await answers.settled();
    assert.deepEqual(events, []);
    assert.match(counts(), /outcome="failed"\} 1$/m);
    assert.deepEqual(
      log.lines.map(({ event }) => event),
      ["a sign of a breach could not be answered; the principal still has access"],
    );
  }
});

test("what was not answered yet is counted as zero, so that the first failure is an increase", () => {
  const { counts } = stageOf(undefined);
  for (const outcome of ["revoked", "blocked", "failed", "late"]) {
    const series = `sallyport_signs_answered_total{sign="two-places",outcome="${outcome}"} 0`;
    assert.ok(counts().split("\n").includes(series), counts());
  }
});

test("what was found late is counted and said, and nobody is locked out", async () => {
  const asked: unknown[] = [];
  const { answers, events, counts, log } = stageOf(registering(asked));
  answers.give({ ...ANSWER, late: true });
  await answers.settled();
  assert.deepEqual([asked, events], [[], []]);
  assert.match(counts(), /outcome="late"\} 1$/m);
  assert.equal(log.lines.length, 1);
});

test("settled() does not wait for ever", async () => {
  const { answers, timers } = stageOf(() => new Promise(() => undefined));
  answers.give(ANSWER);
  const settled = answers.settled();
  timers.runAll();
  await settled;
});
