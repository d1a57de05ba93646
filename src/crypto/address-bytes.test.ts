import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { addressBytes } from "./address-bytes.ts";

const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
const groups = fc.array(group, { minLength: 8, maxLength: 8 });

test("addressBytes() gives the octets of IPv4", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
      assert.deepEqual(addressBytes(bytes.join(".")), Buffer.from(bytes));
    }),
  );
});

test("addressBytes() gives the octets of IPv6 in every way to write it", () => {
  fc.assert(
    fc.property(groups, fc.nat(7), fc.nat(8), fc.boolean(), (values, from, to, dotted) => {
      const bytes = Buffer.alloc(16);
      for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
      const parts = values.map((value) => value.toString(16));
      const tail = dotted ? [bytes.subarray(12).join(".")] : parts.slice(6);
      assert.deepEqual(addressBytes([...parts.slice(0, 6), ...tail].join(":")), bytes);
      // `::` stands for any run of zeros.
      if (from >= to || values.slice(from, to).some((value) => value !== 0)) return;
      const short = `${parts.slice(0, from).join(":")}::${parts.slice(to).join(":")}`;
      assert.deepEqual(addressBytes(short), bytes);
    }),
    { numRuns: 1000 },
  );
});

test("addressBytes() refuses what is no address, and one with a zone", () => {
  for (const text of ["", "1.2.3", "256.1.1.1", "01.2.3.4", "::1%eth0", "1::2::3", "localhost"]) {
    assert.equal(addressBytes(text), undefined, text);
  }
});
