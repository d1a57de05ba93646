import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ROW, RevocationTable } from "./revocation-table.ts";

/** Few first words at both ends of their range, so that rows push each other on and around the end. */
const word = fc.constantFrom(0, 1, 2 ** 30, 2 ** 31, 2 ** 32 - 1, 2 ** 32 - 2, 0xc000_0000);
const anyDigest = fc.tuple(word, fc.nat(3), fc.constant(7), fc.constantFrom(5, 1024 + 5, 6));
const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      digest: anyDigest,
      value: fc.integer({ min: 1, max: 100 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("remove" as const),
      digest: anyDigest,
      value: fc.constant(0),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("sweep" as const),
      digest: anyDigest,
      value: fc.nat(100),
    }),
  },
);

test("RevocationTable holds what a Map holds, whatever is written, removed and swept", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
      const table = new RevocationTable();
      const model = new Map<string, number>();
      for (const { do: verb, digest: key, value } of commands) {
        if (verb === "write") {
          table.write(rowOf(key, value));
          model.set(key.join(), value);
        } else if (verb === "remove") {
          assert.equal(table.remove(rowOf(key, 0)), model.delete(key.join()));
        } else {
          sweepAll(table, value);
          for (const [name, expires] of model) if (expires <= value) model.delete(name);
        }
        assert.equal(table.size, model.size);
      }
      for (const [name, expires] of model) {
        const row = rowOf(name.split(",").map(Number), 0);
        assert.ok(table.has(row));
        assert.ok(table.read(row), name);
        assert.deepEqual([...row.subarray(ROW.cutoff)], [expires + 1, expires + 2, expires, 1]);
      }
    }),
    { numRuns: 500 },
  );
});

test("RevocationTable sweeps what came with an earlier generation, and nothing else", () => {
  const table = new RevocationTable();
  for (let index = 0; index < 100; index++) {
    const row = rowOf([index * 40_000_000, 0, 0, 3], 50);
    row[ROW.generation] = 1 + (index % 2);
    table.write(row);
  }
  table.sweep(3, { nowSeconds: 49, generation: 2 });
  // A row that moved around the end of its part may be passed over; the next round finds it.
  table.sweep(3, { nowSeconds: 49, generation: 2 });
  assert.equal(table.size, 50);
  assert.equal(table.has(rowOf([40_000_000, 0, 0, 3], 0)), true);
  assert.equal(table.has(rowOf([0, 0, 0, 3], 0)), false);
  table.sweep(3, { nowSeconds: 50, generation: 2 });
  table.sweep(3, { nowSeconds: 50, generation: 2 });
  assert.equal(table.size, 0);
});

test("RevocationTable refuses a row without an expiry, which would be an empty slot", () => {
  assert.throws(() => new RevocationTable().write(rowOf([1, 2, 3, 4], 0)), TypeError);
});

/** Twice, for what moves around the end of a part. */
function sweepAll(table: RevocationTable, nowSeconds: number): void {
  for (let index = 0; index < 2 * table.parts; index++) {
    table.sweep(index % table.parts, { nowSeconds, generation: 0 });
  }
}

function rowOf(digest: readonly number[], expires: number): Uint32Array {
  const row = new Uint32Array(ROW.length);
  row.set(digest, ROW.digest);
  row[ROW.cutoff] = expires + 1;
  row[ROW.blockedUntil] = expires + 2;
  row[ROW.expires] = expires;
  row[ROW.generation] = 1;
  return row;
}
