import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { bitOf, DerReader, inside, oidText, smallInteger, TAG, timeOf } from "./der.ts";
import {
  bitString,
  der,
  integer,
  isTrue,
  namedBits,
  octetString,
  oid,
  sequence,
  time,
} from "./der-writer.ts";

function whole(bytes: Buffer, tag: number) {
  const reader = new DerReader(bytes);
  const element = reader.next(tag);
  reader.end();
  return element;
}

test("der() writes lengths that the strict reader takes, at every border of their forms", () => {
  for (const length of [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000]) {
    const { content, bytes } = whole(der(TAG.octetString, Buffer.alloc(length)), TAG.octetString);
    assert.equal(content.length, length);
    const head = length < 0x80 ? 2 : 2 + Math.ceil(length.toString(16).length / 2);
    assert.equal(bytes.length, head + length);
  }
});

test("der() nests: whatever is put in is read back", () => {
  const leaf = fc.uint8Array({ maxLength: 300 }).map((bytes) => octetString(bytes));
  fc.assert(
    fc.property(fc.array(leaf, { maxLength: 20 }), (leaves) => {
      const reader = inside(whole(sequence(...leaves), TAG.sequence));
      for (const one of leaves) assert.deepEqual(reader.next(TAG.octetString).bytes, one);
      reader.end();
    }),
  );
});

test("integer() writes the fewest octets, and never a negative number", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 300n }), (value) => {
      const { content } = whole(integer(value), TAG.integer);
      assert.equal(BigInt(`0x${content.toString("hex")}`), value);
      assert.ok((content[0] ?? 0x80) < 0x80, "negative");
      // X.690 section 8.3.2: the first nine bits are not all zeros.
      assert.ok(content.length === 1 || content[0] !== 0 || (content[1] ?? 0) >= 0x80, "padded");
    }),
  );
  assert.equal(smallInteger(whole(integer(2), TAG.integer)), 2);
  assert.deepEqual(integer(Buffer.from([0, 0, 0x90])), Buffer.from([2, 2, 0, 0x90]));
  assert.throws(() => integer(-1), RangeError);
  assert.throws(() => integer(Buffer.alloc(0)), RangeError);
});

test("oid() is read back, and refuses what is none", () => {
  const arc = fc.integer({ min: 0, max: 2 ** 32 });
  const first = fc.oneof(
    fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 39 })),
    fc.tuple(fc.constant(2), fc.integer({ min: 0, max: 2 ** 20 })),
  );
  fc.assert(
    fc.property(first, fc.array(arc, { maxLength: 8 }), (start, rest) => {
      const text = [...start, ...rest].join(".");
      assert.equal(oidText(whole(oid(text), TAG.oid)), text);
    }),
  );
  for (const text of ["", "1", "3.1", "1.40", "1.2.-3", "1.2.x", "1.2.1.5.0x", "1.2.0.5e-1"]) {
    assert.throws(() => oid(text), RangeError, text);
  }
});

test("namedBits() sets those bits and leaves out the zeros after them", () => {
  const bits = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 10 });
  fc.assert(
    fc.property(bits, (set) => {
      const element = whole(namedBits(set), TAG.bitString);
      for (let bit = 0; bit < 40; bit++) assert.equal(bitOf(element, bit), set.includes(bit));
      const [unused = 0] = element.content;
      assert.equal((element.content.length - 1) * 8 - unused, Math.max(-1, ...set) + 1);
    }),
  );
  assert.deepEqual(namedBits([5, 6]), Buffer.from([3, 2, 1, 6]));
  assert.deepEqual(bitString(Buffer.from([9])), Buffer.from([3, 2, 0, 9]));
  assert.deepEqual(isTrue(), Buffer.from([1, 1, 0xff]));
});

test("time() changes its form with the year 2050, and rounds down to seconds", () => {
  const moment = fc.date({
    min: new Date("1950-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59Z"),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(moment, (date) => {
      const ms = date.getTime();
      assert.equal(timeOf(new DerReader(time(ms))), Math.floor(ms / 1000) * 1000);
    }),
  );
  assert.equal(time(Date.parse("2049-12-31T23:59:59.999Z"))[0], TAG.utcTime);
  assert.equal(time(Date.parse("2050-01-01T00:00:00Z"))[0], TAG.generalizedTime);
  for (const ms of [Number.NaN, Date.parse("1949-12-31T23:59:59Z"), 8.64e15, Infinity]) {
    assert.throws(() => time(ms), RangeError);
  }
});
