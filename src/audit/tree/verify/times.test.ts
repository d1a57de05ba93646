/**
 * Advisory: whoever can write the folder, and has no key, removes files and says in the running log that retention
 * did it; or writes other times into `checkpoints.jsonl`, which no key signs, so that what was removed looks old.
 */
import assert from "node:assert/strict";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NOW_MS } from "../../../../test/audit-kit.ts";
import { feed, treeGround, type TreeGround } from "../../../../test/tree-kit.ts";
import { createNoteKey } from "../../../../test/witness-server.ts";
import { parseCheckpointLine } from "../checkpoint-lines.ts";
import { parseNote, readVkey } from "../note.ts";
import { verifyLog, type VerifyOptions } from "./verify-log.ts";

const FIRST = "audit-20261124T040506.123Z-17.jsonl";
const SECOND = "audit-20261124T040506.124Z-18.jsonl";
const LATER = "audit-20261204T040506.124Z-18.jsonl";
const DAY_MS = 86_400_000;

function at(ms: number): string {
  return new Date(ms).toISOString();
}

function records(ms: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `{"n":${index},"time":"${at(ms)}"}`);
}

function removal(name: string, ms: number): string {
  return `{"detail":"older than audit.keep","event":"file-removed","figures":{"bytes":7,"file":"${name}"},"time":"${at(ms)}","type":"event","v":1}`;
}

/** Under a checkpoint each: 10 records of either file now, and the planted record ten days later. */
async function planted(ground: TreeGround, ...removed: readonly string[]): Promise<void> {
  const { folder, clock } = ground;
  const sealer = await ground.open();
  const seal = (name: string, lines: readonly string[]): void => {
    ground.write(name, lines);
    feed(sealer, folder, name);
    sealer.commit();
  };
  seal(FIRST, records(clock.now(), 10));
  clock.advance(1000);
  seal(SECOND, records(clock.now(), 10));
  clock.advance(10 * DAY_MS);
  seal(
    LATER,
    removed.map((name) => removal(name, clock.now())),
  );
  sealer.close();
}

async function verified({ folder }: TreeGround, options: Partial<VerifyOptions> = {}) {
  const key = readVkey(readFileSync(join(folder, "tree/checkpoint.pub"), "utf8"));
  const report = await verifyLog({ folder, keys: [key], ...options });
  return { ...report, kinds: report.faults.map(({ kind }) => kind) };
}

/** Writes another time into one checkpoint line. */
function retime({ folder }: TreeGround, number: number, time: string): void {
  const path = join(folder, "tree/checkpoints.jsonl");
  const lines = readFileSync(path, "utf8").split("\n");
  lines[number - 1] = (lines[number - 1] ?? "").replace(/"time":"[^"]*"\}$/, `"time":"${time}"}`);
  writeFileSync(path, lines.join("\n"));
}

test("a file that is said to have been removed had to be as old as it is to be kept", async (t) => {
  const ground = await treeGround(t);
  await planted(ground, SECOND);
  for (const name of [FIRST, SECOND]) rmSync(join(ground.folder, name));
  assert.deepEqual((await verified(ground)).kinds, [], "nobody says for how long");
  const { faults } = await verified(ground, { keepMs: 400 * DAY_MS });
  assert.deepEqual(
    faults.map(({ kind, segment, records: count }) => [kind, segment, count]),
    [
      ["retention", FIRST, 10],
      ["retention", SECOND, 10],
    ],
    "also where another record vouches for it",
  );
  assert.match(faults[1]?.detail ?? "", /10 days later, and it is to be kept for 400 days$/);
  assert.deepEqual((await verified(ground, { keepMs: 10 * DAY_MS })).kinds, []);
  assert.deepEqual((await verified(ground, { keepMs: 12 * DAY_MS })).kinds, [
    "retention",
    "retention",
  ]);
});

test("another time of a checkpoint makes no file older, where a record before it has its own", async (t) => {
  const ground = await treeGround(t);
  await planted(ground, SECOND);
  rmSync(join(ground.folder, SECOND));
  retime(ground, 2, at(NOW_MS - 500 * DAY_MS));
  const { kinds, faults, times } = await verified(ground, { keepMs: 400 * DAY_MS });
  assert.deepEqual(kinds, ["time"]);
  assert.match(
    faults[0]?.detail ?? "",
    /^checkpoint 2 is said to be of 2025-.*, before 2026-11-24T04:05:06/,
  );
  assert.equal(times.count, 1);
  const alone = await verified(ground);
  assert.deepEqual([alone.kinds, alone.times.count], [[], 1], "told, where nothing is made of it");
});

test("… nor where a witness saw the log before it", async (t) => {
  const ground = await treeGround(t);
  await planted(ground, SECOND);
  for (const name of [FIRST, SECOND]) rmSync(join(ground.folder, name));
  for (const number of [1, 2]) retime(ground, number, at(NOW_MS - 500 * DAY_MS));
  const keepMs = 400 * DAY_MS;
  assert.deepEqual((await verified(ground, { keepMs })).kinds, [], "nothing else has a time");
  const witness = createNoteKey("witness.example/w", 4);
  const [line = ""] = readFileSync(join(ground.folder, "tree/checkpoints.jsonl"), "utf8").split(
    "\n",
  );
  const { text } = parseNote(parseCheckpointLine(line).note);
  const cosignatures = [witness.sign(text, Math.floor(NOW_MS / 1000)).trimEnd()];
  const seen = { name: "w", place: "https://w.example", size: 10, status: 200 };
  const journal = { ...seen, time: at(NOW_MS), type: "tlog-witness", cosignatures };
  writeFileSync(join(ground.folder, "tree/witnesses.jsonl"), `${JSON.stringify(journal)}\n`);
  const witnesses = [readVkey(witness.vkey)];
  const { kinds, faults } = await verified(ground, { keepMs, witnesses });
  assert.deepEqual(kinds, ["time"]);
  assert.match(faults[0]?.detail ?? "", /^checkpoint 2 .* when a witness cosigned checkpoint 1$/);
});

test("other records are not said to have been of a file that was removed before them", async (t) => {
  const ground = await treeGround(t);
  await planted(ground, SECOND);
  const sealer = await ground.open();
  const last = "audit-20261205T040506.124Z-18.jsonl";
  ground.write(last, records(ground.clock.now(), 10));
  feed(sealer, ground.folder, last);
  sealer.close();
  for (const name of [FIRST, SECOND]) rmSync(join(ground.folder, name));
  assert.deepEqual(
    (await verified(ground)).kinds,
    [],
    "removed, as far as nobody says for how long",
  );
  const path = join(ground.folder, "tree/checkpoints.jsonl");
  const before = readFileSync(path, "utf8");
  const bytes = readFileSync(join(ground.folder, last)).length;
  rmSync(join(ground.folder, last));
  // Under the name of the removed file, and beside it: nothing of that is signed.
  for (const parts of [`["${SECOND}",10,${bytes}]`, `["${last}",10,${bytes}],["${SECOND}",0,0]`]) {
    const changed = before.replace(`["${last}",10,${bytes}]`, parts);
    assert.notEqual(changed, before);
    writeFileSync(path, changed);
    assert.ok((await verified(ground)).kinds.includes("missing"), parts);
  }
});

test("times of checkpoints that cannot be true are told", async (t) => {
  const ground = await treeGround(t);
  await planted(ground, "none");
  const nowMs = NOW_MS + 11 * DAY_MS;
  const told = async (): Promise<string> =>
    (await verified(ground, { nowMs })).times.told.join("\n");
  assert.equal(await told(), "");
  for (const [number, time, said] of [
    [1, at(NOW_MS - 20 * 60_000), /^checkpoint 1 .*, of a record that it covers$/],
    [
      2,
      at(NOW_MS - 20 * 60_000),
      /^checkpoint 2 .*, of a record that it covers\n.*, of a record under checkpoint 1$/,
    ],
    [2, at(NOW_MS + 12 * DAY_MS), /^checkpoint 3 .*, the time of checkpoint 2\n.* is yet to come$/],
    [3, at(NOW_MS + 12 * DAY_MS), /^2026-12-06.*, the time of checkpoint 3, is yet to come$/],
    [3, "yesterday", /^checkpoint 3 has no time$/],
  ] as const) {
    const path = join(ground.folder, "tree/checkpoints.jsonl");
    const before = readFileSync(path);
    retime(ground, number, time);
    assert.match(await told(), said);
    writeFileSync(path, before);
  }
});

test("a record of a time to come, which somebody planted, is told once", async (t) => {
  const ground = await treeGround(t);
  await planted(ground, "none");
  const sealer = await ground.open();
  for (const ms of [Date.UTC(9999, 0), ground.clock.now(), ground.clock.now()]) {
    ground.write(LATER, records(ms, 1));
    feed(sealer, ground.folder, LATER);
    sealer.commit();
  }
  sealer.close();
  const { times } = await verified(ground, { nowMs: ground.clock.now() });
  assert.match(
    times.told.join("\n"),
    /^checkpoint 4 .* before 9999-01-01T00:00:00.000Z, of a record that it covers$/,
  );
});

test("a checkpoint is not from after a witness saw it", async (t) => {
  const ground = await treeGround(t);
  await planted(ground, "none");
  const witness = createNoteKey("witness.example/w", 4);
  const last = readFileSync(join(ground.folder, "tree/checkpoints.jsonl"), "utf8")
    .split("\n")
    .at(-2);
  const { text } = parseNote(parseCheckpointLine(last ?? "").note);
  const cosignatures = [witness.sign(text, Math.floor(NOW_MS / 1000) + 86_400).trimEnd()];
  const seen = { name: "w", place: "https://w.example", size: 21, status: 200 };
  const journal = { ...seen, time: at(NOW_MS), type: "tlog-witness", cosignatures };
  writeFileSync(join(ground.folder, "tree/witnesses.jsonl"), `${JSON.stringify(journal)}\n`);
  const { times } = await verified(ground, { witnesses: [readVkey(witness.vkey)] });
  assert.match(
    times.told.join("\n"),
    /^checkpoint 3 is said to be of 2026-12-04.*cosigned it at 2026-11-25/,
  );
});

test("a file does not begin after its records: what it is called, no key signs", async (t) => {
  const ground = await treeGround(t);
  await planted(ground, "none");
  // An export up to a time leaves out files that begin later.
  const renamed = "audit-20991124T040506.124Z-18.jsonl";
  renameSync(join(ground.folder, SECOND), join(ground.folder, renamed));
  const path = join(ground.folder, "tree/checkpoints.jsonl");
  writeFileSync(path, readFileSync(path, "utf8").replaceAll(SECOND, renamed));
  const { kinds, times } = await verified(ground);
  assert.deepEqual(kinds, []);
  assert.match(
    times.told.join("\n"),
    /^audit-2099\S+ has a record of 2026-\S+, before it began by its name$/,
  );
});

test("where a file is said to have ended, its sealed bytes end", async (t) => {
  const ground = await treeGround(t);
  const sealer = await ground.open();
  ground.write(FIRST, records(NOW_MS, 10));
  feed(sealer, ground.folder, FIRST);
  const bytes = readFileSync(join(ground.folder, FIRST)).length;
  sealer.ended?.({ segment: FIRST, bytes, tornBytes: 0 });
  sealer.close();
  assert.deepEqual((await verified(ground)).kinds, []);
  const path = join(ground.folder, "tree/checkpoints.jsonl");
  writeFileSync(
    path,
    readFileSync(path, "utf8").replace(`{"bytes":${bytes}`, `{"bytes":${bytes + 1}`),
  );
  const { kinds, faults } = await verified(ground);
  assert.deepEqual(kinds, ["checkpoint"]);
  assert.match(faults[0]?.detail ?? "", /ended with \d+ bytes, and \d+ are sealed of it$/);
});
