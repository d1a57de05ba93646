import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { permit } from "../../test/audit-kit.ts";
import type { DecisionRecord } from "../model/records.ts";
import { ground, runIn } from "../../test/policy/log-ground.ts";

const workload = (subject: string, ...roles: string[]) => ({
  kind: "workload" as const,
  authenticator: "corp",
  subject,
  roles,
  groups: [],
  attributes: {},
});
const base = { query: undefined, host: "api.example.com" };
const DECISIONS = [
  permit({ ...base, decisionId: "01A", principal: workload("one", "AdminService") }),
  permit({ ...base, decisionId: "01B", principal: workload("two", "AdminService") }),
  permit({
    ...base,
    decisionId: "01C",
    principal: workload("two", "AdminService"),
    method: "DELETE",
    decision: "deny",
    reason: "no-permit",
    determining: [],
  }),
];

test("policy suggest writes permits and cases that pass with them, and lists what nothing used", (context) => {
  const folder = ground(context, DECISIONS);
  const written = runIn(folder, "policy", "suggest", "--from", "log", "--out", "new");
  assert.equal(written.status, 0, written.stderr);
  assert.match(written.stdout, /^permits: 1, of decisions: 2\n/);
  assert.match(written.stdout, /permits that nothing used in the log, .*: 0\nwritten: /);
  assert.match(
    readFileSync(join(folder, "new", "suggested.cedar"), "utf8"),
    /principal is Sallyport::Workload in Sallyport::Role::"AdminService"/,
  );
  const again = runIn(folder, "policy", "suggest", "--from", "log", "--out", "new");
  assert.equal(again.status, 2);
  assert.match(again.stderr, /suggested\.cedar is there already/);

  // In the place of the policies, they pass the cases that came with them.
  mkdirSync(join(folder, "tests"));
  copyFileSync(join(folder, "new", "suggested.cedar"), join(folder, "policies", "all.cedar"));
  copyFileSync(join(folder, "new", "suggested.tests.yaml"), join(folder, "tests", "s.yaml"));
  const config = readFileSync(join(folder, "sallyport.yaml"), "utf8");
  const tested = config.replace("enforce: [policies]", "enforce: [policies], tests: [tests]");
  writeFileSync(join(folder, "sallyport.yaml"), tested);
  const run = runIn(folder, "test");
  assert.equal(run.status, 0, run.stdout + run.stderr);
  assert.match(run.stdout, /3 cases: 3 passed/);
});

test("policy suggest lists a permit that nothing used, and refuses what is no number of days", (context) => {
  const folder = ground(context, DECISIONS);
  writeFileSync(
    join(folder, "policies", "old.cedar"),
    '\n@id("old") permit (principal in Sallyport::Role::"corp/old", action, resource);',
  );
  const { stdout, stderr } = runIn(folder, "policy", "suggest", "--from", "log");
  assert.match(
    stdout,
    /\/\/ permits that nothing used .*: 1\n\/\/ {3}old {2}policies\/old\.cedar:2\n/,
    stderr,
  );
  assert.match(stdout, /\npermit \(/);
  const wrong = runIn(folder, "policy", "suggest", "--from", "log", "--unused-for", "30");
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /--unused-for 30 is no number of days; write 30d/);
});

test("policy suggest leaves out what no policy could be about, and suggests the rest", (context) => {
  const principal = { ...permit().principal, subject: "a\ud800" } as DecisionRecord["principal"];
  const planted = [
    permit({ method: "PLANTED" }),
    permit({ path: "/billing/\ud800" }),
    permit({ principal }),
  ];
  const folder = ground(context, [...planted, permit()]);
  const { status, stdout, stderr } = runIn(folder, "policy", "suggest", "--from", "log");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /permits: 1, of decisions: 1\n/);
  assert.match(stdout, /about what no policy can name, left out: 3\n/);
});
