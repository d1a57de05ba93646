import assert from "node:assert/strict";
import { once } from "node:events";
import { spawn } from "node:child_process";
import { appendFileSync, chmodSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openLog, permit, strangerDenial, until } from "../../test/audit-kit.ts";
import { ground, runIn } from "../../test/policy/log-ground.ts";
import { idOf, linesOf, request, search } from "../../test/search-ground.ts";

const searchIn = (folder: string, ...args: string[]) =>
  runIn(folder, "audit", "search", "--audit", "log", ...args);

const DECISIONS = [
  permit({ decisionId: idOf(1) }),
  permit({ decisionId: idOf(2), path: "/billing/\u009b31mred" }),
  strangerDenial({ decisionId: idOf(3) }),
];

test("audit search prints what it finds, the newest first, and how to go on", (context) => {
  const folder = ground(context, DECISIONS);
  const first = searchIn(folder, "--limit", "2");
  assert.equal(first.status, 0, first.stderr);
  assert.match(
    first.stdout,
    /^2026-11-24T04:05:06.123Z {2}deny {4}missing-credential {2}- +billing {2}192\.0\.2\.7 {2}\S+3 {2}GET api\.example\.com\/billing\/records\/17\n/,
  );
  assert.match(
    first.stdout,
    /\/billing\/\uFFFD31mred\n$/,
    "no control character reaches a terminal",
  );
  const [, before = ""] = /--before (\S+)/.exec(first.stderr) ?? [];
  const second = searchIn(folder, "--before", before, "--format", "jsonl");
  assert.equal((JSON.parse(second.stdout) as { decisionId: string }).decisionId, idOf(1));
  assert.equal(second.stderr, "");
});

test("audit search exits 1 where nothing is found, and 2 for what it cannot look for", (context) => {
  const folder = ground(context, DECISIONS);
  const none = searchIn(folder, "--principal", "corp/nobody");
  assert.deepEqual([none.status, none.stdout], [1, ""]);
  assert.match(none.stderr, /^no record found/);
  for (const [args, said] of [
    [["--reason", "mising-credential"], /--reason: .* did you mean missing-credential\?/],
    [["--limit", "0"], /--limit: "0" is no number of records {2}a whole number from 1 to 10000/],
    [["--audit", "gone"], /gone cannot be read \(ENOENT\)/],
  ] as const) {
    const wrong = searchIn(folder, ...args);
    assert.equal(wrong.status, 2, args.join(" "));
    assert.match(wrong.stderr, said);
  }
  // The folder is the one that the configuration names.
  const configured = runIn(folder, "audit", "search");
  assert.match(configured.stderr, /data\/audit cannot be read \(ENOENT\)/);
});

test("audit index --follow takes in what is written, until a signal", async (context) => {
  const folder = ground(context, DECISIONS);
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const words = [main, "audit", "index", "--audit", "log", "--follow"];
  const child = spawn(process.execPath, words, { cwd: folder });
  context.after(() => child.kill("SIGKILL"));
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  assert.match(said.toString("utf8"), /^6 records added, 2 files\n$/);
  const log = join(folder, "log");
  appendFileSync(join(log, "audit-20261125T040506.123Z-1.jsonl"), linesOf(request(9)));
  // Nothing is left for a search to read.
  await until("the record is indexed", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return (await search(log, { id: [idOf(9)] })).built.records === 0;
  });
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 0);
});

test("audit tail prints the end, follows until a signal, and audit export says how many", async (context) => {
  const folder = ground(context, DECISIONS);
  const last = runIn(
    folder,
    "audit",
    "tail",
    "--audit",
    "log",
    "--limit",
    "1",
    "--decision",
    "deny",
  );
  assert.match(last.stdout, /^\S+ {2}deny {2}missing-credential {2}- {2}billing {2}[^\n]+\n$/);
  const file = join(folder, "all.csv");
  const written = runIn(
    folder,
    "audit",
    "export",
    "--audit",
    "log",
    "--format",
    "csv",
    "--output",
    file,
  );
  assert.equal(written.stderr, "6 records of 2 files exported\n");
  assert.equal(readFileSync(file, "utf8").split("\r\n").length, 8);
  assert.equal(statSync(file).mode & 0o777, 0o600);

  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const words = [main, "audit", "tail", "--audit", "log", "--follow", "--format", "jsonl"];
  const child = spawn(process.execPath, words, { cwd: folder });
  context.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stdout.on("data", (more: Buffer) => (said += more.toString("utf8")));
  await until("the end of the log", () => said.split("\n").length === 7);
  // Of a worker that has begun meanwhile.
  appendFileSync(join(folder, "log", "audit-20261126T040506.123Z-2.jsonl"), linesOf(request(9)));
  await until("what was written", () => said.split("\n").length === 9);
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 0);
});

test("audit erase throws a person's key away; a search finds her until then", async (context) => {
  const folder = ground(context, []);
  const log = join(folder, "log");
  chmodSync(log, 0o700);
  const audit = await openLog(context, { redact: ["principal.subject"] }, { folder: log });
  audit.log.decision(permit({ decisionId: idOf(1) }));
  await audit.log.close();
  const mine = ["--principal", "corp/payments"];
  const found = searchIn(folder, ...mine);
  assert.equal(found.status, 0, found.stderr);
  assert.match(found.stdout, / corp\/hmac:\S+ /);
  assert.doesNotMatch(found.stderr, /redacted/);
  const explained = runIn(folder, "explain", idOf(1), "--audit", "log");
  assert.match(
    explained.stdout,
    /not evaluated again, since policies can look at what is redacted in the record: [\w.]+/,
  );
  const erased = runIn(folder, "audit", "erase", "--audit", "log", ...mine);
  assert.equal(erased.status, 0, erased.stderr);
  const [, pseudonym = ""] = /^erased: (corp\/hmac:[\w-]{43})\n$/.exec(erased.stdout) ?? [];
  const gone = searchIn(folder, ...mine);
  assert.equal(gone.status, 1);
  assert.match(
    gone.stderr,
    /^no record found\nsubjects are redacted in this log .* without people\/\n$/,
  );
  const exported = runIn(folder, "audit", "export", "--audit", "log", ...mine);
  assert.match(
    exported.stderr,
    /^0 records of \d files exported\nsubjects are redacted in this log /,
  );
  const event = searchIn(folder, "--event", "person-erased", "--format", "jsonl");
  const { detail, principal } = JSON.parse(event.stdout) as Record<string, string>;
  assert.equal(principal, pseudonym);
  assert.ok(!`${detail}`.includes("payments"));
  // The rest can be joined all the same.
  const joined = searchIn(folder, "--principal", pseudonym);
  assert.match(joined.stdout, new RegExp(idOf(1)));
  assert.equal(joined.stderr, "");
  const again = runIn(folder, "audit", "erase", "--audit", "log", ...mine);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /there is no key of that person/);
  for (const elsewhere of ["nowhere", "."]) {
    const none = runIn(folder, "audit", "erase", "--audit", elsewhere, ...mine);
    assert.equal(none.status, 2, "nobody is told that she was erased");
    assert.match(none.stderr, /has no values\.key.*name that of the log/);
    const tail = runIn(folder, "audit", "tail", "--audit", elsewhere);
    assert.equal(tail.status, 2, "nor that there was nothing");
  }
});

test("audit search --address says so where addresses are redacted", async (context) => {
  const folder = ground(context, []);
  const log = join(folder, "log");
  chmodSync(log, 0o700);
  const audit = await openLog(context, { redact: ["peerAddress"] }, { folder: log });
  audit.log.decision(permit({ decisionId: idOf(1) }));
  await audit.log.close();
  const address = ["--address", "192.0.2.7"];
  const redacted = searchIn(folder, ...address);
  assert.equal(redacted.status, 1);
  assert.match(redacted.stderr, /no record found\naddresses are redacted in this log/);
  const plain = searchIn(ground(context, [permit({ decisionId: idOf(1) })]), ...address);
  assert.equal(plain.status, 0);
  assert.doesNotMatch(plain.stderr, /redacted/);
});
