import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { permit, strangerDenial } from "../../test/audit-kit.ts";
import { ground, runIn } from "../../test/policy/log-ground.ts";

const replay = (folder: string, ...args: string[]) =>
  runIn(folder, "replay", "--from", "log", ...args);

const DECISIONS = [
  permit({ decisionId: "01A" }),
  permit({ decisionId: "01B", path: "/billing/x" }),
  permit({ decisionId: "01C", route: "orders", method: "POST", path: "/orders/1" }),
  permit({
    decisionId: "01D",
    decision: "deny",
    reason: "no-permit",
    determining: [],
    method: "PUT",
  }),
  strangerDenial({ decisionId: "01E" }),
];

test("replay exits 0 where nothing flips, and 1 with every flip where some do", (context) => {
  const folder = ground(context, DECISIONS.slice(0, 3));
  const same = replay(folder);
  assert.equal(same.status, 0, same.stderr);
  assert.match(
    same.stdout,
    /^3 decisions of 2 files by sha256-\S+\npermitted, would be denied: none\n/,
  );
  assert.match(same.stdout, /the same answer: 3\n6 records in /);

  writeFileSync(
    join(folder, "next.cedar"),
    '@id("read") permit (principal, action == Sallyport::Action::"GET", resource);',
  );
  const flips = replay(folder, "--policies", "next.cedar");
  assert.equal(flips.status, 1, flips.stderr);
  assert.match(
    flips.stdout,
    /permitted, would be denied: 1\n {2}1x {2}Sallyport::Workload::"corp\/payments" {2}POST {2}orders {2}no-permit {2}e\.g\. 01C\n/,
  );
});

test("replay leaves out what somebody only asked about", (context) => {
  const asked = { by: "mesh/gateway", decisionId: "01Z" };
  const folder = ground(context, [
    permit({ decisionId: "01A" }),
    permit({ decisionId: "01B", asked }),
  ]);
  const same = replay(folder);
  assert.equal(same.status, 0, same.stderr);
  assert.match(same.stdout, /^1 decision of /);
});

test("replay leaves out what was redacted of what policies look at, and says so", (context) => {
  const folder = ground(context, [
    permit({ decisionId: "01A", redacted: ["detail", "requestId"] }),
    permit({ decisionId: "01B", redacted: ["principal.subject"] }),
  ]);
  const told = replay(folder, "--format", "json");
  assert.equal(told.status, 0, told.stderr);
  const { leftOut, same, redacted } = JSON.parse(told.stdout) as Record<string, unknown>;
  assert.deepEqual([leftOut, same], [{ redacted: 1 }, 1]);
  assert.deepEqual(redacted, { "principal.subject": 1 });
  const text = replay(folder).stdout;
  assert.match(text, /^left out, since policies can .* redacted: 1 \(principal\.subject 1\)$/m);
  assert.doesNotMatch(text, /no policy decided/);
});

test("replay exits 1 and says so where all that could be compared is redacted", (context) => {
  const folder = ground(context, [permit({ redacted: ["principal.subject"] })]);
  const told = replay(folder);
  assert.equal(told.status, 1, told.stderr);
  assert.match(told.stdout, /\nNOTHING WAS COMPARED: /);
  assert.doesNotMatch(told.stdout, /the same answer/);
});

test("replay tells programs the same, of the decisions that are asked for", (context) => {
  const folder = ground(context, DECISIONS);
  writeFileSync(
    join(folder, "next.cedar"),
    '@id("all") permit (principal, action, resource) when { context.headers.hasTag("x-new") };\n' +
      '@id("put") permit (principal, action == Sallyport::Action::"PUT", resource);',
  );
  const asked = ["--policies", "next.cedar", "--format", "json"];
  const all = replay(folder, ...asked);
  assert.equal(all.status, 1, all.stderr);
  const result = JSON.parse(all.stdout) as Record<string, { count: number }>;
  assert.deepEqual(
    [result["wouldDeny"]?.count, result["wouldPermit"]?.count, result["uncertain"]?.count],
    [0, 1, 3],
  );
  assert.deepEqual(result["leftOut"], { "missing-credential": 1 });
  const orders = replay(folder, ...asked, "--route", "orders");
  assert.equal(orders.status, 0, orders.stderr);
  assert.equal((JSON.parse(orders.stdout) as { decisions: number }).decisions, 1);
  const later = replay(folder, ...asked, "--since", "2026-11-25");
  assert.equal((JSON.parse(later.stdout) as { decisions: number }).decisions, 0);
  const earlier = replay(folder, ...asked, "--until", "2026-11-24T04:05:06.123Z");
  assert.equal((JSON.parse(earlier.stdout) as { decisions: number }).decisions, 3);
});

test("replay exits 2 where it has no log, no time and no policies that validate", (context) => {
  const folder = ground(context, []);
  writeFileSync(join(folder, "bad.cedar"), '@id("bad") permit (principal, action, resource');
  for (const [args, said] of [
    [["--from", "gone"], /gone cannot be read \(ENOENT\)/],
    [["--since", "yesterday"], /--since yesterday is no time/],
    [["--since", "2026-02-30"], /--since 2026-02-30 is no time/],
    [["--until", "2026-11-24T18:00:00"], /--until 2026-11-24T18:00:00 is no time/],
    [["--policies", "gone"], /"gone" cannot be read/],
    [["--policies", "bad.cedar"], /bad\.cedar:1:/],
  ] as const) {
    const { status, stderr } = replay(folder, ...args);
    assert.equal(status, 2, stderr);
    assert.match(stderr, said);
  }
});

test("replay counts lines that are no records, and goes on", (context) => {
  const folder = ground(context, DECISIONS.slice(0, 1));
  writeFileSync(
    join(folder, "log", "audit-20261126T000000.000Z-1.jsonl"),
    '{"v":2}\nnonsense\ntorn',
  );
  const { status, stdout } = replay(folder);
  assert.equal(status, 0);
  assert.match(stdout, /^1 decision of 3 files/);
  assert.match(stdout, /no records: 2 \(log\/audit-20261126T000000\.000Z-1\.jsonl: not a record/);
});

test("replay compares hashed values by the key that lies beside the log", (context) => {
  const folder = ground(context, [permit({ decisionId: "01A" })]);
  const candidate = join(folder, "next.cedar");
  writeFileSync(
    candidate,
    `@id("acme") permit (principal, action, resource)
when { context.headers.hasTag("x-tenant") && context.headers.getTag("x-tenant").contains("other") };
`,
  );
  const without = replay(folder, "--policies", candidate);
  assert.equal(without.status, 0, without.stderr);
  assert.match(without.stdout, /uncertain, .*: 1\n/);
  // As `ground` has hashed them.
  writeFileSync(join(folder, "log", "values.key"), new Uint8Array(32), { mode: 0o600 });
  const known = replay(folder, "--policies", candidate);
  assert.equal(known.status, 1, known.stderr);
  assert.match(known.stdout, /permitted, would be denied: 1\n/);
  assert.match(known.stdout, /uncertain, .*: none\n/);
  chmodSync(join(folder, "log", "values.key"), 0o644);
  const wide = replay(folder, "--policies", candidate);
  assert.equal(wide.status, 2);
  assert.match(wide.stderr, /values\.key has mode 0644/);
});
