import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as check, constantFrom, nat, property, record } from "fast-check";
import { NEVER } from "../../model/revocation.ts";
import { digestOf } from "../../../test/authority/feed-kit.ts";
import {
  packDigests,
  packRevocations,
  RECORD_BYTES,
  unpackDigests,
  unpackRevocations,
} from "./revocation-pack.ts";

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
