import assert from "node:assert/strict";
import { test } from "node:test";
import { checkTracing } from "./check-tracing.ts";
import { createDraft } from "./draft.ts";

function problems(trustIncoming: unknown): readonly object[] {
  const { draft, problems: invalid } = createDraft(
    {
      version: 1,
      listeners: [{ name: "edge", address: "127.0.0.1:0" }],
      services: {},
      routes: [],
      policies: { enforce: ["policies"] },
      audit: { path: "audit" },
      tracing: { otlp: { endpoint: "http://127.0.0.1:4318" }, trustIncoming },
    },
    new Map(),
  );
  assert.deepEqual(invalid, []);
  return checkTracing(draft);
}

test("checkTracing() refuses to believe a listener that there is not", () => {
  assert.deepEqual(problems(["edge", "admin"]), []);
  assert.deepEqual(problems(true), []);
  assert.deepEqual(problems(["edge", "egde"]), [
    {
      path: ["tracing", "trustIncoming", 1],
      message: 'there is no listener "egde"',
      remedy: "edge, admin, admin-socket",
    },
  ]);
});
