import assert from "node:assert/strict";
import { hash } from "node:crypto";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { keepingLog } from "../../../test/audit-kit.ts";
import { feed, treeGround, type TreeGround } from "../../../test/tree-kit.ts";
import { readSnapshot, Snapshots } from "./sealed-snapshot.ts";
import { readTreeState } from "./tree-state.ts";

const A = "audit-20261124T040506.123Z-17.jsonl";
const B = "audit-20261124T040506.124Z-18.jsonl";

interface Sealed {
  readonly ground: TreeGround;
  readonly tree: string;
  readonly checkpoints: string;
  readonly snapshot: string;
  /** What the checkpoints say, all of them. */
  readonly sealed: ReadonlyMap<string, number>;
}

/** Seals a line of each of both segments, and says that one of them has ended. */
async function sealMore(ground: TreeGround, checkpoints: number): Promise<void> {
  const sealer = await ground.open();
  for (let step = 0; step < checkpoints; step++) {
    for (const segment of [A, B]) {
      ground.write(segment, [`{"n":${step},"of":"${segment}"}`]);
      feed(sealer, ground.folder, segment);
    }
    sealer.commit();
  }
  sealer.ended?.({ segment: A, bytes: sealer.position(A), tornBytes: 3 });
  sealer.close();
}

async function sealedTree(context: TestContext): Promise<Sealed> {
  const ground = await treeGround(context);
  const tree = join(ground.folder, "tree");
  await sealMore(ground, 3);
  const sealed = new Map([A, B].map((name) => [name, statSync(join(ground.folder, name)).size]));
  const [checkpoints, snapshot] = [join(tree, "checkpoints.jsonl"), join(tree, "sealed.json")];
  return { ground, tree, checkpoints, snapshot, sealed };
}

test("readTreeState() reads only the checkpoints behind the snapshot", async (context) => {
  const { ground, tree, checkpoints, snapshot, sealed } = await sealedTree(context);
  assert.equal(statSync(snapshot).mode & 0o777, 0o600);
  const before = readTreeState(tree);
  assert.deepEqual([before.snapshotLines, before.lines, before.size], [4, 4, 6]);
  assert.deepEqual([before.sealed, before.ended], [sealed, new Map([[A, 3]])]);
  assert.equal(before.last?.size, 6);
  // Two more checkpoints after it, as after a crash.
  const kept = join(tree, "../kept.json");
  copyFileSync(snapshot, kept);
  await sealMore(ground, 2);
  copyFileSync(kept, snapshot);
  // Nothing before its line is looked at.
  const text = readFileSync(checkpoints, "utf8");
  writeFileSync(checkpoints, text.replace("{", "["));
  const after = readTreeState(tree);
  assert.deepEqual([after.snapshotLines, after.lines, after.size], [4, 6, 10]);
  for (const [name, bytes] of after.sealed) {
    assert.equal(bytes, statSync(join(ground.folder, name)).size, name);
  }
  assert.equal(after.end, Buffer.byteLength(text));
  rmSync(snapshot);
  assert.throws(() => readTreeState(tree), /checkpoints\.jsonl has a line 1 that does not read/);
});

test("readTreeState() names the right line behind a snapshot, and cuts off a torn one", async (context) => {
  const { tree, checkpoints } = await sealedTree(context);
  const { end } = readTreeState(tree);
  appendFileSync(checkpoints, '{"ended":[],"no');
  assert.equal(readTreeState(tree).end, end);
  assert.equal(statSync(checkpoints).size, end);
  appendFileSync(checkpoints, "{}\n");
  assert.throws(() => readTreeState(tree), /has a line 5 that does not read/);
});

test("a snapshot that does not fit is not believed: all checkpoints are read", async (context) => {
  const { tree, checkpoints, snapshot, sealed } = await sealedTree(context);
  const whole = readFileSync(snapshot, "utf8");
  const all = readFileSync(checkpoints, "utf8");
  const [first = "", second = "", third = ""] = all.split("\n");
  const changes: Readonly<Record<string, string>> = {
    "of no byte": "",
    half: whole.slice(0, whole.length / 2),
    "with a figure that was changed": whole.replace(/"size":\d+/, '"size":7'),
    "that is none": "no snapshot\nat all\n",
    ...Object.fromEntries(
      [
        "",
        "null",
        "{}",
        '{"end":1,"ended":[],"last":{"hash":"h","length":1e300},"lines":1,"sealed":[],"size":1}',
        '{"end":1,"ended":{},"last":{"hash":"h","length":1},"lines":1,"sealed":[],"size":1}',
        '{"end":1,"ended":[],"last":{"hash":"h","length":1},"lines":1,"sealed":[null],"size":1}',
        '{"end":1,"ended":[],"last":{"hash":"h","length":1},"lines":1,"sealed":[["a",-1]],"size":1}',
      ].map((text) => [`that says ${text}`, `${hash("sha256", text, "hex")}\n${text}\n`]),
    ),
  };
  for (const [what, text] of Object.entries(changes)) {
    writeFileSync(snapshot, text);
    const state = readTreeState(tree);
    assert.deepEqual([state.snapshotLines, state.size, state.sealed], [0, 6, sealed], what);
  }
  writeFileSync(snapshot, whole);
  // Checkpoints that were cut back, and others of the same length.
  truncateSync(checkpoints, Buffer.byteLength(`${first}\n${second}\n`));
  assert.deepEqual([readTreeState(tree).snapshotLines, readTreeState(tree).size], [0, 4]);
  assert.equal(readSnapshot(tree), undefined);
  const other = all.replace(third, third.replace('"time":"2026', '"time":"2027'));
  assert.equal(other.length, all.length);
  writeFileSync(checkpoints, other);
  assert.equal(
    readTreeState(tree).snapshotLines,
    4,
    "what is before the line is what it stands for",
  );
  writeFileSync(checkpoints, all.replace(/"time":"2026(?=[^\n]*\n$)/, '"time":"2027'));
  assert.equal(readTreeState(tree).snapshotLines, 0);
  rmSync(checkpoints);
  assert.deepEqual([readTreeState(tree).size, readTreeState(tree).last], [0, undefined]);
});

test("Snapshots are written after so many checkpoints, and what cannot be written costs nothing", async (context) => {
  const { tree, snapshot, checkpoints } = await sealedTree(context);
  const log = keepingLog();
  const state = readTreeState(tree);
  rmSync(snapshot);
  const snapshots = Snapshots.begin(tree, state, log);
  const lines: string[] = [];
  let { end } = state;
  const seal = (): void => {
    const line = `{"the checkpoint":${lines.length}}`;
    appendFileSync(checkpoints, `${line}\n`);
    end += line.length + 1;
    lines.push(line);
    snapshots.sealed({ end, line, size: lines.length });
  };
  while (!existsSync(snapshot) && lines.length < 10_000) seal();
  assert.equal(lines.length, 4096);
  assert.equal(readSnapshot(tree)?.line, lines.at(-1));
  seal();
  assert.equal(readSnapshot(tree)?.line, lines.at(-2), "not after each of them");
  snapshots.write();
  assert.equal(readSnapshot(tree)?.line, lines.at(-1));
  rmSync(snapshot);
  mkdirSync(snapshot);
  seal();
  snapshots.write();
  assert.match(log.events.at(-1)?.event ?? "", /next start has to read more checkpoints/);
  assert.deepEqual(
    readdirSync(tree).filter((name) => name.endsWith(".tmp")),
    [],
  );
});

test("a start that had to read all checkpoints writes a snapshot for the next one", async (context) => {
  const { tree, snapshot } = await sealedTree(context);
  rmSync(snapshot);
  const state = readTreeState(tree);
  const log = keepingLog();
  Snapshots.begin(tree, state, log);
  assert.ok(!existsSync(snapshot), "not for a few");
  Snapshots.begin(tree, { ...state, lines: 4096 }, log);
  assert.equal(readSnapshot(tree)?.size, 6);
});
