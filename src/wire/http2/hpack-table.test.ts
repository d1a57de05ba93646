import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { HpackTable } from "./hpack-table.ts";

/** The table as RFC 7541 section 4 tells it: a list, the newest first. */
class PlainTable {
  readonly fields: [name: string, value: string][] = [];
  maxBytes: number;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
  }

  insert(name: string, value: string): void {
    this.fields.unshift([name, value]);
    this.resize(this.maxBytes);
  }

  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
    while (this.bytes > maxBytes) this.fields.pop();
  }
}

test("HpackTable holds what a plain list with the rules of RFC 7541 section 4 holds", () => {
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.tuple(fc.nat(60), fc.nat(120)) },
    { weight: 1, arbitrary: fc.tuple(fc.nat(3000), fc.nat(3000)) },
    { weight: 1, arbitrary: fc.nat(5000) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
      const table = new HpackTable(4096);
      const plain = new PlainTable(4096);
      for (const [count, change] of steps.entries()) {
        if (typeof change === "number") {
          table.resize(change);
          plain.resize(change);
        } else {
          const name = `${count}`.padEnd(change[0], "n");
          const value = `${count}`.padEnd(change[1], "v");
          table.insert(name, value);
          plain.insert(name, value);
        }
        assert.equal(table.entries, plain.fields.length);
        assert.equal(table.bytes, plain.bytes);
        assert.equal(table.maxBytes, plain.maxBytes);
      }
      for (const [age, [name, value]] of plain.fields.entries()) {
        assert.equal(table.name(age), name);
        assert.equal(table.value(age), value);
      }
    }),
    { numRuns: 60 },
  );
});

test("HpackTable.newest counts entries and never goes back", () => {
  const table = new HpackTable(100);
  for (let count = 1; count <= 50; count += 1) {
    table.insert("name", "value");
    assert.equal(table.newest, count);
    assert.equal(table.entries, Math.min(count, 2));
  }
  table.resize(0);
  assert.equal(table.newest, 50);
  assert.equal(table.entries, 0);
});
