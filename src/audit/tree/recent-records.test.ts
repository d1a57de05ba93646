/** Advisory: sealed records were changed while nothing ran; a start that goes on from them vouches for what follows. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { compressSegment } from "../archive/compress.ts";
import { feed, treeGround, type TreeGround } from "../../../test/tree-kit.ts";
import { generatedRecord } from "../../../test/tree-log.ts";
import { HashFiles } from "./hash-files.ts";
import { leafHash } from "./hashing.ts";
import { checkRecent } from "./recent-records.ts";
import { readTreeState } from "./tree-state.ts";

const A = "audit-20261124T040506.123Z-17.jsonl";
const B = "audit-20261124T040506.124Z-18.jsonl";

/** 900 records of A and 300 of B by turns, under three checkpoints. */
async function sealed(context: TestContext): Promise<TreeGround> {
  const ground = await treeGround(context);
  const sealer = await ground.open();
  for (let step = 0; step < 3; step++) {
    for (const [name, from, count] of [
      [A, step * 300, 300],
      [B, 1000 + step * 100, 100],
    ] as const) {
      ground.write(
        name,
        Array.from({ length: count }, (_, index) => generatedRecord(from + index)),
      );
      feed(sealer, ground.folder, name);
    }
    sealer.commit();
  }
  sealer.close();
  return ground;
}

/** Changes one digit of the `index`th record; where it begins. */
function alter({ folder }: TreeGround, name: string, index: number): number {
  const path = join(folder, name);
  const lines = readFileSync(path, "utf8").split("\n");
  const at = Buffer.byteLength(lines.slice(0, index).join("\n")) + (index === 0 ? 0 : 1);
  lines[index] = (lines[index] ?? "").replace(/"status":200|"peerPort":50114/, (text) => {
    return text.replace(/\d$/, "9");
  });
  writeFileSync(path, lines.join("\n"));
  return at;
}

async function refusal(ground: TreeGround): Promise<string> {
  try {
    (await ground.open()).close();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

test("a start refuses records that were changed after they were sealed, and names file and record", async (t) => {
  const ground = await sealed(t);
  assert.equal(await refusal(ground), "");
  const at = alter(ground, A, 650);
  const said = await refusal(ground);
  // Leaves of A under the third checkpoint begin at 800.
  assert.ok(
    said.startsWith(
      `audit: ${join(ground.folder, A)} is not what was sealed at byte ${at} (leaf 850 of the tree, decision 01KAT9T5KV`,
    ),
    said,
  );
  assert.match(said, /`sallyport audit verify` says what was changed: .*`sallyport audit rehash`/);
});

test("a start refuses a record that was changed with its hash", async (t) => {
  const ground = await sealed(t);
  alter(ground, B, 120);
  // The first checkpoint that has it is the second: 300 and 100, then 300 of A, then its own.
  const leaf = 400 + 300 + 20;
  const line = readFileSync(join(ground.folder, B), "utf8").split("\n")[120] ?? "";
  const path = join(ground.folder, "tree/hashes-0");
  const hashes = readFileSync(path);
  leafHash(Buffer.from(line)).copy(hashes, leaf * 32);
  writeFileSync(path, hashes);
  assert.match(await refusal(ground), /hashes-0 does not make what hashes-8 has of leaf 512 on/);
});

test("a start refuses a file that was cut, takes one that is gone, and one that has grown", async (t) => {
  const ground = await sealed(t);
  appendFileSync(join(ground.folder, A), `${generatedRecord(5)}\n`);
  assert.equal(await refusal(ground), "");
  truncateSync(join(ground.folder, B), 1000);
  assert.match(await refusal(ground), /-18\.jsonl ends before byte \d+, up to which it is sealed/);
  rmSync(join(ground.folder, B));
  assert.equal(await refusal(ground), "", "audit verify says whether it may be");
});

test("a start looks at compressed files too", async (t) => {
  const ground = await sealed(t);
  const whole = readFileSync(join(ground.folder, A));
  await compressSegment(ground.folder, A);
  assert.equal(await refusal(ground), "");
  rmSync(join(ground.folder, `${A}.gz`));
  writeFileSync(join(ground.folder, A), whole);
  alter(ground, A, 899);
  await compressSegment(ground.folder, A);
  assert.match(await refusal(ground), /leaf 1099 of the tree/);
  writeFileSync(join(ground.folder, `${A}.gz`), "");
  assert.match(await refusal(ground), /-17\.jsonl\.gz cannot be read; put it back from a copy/);
});

test("checkRecent() looks at no more than the newest records, and at whole ones", async (t) => {
  const ground = await sealed(t);
  const treeFolder = join(ground.folder, "tree");
  const hashes = new HashFiles(treeFolder);
  t.after(() => hashes.close());
  const check = async (records: number, bytes: number): Promise<string> => {
    const state = readTreeState(treeFolder);
    const most = { records, bytes };
    try {
      await checkRecent({ folder: ground.folder, treeFolder, state, hashes, most });
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  for (const bytes of [1, 700, 5000, 100_000, 1 << 30]) assert.equal(await check(1e9, bytes), "");
  alter(ground, A, 100);
  assert.equal(await check(400, 1 << 30), "", "the last checkpoint");
  assert.equal(await check(1e9, 20_000), "");
  assert.match(await check(1e9, 1 << 30), /leaf 100 of the tree/);
  alter(ground, B, 290);
  assert.equal(await check(1e9, 1000), "");
  assert.match(await check(1e9, 20_000), /leaf 1190 of the tree/);
});
