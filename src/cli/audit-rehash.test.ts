import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { feed, treeGround, type TreeGround } from "../../test/tree-kit.ts";
import { takeKeepingLock } from "../app/keeping/keeping-lock.ts";
import { compressSegment } from "../audit/archive/compress.ts";
import { noteSigner } from "../audit/tree/note.ts";
import { newPrivatePem } from "../audit/tree/tree-key.ts";
import { createPrivateKey } from "node:crypto";
import { auditRehash } from "./audit-rehash.ts";

const A = "audit-20261124T040506.123Z-17.jsonl";
const B = "audit-20261124T040506.124Z-18.jsonl";
const HASHES = ["hashes-0", "hashes-8", "hashes-16"];

function lines(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `{"n":${from + index},"is":"a record"}`);
}

/** Enough of A for a subtree of each file, in several checkpoints, and some of B. */
async function sealed(context: TestContext): Promise<TreeGround & { readonly tree: string }> {
  const ground = await treeGround(context);
  const sealer = await ground.open();
  for (const [from, count] of [
    [0, 40_000],
    [40_000, 30_000],
  ] as const) {
    ground.write(A, lines(from, count));
    ground.write(B, lines(from * 10, 700));
    feed(sealer, ground.folder, A);
    feed(sealer, ground.folder, B);
    sealer.commit();
  }
  sealer.close();
  const tree = join(ground.folder, "tree");
  for (const name of HASHES) assert.ok(statSync(join(tree, name)).size > 0, name);
  return { ...ground, tree };
}

async function rehashed({ folder }: TreeGround, key: readonly string[] = []) {
  const [written, hints]: [string[], string[]] = [[], []];
  const code = await auditRehash(
    { config: "none.yaml", audit: folder, key },
    { write: (text) => void written.push(text), hint: (line) => void hints.push(line) },
  );
  return { code, text: written.join(""), hints: hints.join("\n") };
}

function hashesOf(tree: string): (string | undefined)[] {
  return HASHES.map((name) =>
    existsSync(join(tree, name)) ? readFileSync(join(tree, name)).toString("hex") : undefined,
  );
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Opens, and goes on sealing. */
async function goesOn(ground: TreeGround): Promise<void> {
  const sealer = await ground.open();
  ground.write(A, ['{"n":-1}']);
  feed(sealer, ground.folder, A);
  sealer.close();
}

test("auditRehash() makes hashes that are damaged, missing or short as they were", async (context) => {
  const ground = await sealed(context);
  const { tree } = ground;
  const right = hashesOf(tree);
  const file = (name: string) => join(tree, name);
  const damages: Readonly<Record<string, () => void>> = {
    "a leaf that is changed": () => flip(file("hashes-0"), statSync(file("hashes-0")).size - 1),
    "a subtree that is changed": () => flip(file("hashes-16"), 0),
    "no leaves": () => rmSync(file("hashes-0")),
    "no subtrees": () => rmSync(file("hashes-8")),
    "short leaves": () => truncateSync(file("hashes-0"), 1000),
    "short subtrees": () => truncateSync(file("hashes-16"), 1),
    "none at all": () => HASHES.forEach((name) => rmSync(file(name))),
    "others altogether": () =>
      HASHES.forEach((name) => writeFileSync(file(name), Buffer.alloc(70_000 * 32, name))),
  };
  for (const [what, damage] of Object.entries(damages)) {
    damage();
    await assert.rejects(ground.open(), /sallyport audit rehash/, what);
    const { code, text } = await rehashed(ground);
    assert.deepEqual([code, hashesOf(tree)], [0, right], what);
    assert.match(text, /^hashes-0, hashes-8, hashes-16: made of 71400 records/);
    assert.equal(statSync(file("hashes-0")).mode & 0o777, 0o600);
  }
  await goesOn(ground);
});

test("auditRehash() reads compressed files, and takes no notice of what is not sealed yet", async (context) => {
  const ground = await sealed(context);
  const right = hashesOf(ground.tree);
  await compressSegment(ground.folder, A);
  ground.write(B, lines(7, 30));
  mkdirSync(join(ground.tree, ".rehash-left"));
  rmSync(join(ground.tree, "hashes-0"));
  assert.equal((await rehashed(ground)).code, 0);
  assert.deepEqual(hashesOf(ground.tree), right);
  assert.deepEqual(
    readdirSync(ground.tree).filter((name) => name.startsWith(".")),
    [],
    "nor is a draft left",
  );
});

test("auditRehash() writes nothing where records differ or are gone, and names the place", async (context) => {
  const ground = await sealed(context);
  const { folder, tree } = ground;
  const kept = join(folder, "../kept");
  cpSync(folder, kept, { recursive: true });
  const path = join(folder, A);
  const cases: readonly (readonly [string, () => void, RegExp])[] = [
    [
      "a record is changed, and its hash is there",
      () => {
        flip(path, 26 * 40_010);
        rmSync(join(tree, "hashes-8"));
      },
      /FAULT altered: audit-20261124T040506\.123Z-17\.jsonl, line \d+, byte \d+, leaf \d+/,
    ],
    [
      "a record is changed, and no hash is there",
      () => {
        flip(path, 1_000_000);
        for (const name of HASHES) rmSync(join(tree, name));
      },
      /FAULT root: leaf 0 .*among leaves 0 to 40699 of the tree \(audit-20261124T040506\.123Z-17\.jsonl, /,
    ],
    [
      "a file is cut",
      () => {
        truncateSync(path, 1_500_000);
        rmSync(join(tree, "hashes-16"));
      },
      /FAULT (missing|truncated): audit-20261124T040506\.123Z-17\.jsonl/,
    ],
    [
      "a file is gone",
      () => {
        rmSync(join(folder, B));
        rmSync(join(tree, "hashes-16"));
      },
      /FAULT missing: audit-20261124T040506\.124Z-18\.jsonl.*the whole file/,
    ],
    [
      "a record was put in",
      () => {
        const text = readFileSync(path, "utf8");
        writeFileSync(path, `${lines(-5, 1).join("")}\n${text}`);
        rmSync(join(tree, "hashes-0"));
      },
      /FAULT root: .*among leaves 0 to 40699/,
    ],
    [
      "the checkpoints are signed by another key",
      () => rmSync(join(tree, "hashes-0")),
      /FAULT key: .*none of the keys that were given/,
    ],
  ];
  const stranger = noteSigner("other.example.com/log", createPrivateKey(newPrivatePem())).public
    .vkey;
  for (const [what, tamper, fault] of cases) {
    rmSync(folder, { recursive: true });
    cpSync(kept, folder, { recursive: true });
    tamper();
    const before = hashesOf(tree);
    const { code, text, hints } = await rehashed(ground, what.includes("key") ? [stranger] : []);
    assert.equal(code, 1, what);
    assert.match(text, fault, what);
    assert.match(hints, /the hashes are left as they are/);
    assert.deepEqual(hashesOf(tree), before, what);
  }
});

test("auditRehash() takes the hashes of files that retention removed from what is stored, and refuses without", async (context) => {
  const ground = await sealed(context);
  const { tree, folder } = ground;
  const sealer = await ground.open();
  const removal = { type: "event", event: "file-removed", figures: { bytes: 1, file: B } };
  ground.write(A, [JSON.stringify(removal)]);
  feed(sealer, folder, A);
  sealer.close();
  rmSync(join(folder, B));
  const right = hashesOf(tree);
  rmSync(join(tree, "hashes-8"));
  flip(join(tree, "hashes-0"), 32 * 50_000);
  assert.equal((await rehashed(ground)).code, 0);
  assert.deepEqual(hashesOf(tree), right);
  truncateSync(join(tree, "hashes-0"), 32 * 40_100);
  const { code, text } = await rehashed(ground);
  assert.equal(code, 1);
  assert.match(text, /FAULT root: .*among leaves 0 to 40699/);
});

test("auditRehash() refuses while a process keeps the log, and where nothing is sealed", async (context) => {
  const ground = await sealed(context);
  const lock = takeKeepingLock(ground.folder);
  await assert.rejects(rehashed(ground), /is kept by a process; end it first/);
  lock?.release();
  assert.equal((await rehashed(ground)).code, 0);
  await assert.rejects(rehashed(await treeGround(context)), /has no checkpoint/);
});

test("auditRehash() says what cannot be locked, and who has to ask", async (context) => {
  const ground = await sealed(context);
  const path = join(ground.folder, "keeping.lock");
  const message = new RegExp(
    `^audit: ${path} cannot be locked \\(.+\\); .* as the user of the proxy$`,
  );
  const says = { name: "SallyportError", code: "audit-failed", message };
  mkdirSync(path);
  await assert.rejects(rehashed(ground), says);
  rmdirSync(path);
  writeFileSync(path, "no lock of anybody's".repeat(60));
  await assert.rejects(rehashed(ground), says);
});
