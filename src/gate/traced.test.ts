import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../platform/clock.ts";
import type { Reason } from "../model/reason.ts";
import type { RequestTrace } from "../telemetry/traces/request-trace.ts";
import type { Deciding } from "./decision.ts";
import type { GateDeps } from "./step.ts";
import { traced, traceDecision } from "./traced.ts";

function fixture() {
  const said: unknown[] = [];
  const spans = { step: (...step: unknown[]) => said.push(step) };
  const trace = { spans } as unknown as RequestTrace;
  const clock = new ManualClock(0);
  const keep = (given: RequestTrace, why: readonly string[]): RequestTrace => {
    said.push(why);
    return given;
  };
  const deps = { clock, tracing: { keep } } as unknown as GateDeps;
  return { said, clock, deciding: { trace } as Deciding, text: "00-trace" as RequestTrace, deps };
}

test("traced() says of each step when it began and whether it waited, and changes no answer", async () => {
  const { said, clock, deciding, deps } = fixture();
  async function identify(): Promise<Reason> {
    clock.advance(5);
    return await Promise.resolve("missing-credential");
  }
  const [first, second] = traced([function authorize() {}, identify]);
  assert.equal(first?.(deciding, deps), undefined);
  clock.advance(1);
  assert.equal(await second?.(deciding, deps), "missing-credential");
  assert.deepEqual(said, [
    ["authorize", 0, false],
    ["identify", 1, true],
  ]);
});

test("traced() hears of a step that fails, and lets it fail", async () => {
  const { said, deciding, deps } = fixture();
  const [step] = traced([
    async function identify() {
      return await Promise.reject(new Error("defect"));
    },
  ]);
  await assert.rejects(async () => await step?.(deciding, deps), /defect/);
  assert.deepEqual(said, [["identify", 0, true]]);
});

for (const [reason, why] of [
  ["permitted", []],
  ["answered-by-proxy", []],
  ["missing-credential", [["denied"]]],
  ["internal-error", [["denied", "errors"]]],
] as const) {
  test(`traceDecision() of ${reason} asks to keep the trace for ${JSON.stringify(why)}`, () => {
    const { said, text, deps } = fixture();
    const deciding = { trace: text } as Deciding;
    traceDecision(deciding, reason, { deps, started: 0 });
    assert.deepEqual(said, why);
    assert.equal(deciding.trace, text);
  });
}

test("traceDecision() does nothing for a request that is of no trace", () => {
  const { said, deps } = fixture();
  traceDecision({ trace: undefined } as Deciding, "missing-credential", { deps, started: 0 });
  assert.deepEqual(said, []);
});
