/** A decision is explained by the policies of its time, after others are in force. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { PolicyExplanation } from "../../src/policy/explain/explanation.ts";
import type { ExplainedDecision } from "../../src/review/explain-decision.ts";
import { type Stage, startStage } from "./stage.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

const FIRST = `@id("batch")
@description("Only the nightly batch")
permit (principal, action == Sallyport::Action::"GET", resource) when {
  context.path like "/secret/*" &&
  context.headers.hasTag("x-job") && context.headers.getTag("x-job").contains("nightly")
};
`;

const SECOND = `@id("batch")
permit (principal, action, resource) when { context.path like "/secret/*" };
`;

let stage: Stage;

before(async () => {
  stage = await startStage({ policies: FIRST, adminSocket: "admin.sock" });
});

after(async () => {
  await stage.close();
});

/** Asks, and waits until the record is on the disk. */
async function ask(path: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(`http://${stage.proxy}${path}`, { headers });
  await answer.arrayBuffer();
  const id = answer.headers.get("sallyport-decision") ?? "";
  while (!stage.auditText().includes(`"decisionId":"${id}"`)) await setTimeout(5);
  return id;
}

function explain(...args: string[]): { readonly status: number | null; readonly text: string } {
  const result = spawnSync(BIN, ["explain", ...args], { cwd: stage.folder, encoding: "utf8" });
  return { status: result.status, text: result.stdout + result.stderr };
}

function explained(id: string): ExplainedDecision {
  const { status, text } = explain(id, "--format", "json");
  assert.equal(status, 0, text);
  return JSON.parse(text) as ExplainedDecision;
}

test("a denial is explained by the policies that were in force, after others have come", async () => {
  const [denied, permitted] = [
    await ask("/secret/x", { "x-job": "hourly" }),
    await ask("/secret/x", { "x-job": "nightly" }),
  ];
  await stage.reload({ policies: SECOND, adminSocket: "admin.sock" });
  const later = await ask("/secret/x");

  const first = explained(denied);
  assert.equal(first.record.reason, "no-permit");
  assert.equal(first.evaluation, "same");
  const nearest = first.policies?.nearest.find(({ id }) => id === "batch");
  assert.ok(nearest !== undefined);
  assert.deepEqual(
    nearest.clauses.map(({ text, holds, line }) => [holds, line, text]),
    [
      ["true", nearest.line + 2, "principal"],
      ["true", nearest.line + 2, 'action == Sallyport::Action::"GET"'],
      ["true", nearest.line + 2, "resource"],
      ["true", nearest.line + 3, 'context.path like "/secret/*"'],
      ["true", nearest.line + 4, 'context.headers.hasTag("x-job")'],
      ["false", nearest.line + 4, 'context.headers.getTag("x-job").contains("nightly")'],
    ],
  );

  const second = explained(permitted);
  assert.equal(second.evaluation, "same");
  assert.deepEqual(second.policies?.determining, ["batch"]);
  assert.equal(second.policies?.policies[0]?.annotations["description"], "Only the nightly batch");

  const third = explained(later);
  assert.equal(third.evaluation, "same");
  assert.notEqual(third.record.bundle, first.record.bundle);

  const again = explain(denied, "--format", "json").text;
  assert.equal(explain(denied, "--format", "json").text, again);

  const { text } = explain(denied);
  assert.match(text, /^DENIED: no-permit/);
  assert.match(text, /evaluated again, they answer the same/);
  assert.match(text, /NO {5}\d+:\d+ +when context\.headers\.getTag\("x-job"\)/);
});

test("what policies did not decide is explained by its reason", async () => {
  const { record, evaluation, policies, meaning } = explained(await ask("/guarded/x"));
  assert.equal(record.reason, "missing-credential");
  assert.equal(evaluation, "not-asked");
  assert.equal(policies, undefined);
  assert.notEqual(meaning, "");
});

test("a running process explains over its admin API what it has in its audit log", async () => {
  const id = await ask("/secret/z", { "x-job": "hourly" });
  const socket = ["--admin", join(stage.folder, "admin.sock")];
  const { status, text } = explain(id, ...socket, "--format", "json");
  assert.equal(status, 0, text);
  assert.deepEqual(JSON.parse(text), explained(id));
  assert.match(explain(id, ...socket).text, /^PERMITTED: permitted[^]*they answer the same/);
  const none = explain("01KAT9T5KVH7Q2M4X8Z0R3B6CD", ...socket);
  assert.notEqual(none.status, 0);
  assert.match(none.text, /404|not.found|no such/i);
});

test("bundles are kept for their owner only; without one the record is shown all the same", async () => {
  const folder = join(stage.folder, "audit", "policies");
  const names = readdirSync(folder);
  assert.ok(names.length >= 2);
  for (const name of names) {
    assert.match(name, /^sha256-[\w-]{43}\.json$/);
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
  }
  const id = await ask("/secret/y");
  rmSync(join(folder, `${explained(id).record.bundle}.json`));
  const { evaluation, policies } = explained(id);
  assert.deepEqual([evaluation, policies], ["no-bundle", undefined]);
});

test("an id that is not recorded, or is none, is an answer of no", () => {
  for (const id of ["01KAT9T5KVH7Q2M4X8Z0R3B6CD", "../values.key"]) {
    const { status, text } = explain(id);
    assert.equal(status, 1);
    assert.match(text, /no decision/);
  }
});

test("a request that was never made is asked of the policies that the configuration names", () => {
  const askAs = (...args: string[]) => explain("--as", ...args);
  const guarded = "https://api.example/guarded/x";
  const permitted = askAs('Workload::"test/x"', "GET", guarded, "--role", "Admin");
  assert.equal(permitted.status, 0, permitted.text);
  assert.match(permitted.text, /^PERMITTED: permitted\n[^]*permit admins applies {2}policies\//);
  const denied = askAs('Workload::"test/x"', "GET", guarded, "--format", "json");
  const { route, policies } = JSON.parse(denied.text) as {
    readonly route: string;
    readonly policies: PolicyExplanation;
  };
  assert.equal(route, "guarded");
  assert.equal(policies.reason, "no-permit");
  assert.equal(policies.nearest[0]?.id, "admins");
  const secret = askAs("Anonymous", "GET", "/secret/x", "--header", "x-job: nightly");
  assert.match(secret.text, /yes {4}\d+:\d+ +when context\.path like "\/secret\/\*"/);
  for (const [args, what] of [
    [["Anonymous", "GET", guarded], /does not take Anonymous/],
    [['Workload::"test/x"', "GET", guarded, "--role", "Other"], /Other/],
    [['Workload::"test/x"', "GET"], /--as PRINCIPAL METHOD URL/],
    [["Anonymous", "GET", "/x", "--attribute", "a"], /name=value/],
    [["Anonymous", "GET", "/x", "--header", "a"], /name: value/],
    [["Anonymous", "GET", "/x", "--age", "soon"], /--age: /],
    [["Anonymous", "GET", "/x", "--body", "[1]"], /--body is no JSON object/],
    [["Anonymous", "GET", guarded, "--body", '{"amount":1}'], /nothing of bodies/],
  ] as const) {
    const { status, text } = askAs(...args);
    assert.equal(status, 2, text);
    assert.match(text, what);
  }
});
