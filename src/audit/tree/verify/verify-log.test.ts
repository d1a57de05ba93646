import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import {
  appendFileSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { feed, treeGround, type TreeGround } from "../../../../test/tree-kit.ts";
import { createNoteKey } from "../../../../test/witness-server.ts";
import { compressSegment } from "../../archive/compress.ts";
import { logFiles } from "../../read-log.ts";
import { SallyportError } from "../../../model/errors.ts";
import { parseCheckpoint } from "../checkpoint.ts";
import { parseCheckpointLine } from "../checkpoint-lines.ts";
import { leafHash } from "../hashing.ts";
import { keyLine } from "../key-history.ts";
import { type NoteKey, noteSigner, parseNote, readVkey } from "../note.ts";
import { newPrivatePem } from "../tree-key.ts";
import type { KeptCheckpoint } from "./kept.ts";
import { Faults } from "./report.ts";
import { verifyLog, type VerifyOptions } from "./verify-log.ts";

const A = "audit-20261124T040506.123Z-17.jsonl";
const B = "audit-20261124T040506.124Z-18.jsonl";
const LATER = "audit-20261124T050506.124Z-18.jsonl";

const EXAMPLE = fileURLToPath(new URL("../../../../examples/verify", import.meta.url));
const hasPython = spawnSync("python3", ["--version"]).status === 0;

function lines(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `{"n":${from + index},"is":"a record"}`);
}

/** 300 records of A and 40 of B under three checkpoints. */
async function sealed(ground: TreeGround): Promise<void> {
  const sealer = await ground.open();
  for (let step = 0; step < 3; step++) {
    ground.write(A, lines(step * 100, 100));
    feed(sealer, ground.folder, A);
    if (step > 0) {
      ground.write(B, lines(1000 + step * 20, 20));
      feed(sealer, ground.folder, B);
    }
    sealer.commit();
  }
  sealer.close();
}

function keyOf({ folder }: TreeGround): NoteKey {
  return readVkey(readFileSync(join(folder, "tree/checkpoint.pub"), "utf8"));
}

async function verified(ground: TreeGround, options: Partial<VerifyOptions> = {}) {
  const report = await verifyLog({ folder: ground.folder, keys: [keyOf(ground)], ...options });
  return { ...report, kinds: report.faults.map(({ kind }) => kind) };
}

function notesOf({ folder }: TreeGround): string[] {
  const text = readFileSync(join(folder, "tree/checkpoints.jsonl"), "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => parseCheckpointLine(line).note);
}

function kept(text: string, name = "kept"): KeptCheckpoint {
  const note = parseNote(text);
  return { name, note, checkpoint: parseCheckpoint(note.text) };
}

function change(ground: TreeGround, file: string, how: (bytes: Buffer) => Buffer | string): void {
  const path = join(ground.folder, file);
  writeFileSync(path, how(readFileSync(path)));
}

const flip =
  (at: number) =>
  (bytes: Buffer): Buffer => {
    bytes[at] = (bytes[at] as number) ^ 1;
    return bytes;
  };

test("a whole log is whole, and what is not sealed or torn is told", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const whole = await verified(ground);
  assert.deepEqual(whole.kinds, []);
  assert.equal(whole.records, 340);
  assert.equal(whole.checkpoints, 3);
  assert.equal(whole.origin, keyOf(ground).name);
  ground.write(A, lines(300, 2));
  appendFileSync(join(ground.folder, A), '{"torn');
  ground.write(LATER, lines(0, 5));
  const behind = await verified(ground);
  assert.deepEqual(behind.kinds, []);
  assert.deepEqual(behind.unsealed, { records: 7, segments: [A, LATER] });
  assert.deepEqual(behind.torn, [{ segment: A, bytes: 6 }]);
});

test("compressed segments are read", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const path = join(ground.folder, A);
  const bytes = readFileSync(path);
  writeFileSync(`${path}.gz`, gzipSync(bytes));
  rmSync(path);
  assert.deepEqual((await verified(ground)).kinds, []);
  writeFileSync(`${path}.gz`, gzipSync(flip(3000)(bytes)));
  const [fault] = (await verified(ground)).faults;
  assert.deepEqual([fault?.kind, fault?.segment, fault?.line], ["altered", A, 120]);
  writeFileSync(`${path}.gz`, gzipSync(bytes).subarray(0, 200));
  assert.deepEqual((await verified(ground)).kinds, ["unreadable"]);
});

test("wrong hashes of whole records hide no other fault, however many they are", () => {
  const faults = new Faults();
  for (let leaf = 0; leaf < 5000; leaf++) faults.add({ kind: "hashes", detail: "", leaf });
  faults.add({ kind: "altered", detail: "", leaf: 4000 });
  const kinds = faults.list().map(({ kind }) => kind);
  assert.deepEqual([faults.count, kinds.length, kinds.at(-1)], [5001, 101, "altered"]);
});

test("stored hashes are not believed: a damaged one is told, and the records stay whole", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  change(ground, "tree/hashes-0", flip(32 * 150));
  const damaged = await verified(ground);
  assert.deepEqual(
    damaged.faults.map(({ kind, leaf }) => [kind, leaf]),
    [["hashes", 150]],
  );
  rmSync(join(ground.folder, "tree/hashes-0"));
  assert.deepEqual(
    (await verified(ground)).kinds,
    [],
    "they are not needed where records are whole",
  );
});

test("a record that was changed together with its stored hash does not make the root", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const altered = '{"n":150,"is":"a recorD"}';
  change(ground, A, (bytes) => bytes.toString().replace('{"n":150,"is":"a record"}', altered));
  change(ground, "tree/hashes-0", (bytes) => {
    leafHash(Buffer.from(altered)).copy(bytes, 32 * 150);
    return bytes;
  });
  const report = await verified(ground);
  assert.deepEqual(report.kinds, ["root"]);
  assert.deepEqual([report.faults[0]?.leaf, report.faults[0]?.records], [100, 120]);
});

test("a log that was rebuilt with another key is not that of the key that was given", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const key = keyOf(ground);
  const [, second = ""] = notesOf(ground);
  rmSync(join(ground.folder, "tree"), { recursive: true });
  change(ground, A, (bytes) => bytes.toString().replace('"n":50,', '"n":51,'));
  const again = await ground.open({ origin: key.name });
  for (const segment of [A, B]) feed(again, ground.folder, segment);
  again.close();
  assert.deepEqual((await verified(ground)).kinds, [], "by its own key it is whole");
  assert.deepEqual((await verified(ground, { keys: [key] })).kinds, ["key"]);
  assert.deepEqual((await verified(ground, { kept: [kept(second)] })).kinds, ["kept"]);
});

test("a checkpoint that was kept elsewhere is found in the log, or the log was cut back", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const notes = notesOf(ground).map((note, index) => kept(note, `kept ${index}`));
  assert.deepEqual((await verified(ground, { kept: notes })).kinds, []);
  change(ground, "tree/checkpoints.jsonl", (bytes) => `${bytes.toString().split("\n")[0] ?? ""}\n`);
  const cut = await verified(ground, { kept: notes });
  assert.equal(cut.unsealed.records, 240);
  assert.deepEqual(cut.kinds, ["kept", "kept"]);
  assert.match(
    cut.faults[0]?.detail ?? "",
    /kept 1: the log is shorter.* 220 records, and 100 are sealed/,
  );
});

test("a checkpoint with another signature, size or form is told", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const text = readFileSync(join(ground.folder, "tree/checkpoints.jsonl"), "utf8");
  const all = text.split("\n");
  const second = parseCheckpointLine(all[1] ?? "");
  const [, encoded = ""] = /— \S+ (\S+)\n$/.exec(second.note) ?? [];
  const other = Buffer.from(encoded, "base64");
  other[40] = (other[40] as number) ^ 1;
  for (const [what, line, kinds] of [
    ["signature", (all[1] ?? "").replace(encoded, other.toString("base64")), ["signature"]],
    ["size", (all[1] ?? "").replace('"size":220', '"size":221'), ["checkpoint"]],
    ["space", (all[1] ?? "").replace('"size":220', '"size": 220'), ["checkpoint"]],
    ["note", (all[1] ?? "").replace("\\n220\\n", "\\n0220\\n"), ["checkpoint"]],
    ["bytes", (all[1] ?? "").replace(/(",100),(\d+)\]/, "$1,7]"), ["checkpoint"]],
    ["signed size", (all[1] ?? "").replace("\\n220\\n", "\\n219\\n"), ["checkpoint"]],
  ] as const) {
    change(ground, "tree/checkpoints.jsonl", () => [all[0], line, ...all.slice(2)].join("\n"));
    assert.notEqual(line, all[1], what);
    assert.deepEqual((await verified(ground)).kinds, kinds, what);
  }
  change(ground, "tree/checkpoints.jsonl", () => [all[0], ...all.slice(2)].join("\n"));
  assert.deepEqual((await verified(ground)).kinds, ["checkpoint"], "one that is left out");
});

test("what is added behind the end of a file that had ended is told", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const sealer = await ground.open();
  appendFileSync(join(ground.folder, A), "{torn");
  sealer.ended?.({ segment: A, bytes: sealer.position(A), tornBytes: 5 });
  sealer.close();
  const whole = await verified(ground);
  assert.deepEqual([whole.kinds, whole.torn], [[], [{ segment: A, bytes: 5 }]]);
  const before = readFileSync(join(ground.folder, A));
  appendFileSync(join(ground.folder, A), "more");
  assert.deepEqual((await verified(ground)).kinds, ["appended"]);
  writeFileSync(join(ground.folder, A), before.subarray(0, before.length - 2));
  assert.deepEqual((await verified(ground)).kinds, ["truncated"]);
  writeFileSync(
    join(ground.folder, A),
    Buffer.concat([before.subarray(0, before.length - 5), Buffer.from("{}\n")]),
  );
  const [fault] = (await verified(ground)).faults;
  assert.deepEqual([fault?.kind, fault?.segment, fault?.line], ["appended", A, 301]);
});

test("what was sealed behind the end of a file is warned of for good", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const again = await ground.open();
  again.ended?.({ segment: A, bytes: readFileSync(join(ground.folder, A)).length, tornBytes: 0 });
  again.commit();
  again.close();
  assert.deepEqual((await verified(ground)).resumed, { count: 0, told: [] });
  ground.write(A, lines(300, 1));
  assert.deepEqual((await verified(ground)).kinds, ["appended"]);
  const sealer = await ground.open();
  feed(sealer, ground.folder, A);
  sealer.commit();
  sealer.close();
  const { kinds, resumed } = await verified(ground);
  assert.deepEqual(kinds, []);
  const told = [`${A} had ended, and checkpoint 5 has more records of it`];
  assert.deepEqual(resumed, { count: 1, told });
});

test("a file that a record says was removed is proven by its hashes; another is missing", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  rmSync(join(ground.folder, B));
  assert.deepEqual((await verified(ground)).kinds, ["missing"]);
  const event = `{"detail":"older than audit.keep","event":"file-removed","figures":{"bytes":7,"file":"${B}"},"time":"2026-11-25T00:00:00.000Z","type":"event","v":1}`;
  ground.write(LATER, [event]);
  assert.deepEqual(
    (await verified(ground)).kinds,
    ["missing"],
    "a record that is not sealed vouches for nothing",
  );
  const sealer = await ground.open();
  ground.write(LATER, [
    `{"detail":"older than audit.keep","event":"file-removed","figures":{"segment":"${B}"},"time":"2026-11-25T00:00:00.000Z","type":"event","v":1}`,
  ]);
  feed(sealer, ground.folder, LATER);
  sealer.close();
  const report = await verified(ground);
  assert.deepEqual([report.kinds, report.removed], [[], [{ segment: B, records: 40 }]]);
  const bytes = readFileSync(join(ground.folder, A));
  rmSync(join(ground.folder, A));
  const both = await verified(ground);
  assert.deepEqual(
    [both.kinds, both.removed.length],
    [[], 2],
    "sealed before it, so removed before it",
  );
  writeFileSync(join(ground.folder, A), bytes);
  change(ground, "tree/hashes-0", flip(32 * 210));
  assert.deepEqual(
    (await verified(ground)).kinds,
    ["root"],
    "its stored hashes have to make the root",
  );
  change(ground, "tree/hashes-0", flip(32 * 210));
  change(ground, "tree/hashes-0", flip(32 * 150));
  assert.deepEqual(
    (await verified(ground)).kinds,
    ["hashes"],
    "and those of records beside them are not believed",
  );
  change(ground, "tree/hashes-0", flip(32 * 150));
  change(ground, A, flip(3000));
  const altered = await verified(ground);
  assert.deepEqual([altered.kinds, altered.faults[0]?.line], [["altered"], 120]);
});

test("after a change of keys an auditor with the first one follows to the next", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const first = keyOf(ground);
  const [note = ""] = notesOf(ground).slice(-1);
  writeFileSync(join(ground.folder, "tree/checkpoint.next"), newPrivatePem(), { mode: 0o600 });
  const sealer = await ground.open();
  sealer.commit();
  ground.write(A, lines(300, 5));
  feed(sealer, ground.folder, A);
  sealer.close();
  assert.notEqual(keyOf(ground).vkey, first.vkey);
  const report = await verified(ground, { keys: [first], kept: [kept(note)] });
  assert.deepEqual([report.kinds, report.checkpoints], [[], 5]);
  const history = readFileSync(join(ground.folder, "tree/keys.jsonl"), "utf8");
  change(ground, "tree/keys.jsonl", () => history.replace('"from":340', '"from":100'));
  assert.ok((await verified(ground, { keys: [first] })).kinds.includes("key"));
  // Without the old key, a new one cannot be slipped in.
  const stranger = createNoteKey(first.name, 1);
  const slipped = JSON.stringify({
    from: 340,
    time: "2026-11-24T04:05:06.123Z",
    vkey: stranger.vkey,
  });
  change(ground, "tree/keys.jsonl", () => `${history.split("\n")[0] ?? ""}\n${slipped}\n`);
  assert.ok((await verified(ground, { keys: [first] })).kinds.includes("key"));
});

// Whoever can write the folder can write a history too: a key of their own, which vouches for the key that
// auditors have. That one signed nothing then, and so proves nothing.
test("a forged log whose history names the auditor's key is not whole, and no start goes on from it", async (t) => {
  const ground = await treeGround(t);
  const [genuine, forger] = [generatePem(ground, "genuine"), generatePem(ground, "forger")];
  const origin = "audit.example";
  const sealer = await ground.open({ key: forger.path, origin });
  ground.write(A, lines(0, 40));
  feed(sealer, ground.folder, A);
  sealer.close();
  const own = noteSigner(origin, createPrivateKey(genuine.pem));
  const before = noteSigner(origin, createPrivateKey(forger.pem));
  const history = readFileSync(join(ground.folder, "tree/keys.jsonl"), "utf8");
  for (const from of [1e15, 40, 0]) {
    const line = keyLine(own.public, { from, time: "2026-11-24T04:05:06.123Z", before });
    change(ground, "tree/keys.jsonl", () => `${history}${line}\n`);
    assert.notDeepEqual((await verified(ground, { keys: [own.public] })).kinds, [], String(from));
    await assert.rejects(
      ground.open({ key: genuine.path, origin }),
      (error) => error instanceof SallyportError && /the key did not sign/.test(error.message),
    );
  }
  change(ground, "tree/keys.jsonl", () => history);
  assert.deepEqual((await verified(ground, { keys: [before.public] })).kinds, []);
});

test("an auditor with a later key takes what was sealed before it from what it signed over it", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  writeFileSync(join(ground.folder, "tree/checkpoint.next"), newPrivatePem(), { mode: 0o600 });
  const sealer = await ground.open();
  sealer.commit();
  sealer.close();
  const later = keyOf(ground);
  assert.deepEqual((await verified(ground, { keys: [later] })).kinds, []);
  const python = (): string => {
    const [folder, file] = [ground.folder, join(EXAMPLE, "verify.py")];
    return spawnSync("python3", [file, "log", folder, later.vkey], { encoding: "utf8" }).stdout;
  };
  if (hasPython) assert.equal(python(), "340 records under 4 checkpoints\n");
  // Cut back to before its time: nothing that it signed is left.
  change(ground, "tree/checkpoints.jsonl", (bytes) => {
    const all = bytes.toString("utf8").split("\n");
    return `${all.slice(0, 3).join("\n")}\n`;
  });
  assert.deepEqual((await verified(ground, { keys: [later] })).kinds, ["key"]);
  if (hasPython)
    assert.match(python(), /^DOES NOT HOLD: the last checkpoint is not signed by the key/);
});

test("what is no file is none, and claims beyond what there is end at once", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const path = join(ground.folder, A);
  rmSync(path);
  symlinkSync("/dev/zero", path);
  assert.deepEqual((await verified(ground)).kinds, ["missing"]);
  change(ground, "tree/checkpoints.jsonl", (bytes) =>
    bytes.toString("utf8").replace(`["${A}",100,`, `["${A}",9000000000000000,`),
  );
  assert.deepEqual((await verified(ground)).kinds.slice(0, 1), ["checkpoint"]);
});

test("a link before a compressed file is told: whoever follows it reads other records", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  await compressSegment(ground.folder, A);
  assert.deepEqual((await verified(ground)).kinds, []);
  const other = join(ground.folder, "..", "other.jsonl");
  writeFileSync(other, '{"n":0,"is":"another"}\n');
  symlinkSync(other, join(ground.folder, A));
  const { kinds, faults } = await verified(ground);
  assert.deepEqual([kinds, faults[0]?.segment], [["unreadable"], A]);
  const files = await logFiles(ground.folder);
  assert.deepEqual(
    files.map((file) => basename(file)),
    [`${A}.gz`, B],
  );
});

function generatePem({ folder }: TreeGround, name: string): { path: string; pem: string } {
  const [path, pem] = [join(folder, "..", `${name}.pem`), newPrivatePem()];
  writeFileSync(path, pem, { mode: 0o600 });
  return { path, pem };
}

test("a log without a tree is not whole, and a folder that is none cannot be looked at", async (t) => {
  const ground = await treeGround(t);
  ground.write(A, lines(0, 3));
  const report = await verifyLog({ folder: ground.folder, keys: [] });
  assert.deepEqual([report.records, report.checkpoints, report.unsealed.records], [0, 0, 3]);
  assert.deepEqual(
    report.faults.map(({ kind, detail }) => [kind, detail]),
    [["checkpoint", "there is none: nothing is sealed"]],
  );
  await assert.rejects(
    verifyLog({ folder: join(ground.folder, "none"), keys: [] }),
    (error) => error instanceof SallyportError && /none cannot be read/.test(error.message),
  );
});

test("a torn last checkpoint is told and is none", async (t) => {
  const ground = await treeGround(t);
  await sealed(ground);
  const path = join(ground.folder, "tree/checkpoints.jsonl");
  truncateSync(path, readFileSync(path).length - 10);
  const report = await verified(ground);
  assert.deepEqual([report.kinds, report.records, report.unsealed.records], [[], 220, 120]);
  assert.equal(report.torn[0]?.segment, "tree/checkpoints.jsonl");
});
