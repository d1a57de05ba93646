import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { feed, treeGround, type TreeGround } from "../../test/tree-kit.ts";
import { createNoteKey } from "../../test/witness-server.ts";
import { parseCheckpoint } from "../audit/tree/checkpoint.ts";
import { parseCheckpointLine } from "../audit/tree/checkpoint-lines.ts";
import { parseNote, readVkey } from "../audit/tree/note.ts";
import type { KeptCheckpoint } from "../audit/tree/verify/kept.ts";
import { verifyLog, type VerifyOptions } from "../audit/tree/verify/verify-log.ts";
import { auditVerify, type VerifyCommandOptions } from "./audit-verify.ts";
import { verifyText } from "./audit-verify-text.ts";

const A = "audit-20261124T040506.123Z-17.jsonl";

function lines(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `{"n":${from + index},"is":"a record"}`);
}

/** Checkpoints of 100, 220 and 340 records. */
async function sealed(ground: TreeGround): Promise<void> {
  const sealer = await ground.open();
  for (const [from, count] of [
    [0, 100],
    [100, 120],
    [220, 120],
  ] as const) {
    ground.write(A, lines(from, count));
    feed(sealer, ground.folder, A);
    sealer.commit();
  }
  sealer.close();
}

async function verified({ folder }: TreeGround, options: Partial<VerifyOptions> = {}) {
  const key = readVkey(readFileSync(join(folder, "tree/checkpoint.pub"), "utf8"));
  const report = await verifyLog({ folder, keys: [key], ...options });
  return { ...report, kinds: report.faults.map(({ kind }) => kind) };
}

function notesOf({ folder }: TreeGround): string[] {
  const text = readFileSync(join(folder, "tree/checkpoints.jsonl"), "utf8");
  const whole = text.split("\n").slice(0, -1);
  return whole.map((line) => parseCheckpointLine(line).note);
}

function kept(text: string, name = "kept"): KeptCheckpoint {
  const note = parseNote(text);
  return { name, note, checkpoint: parseCheckpoint(note.text) };
}

function change(ground: TreeGround, file: string, how: (text: string) => string): void {
  const path = join(ground.folder, file);
  writeFileSync(path, how(readFileSync(path, "utf8")));
}

function witnessLine(size: number, more: object = {}): string {
  const line = { place: "https://witness.example", size, status: 200 };
  const [time, type] = ["2026-11-24T04:05:06.123Z", "tlog-witness"];
  return JSON.stringify({ name: "ours", ...line, time, type, ...more });
}

function witnessed(ground: TreeGround, ...journal: string[]): void {
  writeFileSync(join(ground.folder, "tree/witnesses.jsonl"), `${journal.join("\n")}\n`);
}

test("what a witness cosigned is proven by its key, and by nothing else", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const witness = createNoteKey("witness.example/w", 4);
  const stranger = createNoteKey("witness.example/w", 4);
  const line = (size: number, cosignature: string): string =>
    witnessLine(size, { cosignatures: [cosignature.trimEnd()] });
  const notes = notesOf(ground).map((note) => parseNote(note).text);
  witnessed(
    ground,
    line(100, witness.sign(notes[0] ?? "", 1_764_000_000)),
    line(220, witness.sign(notes[1] ?? "", 1_764_000_010)),
    line(340, stranger.sign(notes[2] ?? "", 1_764_000_020)),
    "no line at all",
  );
  const proven = await verified(ground, { witnesses: [readVkey(witness.vkey)] });
  assert.deepEqual(proven.kinds, []);
  assert.deepEqual(proven.witnesses[0], {
    name: "witness.example/w",
    size: 220,
    time: "2025-11-24T16:00:10.000Z",
    proven: true,
  });
  assert.equal(proven.unwitnessed, 120);
  const claimed = await verified(ground);
  assert.deepEqual([claimed.witnesses[0]?.size, claimed.witnesses[0]?.proven], [340, false]);
  assert.equal(claimed.unwitnessed, 340);
});

test("a log that is not the one that a witness cosigned is not whole", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const witness = createNoteKey("witness.example/w", 4);
  const witnesses = [readVkey(witness.vkey)];
  const told = async (): Promise<string[]> => {
    return (await verified(ground, { witnesses })).faults.map((one) => `${one.kind} ${one.detail}`);
  };
  assert.match((await told()).join("\n"), /^witness .* has cosigned nothing of this log/);
  const cosigned = (size: number, text: string): string => {
    return witnessLine(size, { cosignatures: [witness.sign(text, 1_764_000_000).trimEnd()] });
  };
  const notes = notesOf(ground).map((note) => parseNote(note).text);
  const seen = [220, 340].map((size, index) => cosigned(size, notes[index + 1] ?? ""));
  witnessed(ground, ...seen);
  assert.deepEqual(await told(), []);
  witnessed(ground, ...seen, cosigned(100, notes[1] ?? ""));
  assert.match((await told()).join("\n"), /^witness .*cosigned 100 records, and no checkpoint/);
  // The records of the last checkpoint, and the checkpoint, are taken away.
  witnessed(ground, ...seen);
  change(ground, A, () => `${lines(0, 220).join("\n")}\n`);
  change(ground, "tree/checkpoints.jsonl", (text) => {
    return `${text.split("\n").slice(0, 2).join("\n")}\n`;
  });
  assert.match((await told()).join("\n"), /^witness .*cosigned 340 records, and 220 are sealed/);
  const unproven = await verified(ground);
  assert.deepEqual([unproven.kinds, unproven.records], [[], 220]);
  assert.match(verifyText(unproven, 1), /^WARNING: tlog-witness ours .* 340 records .*cut back/m);
});

test("a kept checkpoint says what is held elsewhere, and may bear the cosignature of a witness", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const witness = createNoteKey("witness.example/w", 4);
  const [, note = ""] = notesOf(ground);
  const plain = await verified(ground, { kept: [kept(note, "june.txt")] });
  assert.deepEqual([plain.kinds, plain.unwitnessed], [[], 120]);
  assert.deepEqual(plain.kept, [{ name: "june.txt", size: 220, holds: true }]);
  const text = verifyText(plain, 1);
  assert.match(text, /begins with the kept checkpoint june\.txt of 220 records/);
  assert.match(text, /kept elsewhere.*: 120 of 340 sealed records/);
  const both = kept(`${note}${witness.sign(parseNote(note).text, 1_764_000_000)}`);
  const witnesses = [readVkey(witness.vkey)];
  const cosigned = await verified(ground, { kept: [both], witnesses });
  assert.deepEqual([cosigned.kinds, cosigned.witnesses[0]?.size], [[], 220]);
});

test("what a webhook is said to have seen is shown by the copy that it keeps", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  witnessed(ground, witnessLine(341, { type: "webhook" }));
  assert.match(
    verifyText(await verified(ground), 1),
    /^WARNING: webhook ours .*--checkpoint FILE/m,
  );
  witnessed(ground, witnessLine(340, { type: "webhook" }));
  assert.match(verifyText(await verified(ground), 1), /^webhook ours .*--checkpoint FILE/m);
});

test("what is missing is told between its lines, and leaves are told apart from lines", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const [first = "", second = "", ...rest] = lines(0, 340);
  change(ground, A, () => `${[first, second, ...rest.slice(2)].join("\n")}\n`);
  const missing = verifyText(await verified(ground), 1);
  assert.match(
    missing,
    /^FAULT missing: .*, leaf 2 of the tree \(from 0\): records are missing: 2 records between line 2 and line 3$/m,
  );
  change(ground, A, () => `${[first, "{}", second, ...rest.slice(0, -1)].join("\n")}\n`);
  const added = verifyText(await verified(ground), 1);
  assert.match(added, /^FAULT added: .*line 2, .*: a line was put in: it was never sealed$/m);
  assert.match(added, /^FAULT truncated: .*: 1 record behind line 340$/m);
  assert.match(added, /in 1 file, sealed by 3 checkpoints/);
});

test("audit verify takes how long files are kept from --keep, else from the configuration that it is given", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const { folder, clock } = ground;
  clock.advance(86_400_000 * 10);
  const sealer = await ground.open();
  const later = "audit-20261204T040506.123Z-17.jsonl";
  const time = new Date(clock.now()).toISOString();
  ground.write(later, [
    `{"detail":"older than audit.keep","event":"file-removed","figures":{"bytes":7,"file":"${A}"},"time":"${time}","type":"event","v":1}`,
  ]);
  feed(sealer, folder, later);
  sealer.close();
  rmSync(join(folder, A));
  const config = join(folder, "..", "sallyport.yaml");
  writeFileSync(config, "audit: { path: audit, keep: 400d }\n");
  const run = async (named: string | undefined, more: Partial<VerifyCommandOptions>) => {
    const out: string[] = [];
    const options = {
      config,
      key: [],
      checkpoint: [],
      witness: [],
      format: "text",
      ...more,
    } as const;
    const said = { write: (text: string) => void out.push(text), hint: () => undefined, clock };
    return { code: await auditVerify(named, options, said), text: out.join("") };
  };
  assert.equal((await run(folder, {})).code, 0, "a configuration that nobody named is not read");
  assert.equal((await run(folder, { keep: "9d" })).code, 0);
  assert.equal((await run(undefined, { keep: "9d" })).code, 0);
  for (const { code, text } of [
    await run(undefined, {}),
    await run(folder, { configNamed: true }),
    await run(folder, { keep: "400d" }),
  ]) {
    assert.equal(code, 1);
    assert.match(
      text,
      /^FAULT retention: audit-\S+, leaf 0 .*a file is gone that was to be kept longer: /,
    );
  }
  await assert.rejects(
    run(folder, { keep: "1year" }),
    /--keep: a duration from 1h to 36500d, such as 12h or 30d/,
  );
  // Also where nothing else could be looked at.
  rmSync(join(folder, "tree"), { recursive: true });
  await assert.rejects(
    run(folder, {}),
    /has no tree\/checkpoint\.pub: name the folder of an audit log, /,
  );
  await assert.rejects(run(folder, { keep: "1year" }), /--keep: a duration/);
});

test("audit verify says of a file that it may not read that it cannot be read, not that it is gone", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  chmodSync(join(ground.folder, A), 0);
  for (const path of ["..", ".", "tree"]) chmodSync(join(ground.folder, path), 0o755);
  chmodSync(join(ground.folder, "tree/checkpoints.jsonl"), 0o644);
  chmodSync(join(ground.folder, "tree/keys.jsonl"), 0o644);
  const key = join(ground.folder, "tree/checkpoint.pub");
  chmodSync(key, 0o644);
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  // To root nothing is forbidden.
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [main, "audit", "verify", ground.folder, "--key", key],
    { ...user, encoding: "utf8" },
  );
  assert.equal(status, 1, stdout + stderr);
  assert.match(
    stdout,
    new RegExp(`^FAULT unreadable: ${A}, leaf 0 .* cannot be read \\(EACCES\\)$`, "m"),
  );
  assert.doesNotMatch(stdout, /missing/);
});
