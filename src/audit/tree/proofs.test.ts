import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assert as check, constantFrom, integer, nat, property, record } from "fast-check";
import { corpora } from "../../../test/corpora.ts";
import { Frontier } from "./frontier.ts";
import { EMPTY_ROOT, leafHash, nodeHash } from "./hashing.ts";
import { consistencyProof, inclusionProof, type ReadNode, treeHead } from "./proofs.ts";
import { verifyConsistency, verifyInclusion } from "./verify-proof.ts";

interface Case {
  readonly leafIdx?: number;
  readonly treeSize?: number;
  readonly start?: number;
  readonly end?: number;
  readonly size?: number;
  readonly size1?: number;
  readonly size2?: number;
  readonly root?: string;
  readonly root1?: string;
  readonly root2?: string;
  readonly leafHash?: string;
  readonly proof: readonly string[] | null;
  readonly desc: string;
  readonly wantErr: boolean;
}

const folder = corpora("audit/merkle");

test(
  "proofs of the transparency-dev corpus hold where they should",
  {
    skip: folder === undefined && "no corpora beside the checkout",
  },
  () => {
    let tried = 0;
    for (const name of readdirSync(folder ?? "", { recursive: true }) as string[]) {
      if (!name.endsWith(".json")) continue;
      const one = JSON.parse(readFileSync(join(folder ?? "", name), "utf8")) as Case;
      assert.equal(holds(one), !one.wantErr, `${name}: ${one.desc}`);
      tried += 1;
    }
    assert.equal(tried, 518);
  },
);

function holds(one: Case): boolean {
  const proof = (one.proof ?? []).map(decoded);
  if (one.leafIdx !== undefined) {
    return verifyInclusion({
      index: one.leafIdx,
      size: one.treeSize ?? one.end ?? -1,
      ...(one.start === undefined ? {} : { start: one.start }),
      leaf: decoded(one.leafHash),
      root: decoded(one.root),
      proof,
    });
  }
  const sizes = { earlier: one.size1 ?? one.end ?? -1, size: one.size2 ?? one.size ?? -1 };
  const roots = { earlierRoot: decoded(one.root1), root: decoded(one.root2) };
  const start = one.start === undefined ? {} : { start: one.start };
  return verifyConsistency({ ...sizes, ...roots, ...start, proof });
}

function decoded(text: string | undefined): Buffer {
  return Buffer.from(text ?? "", "base64");
}

/** RFC 9162 section 2.1.1, as it is written: the oracle. */
function written(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leafHash(leaves[0] as Buffer);
  let power = 1;
  while (power * 2 < leaves.length) power *= 2;
  return nodeHash(written(leaves.slice(0, power)), written(leaves.slice(power)));
}

function tree(size: number): { readonly leaves: readonly Buffer[]; readonly read: ReadNode } {
  const leaves = Array.from({ length: size }, (_, index) => Buffer.from(`leaf ${index}`));
  const read: ReadNode = (level, index) => {
    const part = leaves.slice(index * 2 ** level, (index + 1) * 2 ** level);
    assert.equal(part.length, 2 ** level, "only complete subtrees are asked for");
    return written(part);
  };
  return { leaves, read };
}

test("Frontier has the root of RFC 9162 at each size, and goes on from its peaks", () => {
  const { leaves, read } = tree(70);
  const grown = new Frontier();
  for (let size = 0; size <= leaves.length; size++) {
    const root = written(leaves.slice(0, size));
    assert.deepEqual(grown.root(), root);
    assert.deepEqual(treeHead(size, read), root);
    if (size < leaves.length) grown.add(leafHash(leaves[size] as Buffer));
  }
  for (const size of [0, 1, 6, 31, 64, 69]) {
    const peaks = peaksOf(size, read);
    const again = new Frontier({ size, peaks });
    for (const leaf of leaves.slice(size)) again.add(leafHash(leaf));
    assert.deepEqual(again.root(), grown.root());
  }
  assert.throws(() => new Frontier({ size: 3, peaks: [EMPTY_ROOT] }), TypeError);
});

function peaksOf(size: number, read: ReadNode): Buffer[] {
  const peaks: Buffer[] = [];
  let start = 0;
  for (let level = 10; level >= 0; level--) {
    if (start + 2 ** level > size) continue;
    peaks.push(read(level, start / 2 ** level));
    start += 2 ** level;
  }
  return peaks;
}

test("each leaf of each small tree is proven, and nothing else is", () => {
  for (let size = 1; size <= 40; size++) {
    const { leaves, read } = tree(size);
    const root = treeHead(size, read);
    for (let index = 0; index < size; index++) {
      const leaf = leafHash(leaves[index] as Buffer);
      const proof = inclusionProof(index, size, read);
      assert.ok(verifyInclusion({ index, size, leaf, proof, root }), `${index} of ${size}`);
      const other = (index + 1) % size;
      if (size > 1) assert.ok(!verifyInclusion({ index: other, size, leaf, proof, root }));
      assert.ok(!verifyInclusion({ index, size, leaf, proof: [...proof, leaf], root }));
      assert.ok(!verifyInclusion({ index, size, leaf: root, proof, root }) || size === 1);
    }
  }
});

test("each small tree is proven to begin with each smaller one, and nothing else is", () => {
  for (let size = 1; size <= 40; size++) {
    const { read } = tree(size);
    const root = treeHead(size, read);
    for (let earlier = 1; earlier <= size; earlier++) {
      const earlierRoot = treeHead(earlier, read);
      const proof = consistencyProof(earlier, size, read);
      const sizes = { earlier, size };
      assert.ok(verifyConsistency({ ...sizes, earlierRoot, root, proof }), `${earlier}, ${size}`);
      assert.ok(!verifyConsistency({ ...sizes, earlierRoot: EMPTY_ROOT, root, proof }));
      assert.ok(!verifyConsistency({ ...sizes, earlierRoot, root, proof: [...proof, root] }));
    }
  }
});

test("a proof with any byte changed, a step more or a step less does not hold", () => {
  const changes = record({
    size: integer({ min: 2, max: 200 }),
    place: nat(),
    byte: nat(31),
    bit: nat(7),
    how: constantFrom("change", "drop", "double"),
  });
  check(
    property(changes, ({ size, place, byte, bit, how }) => {
      const { leaves, read } = tree(size);
      const root = treeHead(size, read);
      const index = place % size;
      const leaf = leafHash(leaves[index] as Buffer);
      const earlier = 1 + (place % (size - 1));
      const earlierRoot = treeHead(earlier, read);
      const inclusion = inclusionProof(index, size, read);
      const consistency = consistencyProof(earlier, size, read);
      for (const proof of [inclusion, consistency]) {
        const at = place % proof.length;
        const step = Buffer.from(proof[at] as Buffer);
        if (how === "drop") proof.splice(at, 1);
        else if (how === "double") proof.splice(at, 0, step);
        else {
          step[byte] = (step[byte] as number) ^ (1 << bit);
          proof[at] = step;
        }
      }
      assert.ok(!verifyInclusion({ index, size, leaf, proof: inclusion, root }));
      assert.ok(!verifyConsistency({ earlier, size, earlierRoot, root, proof: consistency }));
    }),
    { numRuns: 100 },
  );
});

test("proofs of leaves and trees that are not there are refused", () => {
  const { read } = tree(4);
  assert.throws(() => inclusionProof(4, 4, read), RangeError);
  assert.throws(() => inclusionProof(-1, 4, read), RangeError);
  assert.throws(() => consistencyProof(5, 4, read), RangeError);
  assert.deepEqual(consistencyProof(0, 4, read), []);
  assert.deepEqual(consistencyProof(4, 4, read), []);
});
