import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { permit, strangerDenial } from "../../test/audit-kit.ts";
import { ground, runIn } from "../../test/policy/log-ground.ts";
import { idOf } from "../../test/search-ground.ts";
import { ANONYMOUS } from "../model/principal.ts";

const report = (folder: string, ...args: string[]) =>
  runIn(folder, "audit", "report", "access", "--audit", "log", ...args);

const DECISIONS = [
  permit({ decisionId: idOf(1) }),
  permit({ decisionId: idOf(2) }),
  permit({ decisionId: idOf(3), decision: "deny", reason: "no-permit" }),
  permit({ decisionId: idOf(4), asked: { by: "mesh/gateway", decisionId: "01Z" } }),
  strangerDenial({ decisionId: idOf(5), service: undefined, route: undefined, reason: "no-route" }),
];

test("audit report access says who could, who did and who was denied, and by which policies", (context) => {
  const folder = ground(context, DECISIONS);
  const { status, stdout, stderr } = report(folder);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^accesses from the beginning of the log to now, made /);
  assert.match(stdout, /\ndecided by sha256-47DEQ\S+: 4, from 2026-11-24T04:05:06\.123Z to /);
  assert.match(
    stdout,
    /\nwho could is by the policies of the configuration, sha256-\S+, which decided nothing in that time; 1 other set of policies /,
  );
  assert.match(stdout, /\nbilling\n {2}Who could\n/);
  assert.match(stdout, /Workload of corp in Role::"AdminService" +billing +GET /);
  assert.match(stdout, /Who did\n {4}who +count +first +last\n {4}corp\/payments {2}2 /);
  assert.match(stdout, /Who was denied\n.*\n {4}corp\/payments {2}no-permit {2}1 /);
  assert.match(
    stdout,
    /\n\(no service\)\n {2}Who did: none\n {2}Who was denied\n.*\n {4}\(not known\) /,
  );
});

test("audit report access knows the policies that decided from whatever folder it is asked", (context) => {
  const folder = ground(context, []);
  const { could } = JSON.parse(report(folder, "--format", "json").stdout) as {
    readonly could: { readonly bundle: string };
  };
  const { bundle } = could;
  const decided = ground(context, [permit({ decisionId: idOf(1), bundle })]);
  const from = (cwd: string, config: string, log: string) =>
    runIn(cwd, "audit", "report", "access", "--audit", log, "-c", config).stdout;
  for (const said of [
    from(decided, "sallyport.yaml", "log"),
    from(join(decided, "policies"), "../sallyport.yaml", "../log"),
    from(tmpdir(), join(decided, "sallyport.yaml"), join(decided, "log")),
  ]) {
    assert.ok(
      said.includes(`\nwho could is by the policies of the configuration, ${bundle}\n`),
      said,
    );
  }
});

test("audit report access says at a proxy that follows an authority where who could is known", (context) => {
  const folder = ground(context, DECISIONS);
  writeFileSync(
    join(folder, "sallyport.yaml"),
    "version: 1\nauthority: { feed: [https://localhost:1], identity: id }\naudit: { path: log }\n",
  );
  const { status, stdout, stderr } = runIn(folder, "audit", "report", "access");
  assert.equal(status, 0, stderr);
  assert.match(
    stdout,
    /\nwho could is not known: policies come here over the feed; ask at the authority, /,
  );
  assert.match(stdout, /\nbilling\n {2}Who did\n.*\n {4}corp\/payments {2}2 /);
});

test("audit report access tells programs the same, of one service and time", (context) => {
  const folder = ground(context, DECISIONS);
  const { stdout } = report(folder, "--service", "billing", "--format", "json");
  const told = JSON.parse(stdout) as {
    readonly services: readonly { readonly permitted: readonly { readonly count: number }[] }[];
    readonly could: { readonly callers: readonly { readonly yes: readonly string[] }[] };
  };
  assert.deepEqual(told.services.length, 1);
  assert.equal(told.services[0]?.permitted[0]?.count, 2);
  assert.ok(told.could.callers.some(({ yes }) => yes.includes("GET")));
  const csv = report(folder, "--format", "csv").stdout;
  assert.match(csv, /\r\nbilling,permitted,corp\/payments,,,,2,2026-11-24T04:05:06\.123Z,/);
  assert.match(csv, /\r\n,denied,,,,no-route,1,/);
  const markdown = report(folder, "--format", "markdown", "--to", "2026-11-01").stdout;
  assert.match(
    markdown,
    /^# Access report\n\n- accesses from .*\n- nothing was decided in that time\n/,
  );
  assert.match(markdown, /### Who did\n\nNone\.\n/);
  // Somewhere else the policies are not at hand.
  const alone = report(folder, "-c", "gone.yaml");
  assert.match(alone.stdout, /\nwho could is not known: there is no configuration here\n/);
  const wrong = report(folder, "--service", "biling");
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /--service: .*"biling" {2}did you mean billing\?/);
});

test("callers without an identity have a name, in reports, searches and exports", (context) => {
  const folder = ground(context, [
    permit({ decisionId: idOf(1), principal: ANONYMOUS }),
    permit({ decisionId: idOf(2) }),
  ]);
  assert.match(report(folder).stdout, /Who did\n.*\n {4}anonymous +1 /);
  const asked = ["--audit", "log", "--principal", "anonymous"];
  const found = runIn(folder, "audit", "search", ...asked);
  assert.equal(found.status, 0, found.stderr);
  assert.match(found.stdout, /^\S+ {2}permit {2}permitted {2}anonymous {2}.*\n$/);
  assert.equal(runIn(folder, "audit", "search", ...asked, "--decision", "deny").status, 1);
  const csv = runIn(folder, "audit", "export", ...asked, "--format", "csv").stdout;
  assert.match(csv, new RegExp(`,${idOf(1)},permit,permitted,anonymous,`));
  assert.equal(csv.trim().split("\n").length, 2);
});
