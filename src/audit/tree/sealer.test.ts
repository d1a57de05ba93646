import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SallyportError } from "../../model/errors.ts";
import { batch, feed, treeGround, type TreeGround } from "../../../test/tree-kit.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import { parseCheckpointLine, rawLines } from "./checkpoint-lines.ts";
import { Frontier } from "./frontier.ts";
import { leafHash } from "./hashing.ts";
import { readKeyHistory } from "./key-history.ts";
import { parseNote, readVkey, verifyNote } from "./note.ts";
import type { SealedCheckpoint } from "./sealer.ts";
import { newPrivatePem } from "./tree-key.ts";
import { verifyConsistency } from "./verify-proof.ts";

const A = "audit-20261124T040506.123Z-17.jsonl";
const B = "audit-20261124T040506.124Z-18.jsonl";

function lines(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `{"n":${from + index}}`);
}

function rootOf(...records: readonly string[]): Buffer {
  const tree = new Frontier();
  for (const record of records) tree.add(leafHash(Buffer.from(record)));
  return tree.root();
}

function checkpointsOf({ folder }: TreeGround) {
  const path = join(folder, "tree/checkpoints.jsonl");
  return [...rawLines(path)].map(({ text }) => parseCheckpointLine(text));
}

function checkpointOf(note: string) {
  return parseCheckpoint(parseNote(note).text);
}

test("commit() signs one checkpoint over all segments, in the order of their names", async (t) => {
  const ground = await treeGround(t);
  const sealer = await ground.open();
  ground.write(B, lines(100, 3));
  ground.write(A, lines(0, 5));
  feed(sealer, ground.folder, B, 2);
  feed(sealer, ground.folder, A);
  sealer.commit();
  sealer.commit();
  const [line, more] = checkpointsOf(ground);
  assert.equal(more, undefined, "nothing new, no checkpoint");
  assert.deepEqual(line?.parts, [
    [A, 5, 40],
    [B, 3, 30],
  ]);
  const { size, root, origin } = checkpointOf(line?.note ?? "");
  assert.equal(size, 8);
  assert.deepEqual(root, rootOf(...lines(0, 5), ...lines(100, 3)));
  const vkey = readVkey(readFileSync(join(ground.folder, "tree/checkpoint.pub"), "utf8"));
  assert.equal(vkey.name, origin);
  assert.ok(verifyNote(parseNote(line?.note ?? ""), vkey));
  for (const [name, mode] of [
    ["tree", 0o700],
    ["tree/checkpoint.key", 0o600],
    ["tree/checkpoints.jsonl", 0o600],
  ] as const) {
    assert.equal(statSync(join(ground.folder, name)).mode & 0o777, mode, name);
  }
  sealer.close();
});

test("a tree that is begun beside earlier records says so in the log, and one at the beginning does not", async (t) => {
  const ground = await treeGround(t);
  const first = await ground.open();
  ground.write(A, lines(0, 5));
  feed(first, ground.folder, A);
  first.close();
  assert.equal(ground.recorded.length, 0);
  rmSync(join(ground.folder, "tree"), { recursive: true });
  (await ground.open()).close();
  const [event, more] = ground.recorded;
  assert.deepEqual([event?.event, event?.figures], ["tree-begun", { files: 1, first: A }]);
  assert.equal(more, undefined);
  assert.ok(ground.events.some(({ event: text }) => text.includes("the tree begins beside")));
});

test("a second start goes on where the last checkpoint stood", async (t) => {
  const ground = await treeGround(t);
  const told: SealedCheckpoint[] = [];
  const first = await ground.open();
  ground.write(A, lines(0, 300));
  feed(first, ground.folder, A);
  first.commit();
  ground.write(A, lines(300, 7));
  feed(first, ground.folder, A);
  first.close();
  ground.write(A, lines(307, 300));
  const second = await ground.open({}, { onCheckpoint: (one) => void told.push(one) });
  assert.equal(told[0]?.size, 307, "told of the last one at the start");
  feed(second, ground.folder, A, 9);
  second.commit();
  assert.equal(second.last?.size, 607);
  assert.deepEqual(second.last?.root, rootOf(...lines(0, 607)));
  assert.deepEqual(told[1], second.last);
  const earlierRoot = rootOf(...lines(0, 300));
  const proof = second.consistency(300, 607);
  const { root } = second.last;
  assert.ok(verifyConsistency({ earlier: 300, size: 607, earlierRoot, root, proof }));
  assert.throws(() => second.consistency(300, 608), RangeError);
  second.close();
});

test("whatever a crash leaves behind the last whole checkpoint is written anew", async (t) => {
  const ground = await treeGround(t);
  const tree = join(ground.folder, "tree");
  const first = await ground.open();
  ground.write(A, lines(0, 700));
  feed(first, ground.folder, A);
  first.commit();
  const kept = join(ground.folder, "../kept");
  cpSync(tree, kept, { recursive: true });
  ground.write(A, lines(700, 700));
  feed(first, ground.folder, A);
  first.close();
  const line = readFileSync(join(tree, "checkpoints.jsonl")).subarray(
    readFileSync(join(kept, "checkpoints.jsonl")).length,
  );
  // Killed after the hashes, and at some places of the last line.
  for (const length of [0, 1, line.length - 1]) {
    copyFileSync(join(kept, "checkpoints.jsonl"), join(tree, "checkpoints.jsonl"));
    appendFileSync(join(tree, "checkpoints.jsonl"), line.subarray(0, length));
    const again = await ground.open();
    assert.equal(again.position(A), lines(0, 700).join("\n").length + 1);
    feed(again, ground.folder, A);
    again.close();
    assert.equal(checkpointsOf(ground).at(-1)?.size, 1400);
    const { root } = checkpointOf(checkpointsOf(ground).at(-1)?.note ?? "");
    assert.deepEqual(root, rootOf(...lines(0, 1400)));
  }
});

test("files that contradict their last checkpoint are refused, with their name", async (t) => {
  const ground = await treeGround(t);
  const tree = join(ground.folder, "tree");
  const sealer = await ground.open();
  ground.write(A, lines(0, 600));
  feed(sealer, ground.folder, A);
  sealer.commit();
  ground.write(A, lines(600, 1));
  feed(sealer, ground.folder, A);
  sealer.close();
  const kept = join(ground.folder, "../kept");
  renameSync(tree, kept);
  const change = (file: string, how: (bytes: Buffer) => Buffer | string) => () => {
    writeFileSync(join(tree, file), how(readFileSync(join(tree, file))), { mode: 0o600 });
  };
  const flip = (at: number) => (bytes: Buffer) => {
    const place = at < 0 ? bytes.length + at : at;
    bytes[place] = (bytes[place] as number) ^ 1;
    return bytes;
  };
  const text = (how: (text: string) => string) => (bytes: Buffer) => how(bytes.toString());
  for (const [what, tamper, message] of [
    [
      "a leaf",
      change("hashes-0", flip(-1)),
      /hashes-0.*does not make the root.*sallyport audit rehash/,
    ],
    ["a subtree", change("hashes-8", flip(0)), /hashes-0.*does not make the root/],
    ["missing hashes", () => truncateSync(join(tree, "hashes-0"), 64), /hashes-0 has 64 bytes/],
    ["no hashes", () => rmSync(join(tree, "hashes-8")), /hashes-8 has 0 bytes/],
    [
      "a line before the last",
      change(
        "checkpoints.jsonl",
        text((all) => all.slice(all.indexOf("\n") + 1)),
      ),
      /line 1 that says 601 records where its parts make 1/,
    ],
    [
      "a line that is none",
      change(
        "checkpoints.jsonl",
        text((all) => `${all}{}\n`),
      ),
      /line 3 that does not read/,
    ],
    [
      "white space",
      change(
        "checkpoints.jsonl",
        text((all) => all.replace('"size":', '"size": ')),
      ),
      /line 1 that does not read: it is not canonical/,
    ],
    [
      "a signature",
      change(
        "checkpoints.jsonl",
        text((all) => {
          const at = all.lastIndexOf("=\\n") - 20;
          return `${all.slice(0, at)}${all[at] === "A" ? "B" : "A"}${all.slice(at + 1)}`;
        }),
      ),
      /the key did not sign/,
    ],
    ["no keys", () => rmSync(join(tree, "keys.jsonl")), /keys\.jsonl is gone/],
    ["no key", () => rmSync(join(tree, "checkpoint.key")), /checkpoint\.key is not there/],
    [
      "another key",
      change("checkpoint.key", () => newPrivatePem()),
      /checkpoint\.key is not the key that signed/,
    ],
    ["a key for all", () => chmodSync(join(tree, "checkpoint.key"), 0o644), /mode 0644.*0600/],
    ["a folder for all", () => chmodSync(tree, 0o755), /tree has mode 0755.*0700/],
  ] as const) {
    rmSync(tree, { recursive: true, force: true });
    cpSync(kept, tree, { recursive: true });
    chmodSync(tree, 0o700);
    tamper();
    await assert.rejects(ground.open(), refusal(message), what);
  }
  await assert.rejects(ground.open({ origin: "other" }));
});

function refusal(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof SallyportError);
    assert.match(error.message, message);
    return true;
  };
}

test("another origin than the log's is refused", async (t) => {
  const ground = await treeGround(t);
  (await ground.open({ origin: "audit.example.com/a" })).close();
  (await ground.open()).close();
  (await ground.open({ origin: "audit.example.com/a" })).close();
  await assert.rejects(
    ground.open({ origin: "b" }),
    refusal(/is of the log "audit.example.com\/a"/),
  );
});

test("a checkpoint is not made over what somebody else wrote", async (t) => {
  const ground = await treeGround(t);
  const sealer = await ground.open();
  ground.write(A, lines(0, 3));
  feed(sealer, ground.folder, A);
  sealer.commit();
  const path = join(ground.folder, "tree/checkpoints.jsonl");
  const before = readFileSync(path, "utf8");
  appendFileSync(path, before);
  ground.write(A, lines(3, 3));
  feed(sealer, ground.folder, A);
  assert.throws(() => sealer.commit(), refusal(/changed by somebody else/));
  assert.equal(readFileSync(path, "utf8"), before + before);
  assert.equal(sealer.last?.size, 3);
  // Put right, it goes on with what it has.
  truncateSync(path, Buffer.byteLength(before));
  sealer.close();
  assert.equal(checkpointsOf(ground).at(-1)?.size, 6);
});

test("more leaves than may wait are sealed at once", async (t) => {
  const ground = await treeGround(t);
  const sealer = await ground.open({}, { maxWaiting: 10 });
  ground.write(A, lines(0, 25));
  feed(sealer, ground.folder, A, 4);
  assert.deepEqual(
    checkpointsOf(ground).map(({ size }) => size),
    [8, 16],
  );
  sealer.close();
});

test("take() refuses what does not follow, and what is not whole lines", async (t) => {
  const ground = await treeGround(t);
  const sealer = await ground.open();
  sealer.take(batch(A, 0, Buffer.from("{}\n{}\n")));
  assert.throws(() => sealer.take(batch(A, 3, Buffer.from("{}\n"))), refusal(/known up to 6/));
  assert.throws(() => sealer.take(batch(A, 7, Buffer.from("{}\n"))), refusal(/known up to 6/));
  assert.throws(() => sealer.take(batch(A, 6, Buffer.from("{}\n{"))), TypeError);
  assert.throws(() => sealer.take({ ...batch(A, 6, Buffer.from("{}\n")), count: 2 }), TypeError);
  assert.throws(() => sealer.take({ ...batch(A, 6, Buffer.from("a\nb\n")), count: 1 }), TypeError);
  assert.equal(sealer.position(A), 6);
  sealer.close();
});

test("how a segment ended is in the next checkpoint, once", async (t) => {
  const ground = await treeGround(t);
  const sealer = await ground.open();
  ground.write(A, lines(0, 2));
  feed(sealer, ground.folder, A);
  sealer.commit();
  sealer.ended?.({ segment: A, bytes: 16, tornBytes: 5 });
  sealer.commit();
  sealer.ended?.({ segment: A, bytes: 16, tornBytes: 5 });
  sealer.commit();
  assert.deepEqual(
    checkpointsOf(ground).map(({ ended, size }) => [size, ended]),
    [
      [2, []],
      [2, [{ bytes: 16, segment: A, torn: 5 }]],
    ],
  );
  sealer.close();
});

test("a waiting key takes over with a checkpoint that both sign", async (t) => {
  const ground = await treeGround(t);
  const tree = join(ground.folder, "tree");
  const sealer = await ground.open();
  ground.write(A, lines(0, 2));
  feed(sealer, ground.folder, A);
  sealer.commit();
  writeFileSync(join(tree, "checkpoint.next"), newPrivatePem(), { mode: 0o600 });
  sealer.commit();
  ground.write(A, lines(2, 2));
  feed(sealer, ground.folder, A);
  sealer.commit();
  const [first, second] = readKeyHistory(tree).keys;
  const signed = checkpointsOf(ground).map(({ note, size }) => [
    size,
    ...[first, second].map((one) => one && Boolean(verifyNote(parseNote(note), one.key))),
  ]);
  assert.deepEqual(signed, [
    [2, true, false],
    [2, true, true],
    [4, false, true],
  ]);
  assert.equal(second?.from, 2);
  assert.ok(!existsSync(join(tree, "checkpoint.next")));
  assert.equal(readFileSync(join(tree, "checkpoint.pub"), "utf8"), `${second.key.vkey}\n`);
  assert.deepEqual(
    ground.recorded.map(({ event, figures }) => [event, figures?.["vkey"]]),
    [["key-rotated", second.key.vkey]],
  );
  sealer.close();
  (await ground.open()).close();
});

test("a change of keys goes on after a crash before and after the checkpoint", async (t) => {
  for (const crash of ["before", "after"]) {
    const ground = await treeGround(t);
    const tree = join(ground.folder, "tree");
    const sealer = await ground.open();
    ground.write(A, lines(0, 2));
    feed(sealer, ground.folder, A);
    sealer.commit();
    writeFileSync(join(tree, "checkpoint.next"), newPrivatePem(), { mode: 0o600 });
    const kept = join(ground.folder, "../kept");
    cpSync(tree, kept, { recursive: true });
    sealer.commit();
    sealer.close();
    // The history is written first of all, the key file last.
    for (const file of ["checkpoint.key", "checkpoint.next", "checkpoint.pub"]) {
      copyFileSync(join(kept, file), join(tree, file));
    }
    if (crash === "before")
      copyFileSync(join(kept, "checkpoints.jsonl"), join(tree, "checkpoints.jsonl"));
    const again = await ground.open();
    again.commit();
    again.close();
    const { keys } = readKeyHistory(tree);
    assert.equal(keys.length, 2, crash);
    const note = parseNote(checkpointsOf(ground).at(-1)?.note ?? "");
    assert.ok(keys.every(({ key }) => verifyNote(note, key)));
    assert.ok(!existsSync(join(tree, "checkpoint.next")));
  }
});

test("a key of one's own is used, and followed by another that is named beside it", async (t) => {
  const ground = await treeGround(t);
  const file = (name: string): string => join(ground.folder, "..", name);
  for (const name of ["one.pem", "two.pem"])
    writeFileSync(file(name), newPrivatePem(), { mode: 0o600 });
  await assert.rejects(ground.open({ key: file("none.pem") }), refusal(/none\.pem is not there/));
  const sealer = await ground.open({ key: file("one.pem") });
  ground.write(A, lines(0, 2));
  feed(sealer, ground.folder, A);
  sealer.close();
  assert.ok(!existsSync(join(ground.folder, "tree/checkpoint.key")));
  await assert.rejects(
    ground.open({ key: file("two.pem") }),
    refusal(/two\.pem is not the key that signed/),
  );
  const next = await ground.open({ key: file("two.pem"), previousKey: file("one.pem") });
  next.commit();
  next.close();
  (await ground.open({ key: file("two.pem") })).close();
  const note = parseNote(checkpointsOf(ground).at(-1)?.note ?? "");
  assert.ok(
    readKeyHistory(join(ground.folder, "tree")).keys.every(({ key }) => verifyNote(note, key)),
  );
  writeFileSync(file("two.pem"), "no key", { mode: 0o600 });
  await assert.rejects(ground.open({ key: file("two.pem") }), refusal(/holds no private key/));
});
