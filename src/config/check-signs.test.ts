import assert from "node:assert/strict";
import { test } from "node:test";
import { auditSchema } from "../audit/audit-options.ts";
import { signsSchema } from "../telemetry/signs/signs-options.ts";
import { checkSigns } from "./check-signs.ts";
import type { Draft } from "./draft.ts";

const KEPT = { store: "sqlite:data/state.db" };
const FEED = { feed: ["https://authority.example:9443"], identity: "identity" };
const ANSWER = { refusalBurst: { revoke: true } } as const;

function problemsOf({
  signs,
  authority = KEPT,
  redact = [],
  ownOnly = false,
}: {
  readonly signs: Parameters<typeof signsSchema.parse>[0];
  readonly authority?: object | null;
  readonly redact?: readonly string[];
  readonly ownOnly?: boolean;
}) {
  const whole = {
    signs: signsSchema.parse(signs),
    authority: authority ?? undefined,
    audit: auditSchema.parse({ path: "audit", redact: [...redact] }),
  };
  const draft = ownOnly ? { own: whole } : { config: whole };
  return checkSigns(draft as unknown as Draft);
}

test("checkSigns() lets signs be answered where an authority is kept", () => {
  assert.deepEqual(problemsOf({ signs: { answer: ANSWER } }), []);
  assert.deepEqual(problemsOf({ signs: {}, authority: null }), []);
});

test("checkSigns() refuses answers where no authority is kept in this process", () => {
  for (const given of [
    { authority: null },
    { authority: FEED },
    { authority: FEED, ownOnly: true },
  ]) {
    const [problem, ...others] = problemsOf({ signs: { answer: ANSWER }, ...given });
    assert.deepEqual(problem?.path, ["signs", "answer"]);
    assert.match(problem?.message ?? "", /no authority is kept/);
    assert.match(problem?.remedy ?? "", /authority with a store/);
    assert.deepEqual(others, []);
  }
});

test("checkSigns() refuses answers where the log has no subjects in clear", () => {
  const signs = { answer: ANSWER };
  const [problem] = problemsOf({ signs, redact: ["principal.subject"] });
  assert.deepEqual(problem?.path, ["signs", "answer"]);
  assert.match(problem?.message ?? "", /audit\.redact/);
  assert.deepEqual(problemsOf({ signs, redact: ["path"] }), []);
});

test("checkSigns() refuses an answer to a rule that is off", () => {
  const [problem] = problemsOf({ signs: { refusalBurst: "off", answer: ANSWER } });
  assert.deepEqual(problem?.path, ["signs", "answer", "refusalBurst"]);
  assert.match(problem?.remedy ?? "", /leave it out/);
});
