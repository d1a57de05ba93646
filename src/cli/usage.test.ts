import assert from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { openLog, permit } from "../../test/audit-kit.ts";
import { ground, runIn } from "../../test/policy/log-ground.ts";
import { takeKeepingLock } from "../app/keeping/keeping-lock.ts";
import { compressSegment } from "../audit/archive/compress.ts";
import { readHour, usualHours } from "../limits/usage/usage-times.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 10, 24, 4);

function billed(context: TestContext): string {
  const principal = permit().principal;
  assert.ok(principal !== undefined);
  const records = [0, 1, 2, 30].map((hours, index) =>
    permit({
      decisionId: `d${index}`,
      timeMs: START + hours * HOUR,
      usage: { cost: 2.5, plan: "gold" },
      principal: { ...principal, subject: index === 1 ? '=cmd|" /C calc",\u202e1' : "payments" },
    }),
  );
  const folder = ground(context, records);
  writeFileSync(
    join(folder, "sallyport.yaml"),
    "audit: { path: log }\nusage: { plans: { gold: {} }, plan: { default: gold } }\n",
  );
  return folder;
}

test("usage rebuild makes the book of the log, and report says what is in it", async (context) => {
  const folder = billed(context);
  const before = runIn(folder, "usage", "report");
  assert.equal(before.status, 2);
  assert.match(before.stderr, /usage\.db is not there; sallyport usage rebuild makes it/);
  const made = runIn(folder, "usage", "rebuild");
  assert.equal(made.status, 0, made.stderr);
  assert.equal(statSync(join(folder, "log", "usage", "usage.db")).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(folder, "log", "usage")), ["usage.db"]);
  const report = (...args: string[]) =>
    runIn(folder, "usage", "report", "--from", "2026-11", ...args);
  const text = report("--by", "plan,day");
  assert.equal(text.status, 0, text.stderr);
  assert.equal(
    text.stdout,
    [
      "PLAN  DAY         REQUESTS  DENIED  BYTESIN  BYTESOUT  COST\n",
      "gold  2026-11-24  3         0       0        7336      7.5\n",
      "gold  2026-11-25  1         0       0        0         2.5\n",
    ].join(""),
  );
  const json = report("--by", "", "--format", "json", "--principal", "corp/payments");
  assert.deepEqual(JSON.parse(json.stdout), {
    requests: 3,
    denied: 0,
    bytesIn: 0,
    bytesOut: 5502,
    cost: 7.5,
  });
  const csv = runIn(
    folder,
    "usage",
    "export",
    "--from",
    "2026-11-24T05Z",
    "--to",
    "2026-11-24T06Z",
  );
  assert.equal(
    csv.stdout,
    [
      "hour,principal,plan,service,route,operation,requests,denied,bytesIn,bytesOut,cost\r\n",
      '2026-11-24T05Z,"corp/=cmd|"" /C calc"",\\u202e1",gold,billing,billing,GET,1,0,0,0,2.5\r\n',
    ].join(""),
  );
  assert.doesNotMatch(report().stdout, /\u202e/, "nothing turns a terminal's line around");
  const log = join(folder, "log");
  for (const name of readdirSync(log).filter((file) => file.endsWith(".jsonl"))) {
    await compressSegment(log, name);
  }
  const again = runIn(folder, "usage", "rebuild");
  assert.equal(again.status, 0, again.stderr);
  assert.equal(
    report("--by", "plan,day").stdout,
    text.stdout,
    "made of compressed files it says the same",
  );
});

test("usage rebuild loses nothing that the log does not have any more, and waits for no proxy", (context) => {
  const folder = billed(context);
  assert.equal(runIn(folder, "usage", "rebuild").status, 0);
  const lock = takeKeepingLock(join(folder, "log"));
  const kept = runIn(folder, "usage", "rebuild");
  assert.deepEqual([kept.status, kept.stderr.includes("a proxy keeps this log")], [2, true]);
  lock?.release();
  const text = (): string => runIn(folder, "usage", "report", "--from", "2026-11").stdout;
  const before = text();
  rmSync(join(folder, "log", "audit-20261124T040506.123Z-1.jsonl"));
  const later = join(folder, "log", "audit-20261125T040506.123Z-1.jsonl");
  const decisions = readFileSync(later, "utf8").replaceAll(/^.*"type":"completion".*\n/gm, "");
  writeFileSync(later, decisions);
  const refused = runIn(folder, "usage", "rebuild");
  assert.equal(refused.status, 2);
  assert.match(
    refused.stderr,
    /begins with 2026-11-24T04Z and the log has usage from 2026-11-24T06Z on; --lose-older/,
  );
  assert.equal(text(), before);
  const left = readdirSync(join(folder, "log", "usage")).filter((name) => name.startsWith("."));
  assert.deepEqual(left, []);
  assert.equal(runIn(folder, "usage", "rebuild", "--lose-older").status, 0);
  assert.notEqual(text(), before);
});

test("usage report refuses what it cannot answer, and exits 1 for nothing", (context) => {
  const folder = billed(context);
  runIn(folder, "usage", "rebuild");
  for (const [args, said] of [
    [["--by", "principel"], /--by: .* did you mean "principal"\?/],
    [["--by", "day,day"], /--by: "day" stands twice/],
    [["--from", "2026-02-31"], /--from: "2026-02-31" is no hour/],
    [["--from", "2026-11-24T04:30:00Z"], /is no hour/],
    [["--from", "2026-11", "--to", "2026-11"], /--from is not before --to/],
    [
      ["--principal", "ada"],
      /--principal: "ada" names nobody {2}<authenticator>\/<subject>, such as /,
    ],
  ] as const) {
    const wrong = runIn(folder, "usage", "report", ...args);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, said);
  }
  const none = runIn(folder, "usage", "report", "--from", "2026-11", "--plan", "free");
  assert.deepEqual([none.status, none.stdout], [1, ""]);
  assert.equal(none.stderr, 'no usage found; in that time there is no plan "free"\n');
  const near = runIn(folder, "usage", "report", "--from", "2026-11", "--plan", "glod");
  assert.match(near.stderr, /there is no plan "glod" \(did you mean "gold"\?\)\n$/);
  const nobody = runIn(folder, "usage", "report", "--from", "2026-11", "--principal", "corp/ada");
  assert.deepEqual([nobody.status, nobody.stderr], [1, "no usage found\n"]);
  writeFileSync(join(folder, "sallyport.yaml"), "audit: { path: log }\n");
  assert.match(runIn(folder, "usage", "report").stderr, /does not say that usage is counted/);
  writeFileSync(join(folder, "sallyport.yaml"), "audit: { path: log }\nusage: { keep: 1s }\n");
  assert.match(runIn(folder, "usage", "report").stderr, /its section usage is not valid/);
  const gone = runIn(folder, "usage", "report", "-c", "gone.yaml").stderr;
  assert.match(gone, /cannot be read \(ENOENT\) {2}name another with -c\n$/);
});

test("readHour() takes months, days and hours, and nothing between", () => {
  assert.equal(readHour("2026-11"), Date.UTC(2026, 10, 1));
  assert.equal(readHour("2026-11-27"), Date.UTC(2026, 10, 27));
  assert.equal(readHour("2026-11-27T04Z"), Date.UTC(2026, 10, 27, 4));
  assert.equal(readHour("2026-11-27T04:00:00Z"), Date.UTC(2026, 10, 27, 4));
  assert.equal(readHour("2026-11-27T04:00:00.000Z"), Date.UTC(2026, 10, 27, 4));
  assert.equal(readHour("2026-11-27T04:00+01:00"), Date.UTC(2026, 10, 27, 3));
  for (const text of [
    "",
    "2026",
    "2026-13",
    "2026-11-31",
    "2026-11-27T24Z",
    "2026-11-27T04",
    "2026-11-27T04:00+00:30",
    "2h",
  ]) {
    assert.equal(readHour(text), undefined, text);
  }
  assert.deepEqual(usualHours(Date.UTC(2026, 11, 1, 0, 10)), {
    fromMs: Date.UTC(2026, 11, 1),
    toMs: Date.UTC(2026, 11, 1, 1),
  });
});

test("usage report finds a principal whose subject is redacted, until she is erased", async (context) => {
  const folder = ground(context, []);
  const log = join(folder, "log");
  chmodSync(log, 0o700);
  writeFileSync(
    join(folder, "sallyport.yaml"),
    "audit: { path: log, redact: [principal.subject] }\nusage: { plans: { gold: {} }, plan: { default: gold } }\n",
  );
  const audit = await openLog(context, { redact: ["principal.subject"] }, { folder: log });
  audit.log.decision(permit({ timeMs: START, usage: { cost: 2.5, plan: "gold" } }));
  await audit.log.close();
  const made = runIn(folder, "usage", "rebuild");
  assert.equal(made.status, 0, made.stderr);
  const mine = ["--principal", "corp/payments"];
  const report = () => runIn(folder, "usage", "report", "--from", "2026-11-24", ...mine);
  const found = report();
  assert.equal(found.status, 0, found.stderr);
  assert.match(found.stdout, /corp\/hmac:\S+ +1 +0 +0 +0 +2\.5\n/);
  const erased = runIn(folder, "audit", "erase", "--audit", "log", ...mine);
  assert.equal(erased.status, 0, erased.stderr);
  assert.equal(report().status, 1);
});
