import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as check, constantFrom, nat, property, record } from "fast-check";
import { NEVER, type RevocationEntry } from "../../model/revocation.ts";
import { digestOf } from "../../../test/authority/feed-kit.ts";
import { KnownRevocations } from "./known-revocations.ts";
import { unpackRevocations } from "./revocation-pack.ts";

const entry = record({
  digest: nat(40).map(digestOf),
  cutoffMs: constantFrom<number | undefined>(undefined, 1, 1_767_323_045_000, 1_767_323_045_001),
  blockedUntilMs: constantFrom<number | undefined>(undefined, 5, NEVER),
  expiresMs: constantFrom(1, 1_767_323_045_000, NEVER),
}).map((one) => ({ ...one }));

/** In whole seconds, rounded up; and no end before that of its block. */
function rounded({
  digest,
  cutoffMs,
  blockedUntilMs,
  expiresMs,
}: RevocationEntry): RevocationEntry {
  const up = <T extends number | undefined>(ms: T): T | number =>
    ms === undefined || ms === NEVER ? ms : Math.ceil(ms / 1000) * 1000;
  return {
    digest,
    cutoffMs: up(cutoffMs),
    blockedUntilMs: up(blockedUntilMs),
    expiresMs: Math.max(up(expiresMs), up(blockedUntilMs) ?? 0),
  };
}

function all(known: KnownRevocations): Map<string, RevocationEntry> {
  const entries = [...known.pieces(7).packed].flatMap((piece) => unpackRevocations(piece) ?? []);
  return new Map(entries.map((one) => [one.digest, one]));
}

test("KnownRevocations holds what a Map holds after any sequence of changes", () => {
  const step = record({ entry, remove: constantFrom(true, false, false) });
  check(
    property(array(step, { maxLength: 200 }), (steps) => {
      const known = new KnownRevocations();
      const model = new Map<string, RevocationEntry>();
      for (const { entry: one, remove } of steps) {
        if (remove) assert.equal(known.delete(one.digest), model.delete(one.digest));
        else {
          known.set(one);
          model.set(one.digest, rounded(one));
        }
      }
      assert.equal(known.size, model.size);
      const pieces = known.pieces(7);
      // What changes after it is not in a copy.
      known.clear();
      const packed = [...pieces.packed];
      assert.equal(packed.length, pieces.count);
      const entries = packed.flatMap((piece) => unpackRevocations(piece) ?? []);
      assert.equal(entries.length, pieces.size);
      assert.deepEqual(new Map(entries.map((one) => [one.digest, one])), model);
    }),
  );
});

test("sweep() drops what has expired, and nothing else, when what collides is removed", () => {
  const known = new KnownRevocations();
  const made = (index: number): RevocationEntry => {
    // All of one home slot: one chain.
    const bytes = Buffer.alloc(16);
    bytes.writeUInt32BE(index, 8);
    const expiresMs = index % 2 === 0 ? 50_000 : NEVER;
    const digest = bytes.toString("base64url");
    return { digest, cutoffMs: 1000 * (1 + index), blockedUntilMs: undefined, expiresMs };
  };
  for (let index = 0; index < 2000; index++) known.set(made(index));
  assert.equal(known.sweep(49_999, known.parts), 0);
  assert.equal(known.sweep(50_000, known.parts), 1000);
  const left = all(known);
  assert.equal(left.size, 1000);
  for (let index = 1; index < 2000; index += 2) {
    const one = made(index);
    assert.deepEqual(left.get(one.digest), one);
  }
});

test("set() and delete() refuse what is no digest", () => {
  const known = new KnownRevocations();
  const one = { digest: "x", cutoffMs: 1000, blockedUntilMs: undefined, expiresMs: NEVER };
  assert.throws(() => known.set(one), TypeError);
  assert.throws(() => known.delete("x"), TypeError);
  assert.equal(known.size, 0);
});
