import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as check, constantFrom, nat, property, record } from "fast-check";
import { NEVER, type RevocationEntry } from "../../model/revocation.ts";
import { digestOf } from "../../../test/authority/feed-kit.ts";
import {
  packDigests,
  packRevocations,
  RECORD_BYTES,
  unpackDigests,
  unpackRevocations,
} from "./revocation-pack.ts";
import { RevocationTable } from "./revocation-table.ts";

const time = constantFrom(1, 1_767_323_045_000, 2 ** 48 - 2, NEVER);
const entry = record({
  digest: nat(40).map(digestOf),
  cutoffMs: constantFrom<number | undefined>(undefined, 1, 1_767_323_045_000),
  blockedUntilMs: constantFrom<number | undefined>(undefined, 5, NEVER),
  expiresMs: time,
}).map((one) => ({ ...one }));

test("packRevocations() is undone by unpackRevocations()", () => {
  check(
    property(array(entry), (entries) => {
      assert.deepEqual(unpackRevocations(packRevocations(entries)), entries);
    }),
  );
});

test("packDigests() is undone by unpackDigests(), and pieces of them are refused", () => {
  const digests = [digestOf(1), digestOf(2)];
  assert.deepEqual(unpackDigests(packDigests(digests)), digests);
  assert.equal(unpackDigests(Buffer.alloc(17)), undefined);
  assert.equal(unpackRevocations(Buffer.alloc(RECORD_BYTES + 1)), undefined);
});

test("packRevocations() refuses a time that would be read as another", () => {
  for (const cutoffMs of [0, -1, 1.5, 2 ** 48 - 1, 2 ** 50]) {
    const wrong = { digest: digestOf(1), cutoffMs, blockedUntilMs: undefined, expiresMs: NEVER };
    assert.throws(() => packRevocations([wrong]), TypeError);
  }
  const unnamed = { digest: "x", cutoffMs: 1, blockedUntilMs: undefined, expiresMs: NEVER };
  assert.throws(() => packRevocations([unnamed]), TypeError);
});

test("RevocationTable holds what a Map holds after any sequence of changes", () => {
  const step = record({ entry, remove: constantFrom(true, false, false) });
  check(
    property(array(step, { maxLength: 200 }), (steps) => {
      const table = new RevocationTable();
      const model = new Map<string, RevocationEntry>();
      for (const { entry: one, remove } of steps) {
        if (remove) assert.equal(table.delete(one.digest), model.delete(one.digest));
        else {
          table.set(one);
          model.set(one.digest, one);
        }
      }
      assert.equal(table.size, model.size);
      for (const [digest, one] of model) assert.deepEqual(table.get(digest), one);
      const pieces = table.pieces(7);
      // What changes after it is not in a copy.
      table.clear();
      const packed = [...pieces.packed];
      assert.equal(packed.length, pieces.count);
      const entries = packed.flatMap((piece) => unpackRevocations(piece) ?? []);
      assert.equal(entries.length, pieces.size);
      assert.deepEqual(new Map(entries.map((one) => [one.digest, one])), model);
    }),
  );
});

test("RevocationTable keeps everything when it grows, and when what collides is removed", () => {
  const table = new RevocationTable();
  const made = (index: number, expiresMs: number = NEVER): RevocationEntry => {
    // All of one home slot: one chain.
    const bytes = Buffer.alloc(16);
    bytes.writeUInt32BE(index, 8);
    const digest = bytes.toString("base64url");
    return { digest, cutoffMs: 1 + index, blockedUntilMs: undefined, expiresMs };
  };
  for (let index = 0; index < 2000; index++) table.set(made(index, index % 2 === 0 ? 50 : NEVER));
  assert.equal(table.sweep(50, table.parts), 1000);
  assert.equal(table.size, 1000);
  for (let index = 0; index < 2000; index++) {
    const { digest, cutoffMs } = made(index);
    assert.equal(table.get(digest)?.cutoffMs, index % 2 === 0 ? undefined : cutoffMs);
  }
});
