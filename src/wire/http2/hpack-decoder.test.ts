import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import type { Fields } from "../../model/http.ts";
import { HpackDecoder, type HpackFault, type HpackLimits, isHpackFault } from "./hpack-decoder.ts";
import { neverIndexedIn } from "../never-indexed.ts";
import { EXAMPLES } from "./hpack-examples.fixture.ts";

const LIMITS: HpackLimits = { maxTableBytes: 4096, maxListBytes: 16_384, maxFields: 100 };

function decoder(limits: Partial<HpackLimits> = {}): HpackDecoder {
  return new HpackDecoder({ ...LIMITS, ...limits });
}

function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(/\s/g, ""), "hex");
}

function decode(block: string | Buffer, limits: Partial<HpackLimits> = {}): Fields | HpackFault {
  return decoder(limits).decode(typeof block === "string" ? hex(block) : block);
}

function fieldsOf(result: Fields | HpackFault): Fields {
  assert.equal(isHpackFault(result), false, isHpackFault(result) ? result.detail : "");
  return result as Fields;
}

function faultOf(result: Fields | HpackFault): HpackFault {
  assert.equal(isHpackFault(result), true, `no fault but ${JSON.stringify(result)}`);
  return result as HpackFault;
}

/** What the dynamic table holds, the newest first: asks for each index until there is none, which ends it. */
function tableOf(of: HpackDecoder): string[][] {
  const entries: string[][] = [];
  for (let index = 62; ; index += 1) {
    const result = of.decode(integer(0x80, 7, index));
    if (isHpackFault(result)) return entries;
    entries.push([...result]);
  }
}

/** A literal without Huffman coding: `first` has the bits of its kind. */
function literal(first: number, name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([first]), text(name), text(value)]);
}

function text(value: string): Buffer {
  return Buffer.concat([integer(0, 7, value.length), Buffer.from(value, "latin1")]);
}

function integer(bits: number, prefix: number, value: number): Buffer {
  const most = 2 ** prefix - 1;
  if (value < most) return Buffer.from([bits | value]);
  const octets = [bits | most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 0x80);
  return Buffer.from([...octets, rest]);
}

for (const { section, tableBytes, steps } of EXAMPLES) {
  test(`HpackDecoder.decode() reads the blocks of RFC 7541 appendix ${section}`, () => {
    const of = decoder();
    // The examples assume that a size was agreed on; here it has to be said.
    const resize = tableBytes === 4096 ? "" : "3fe101";
    for (const [index, { block, fields }] of steps.entries()) {
      const result = of.decode(hex((index === 0 ? resize : "") + block));
      assert.deepEqual(fieldsOf(result), fields);
    }
    const last = steps[steps.length - 1];
    const held = tableOf(of);
    assert.deepEqual(held, last?.table);
    const sizes = held.map(([name = "", value = ""]) => name.length + value.length + 32);
    assert.equal(
      sizes.reduce((a, b) => a + b, 0),
      last?.bytes,
    );
  });
}

test("HpackDecoder.decode() reads an empty block as no fields", () => {
  assert.deepEqual(decode(""), []);
});

const REFUSED: readonly [why: string, block: string, detail: string][] = [
  ["index 0", "80", "index 0"],
  ["an index beyond the static table, the dynamic one being empty", "be", "beyond"],
  ["an index beyond the dynamic table", "400161 0162 bf", "beyond"],
  ["the name of an index beyond the tables", "7e0161", "beyond"],
  ["the name of an index beyond the tables, without indexing", "0f2f 0161", "beyond"],
  ["an index of the largest integer", "ff ff ff ff 7f", "beyond"],
  ["an integer that does not end", "ff", "integer"],
  ["an integer that does not end in its continuation", "ff80", "integer"],
  ["an integer of 5 continuation octets", "ff8080808000", "integer"],
  ["an integer of endless continuation octets", `ff${"80".repeat(100)}00`, "integer"],
  ["an integer that overflows 32 bits", "ff ff ff ff ff 0f", "integer"],
  ["an integer that overflows 64 bits", "ff ff ff ff ff ff ff ff ff ff 01", "integer"],
  ["a length that does not end", "00 7f", "integer"],
  ["a literal without a name", "00", "text"],
  ["a literal whose name has no octets", "0001", "text"],
  ["a literal whose name is cut", "000261", "text"],
  ["a literal without a value", "000161", "text"],
  ["a literal whose value is cut", "00016102 62", "text"],
  ["a literal with an indexed name and no value", "42", "text"],
  ["a value longer than any block", "00 0161 7f ff ff ff 7f", "text"],
  ["a Huffman coded name that is cut", "00 82 1f", "text"],
  ["EOS in a value", "00 0161 84 ff ff ff ff", "Huffman"],
  ["EOS in a name", "00 84 ff ff ff ff 0161", "Huffman"],
  ["padding of 8 bits", "00 0161 82 1f ff", "Huffman"],
  ["padding of zeros", "00 0161 81 18", "Huffman"],
  ["a change of size after a field", "82 20", "after a field"],
  ["a change of size after fields and one before", "20 82 20", "after a field"],
  ["three changes of size", "20 20 20", "more than two"],
  ["a table larger than announced", "3f e2 1f", "larger"],
  ["a table larger than announced, by far", "3f ff ff ff 7f", "larger"],
  ["a change of size that is not complete", "3f", "integer"],
];

for (const [why, block, detail] of REFUSED) {
  test(`HpackDecoder.decode() refuses ${why}`, () => {
    const fault = faultOf(decode(block));
    assert.equal(fault.fault, "compression");
    assert.equal(fault.detail.includes(detail), true, fault.detail);
  });
}

test("HpackDecoder.decode() refuses everything after a compression fault", () => {
  const of = decoder();
  assert.equal(faultOf(of.decode(hex("80"))).fault, "compression");
  assert.equal(faultOf(of.decode(hex("82"))).fault, "compression");
  assert.equal(faultOf(of.decode(hex(""))).fault, "compression");
});

test("HpackDecoder.decode() reads integers at their bounds (RFC 7541 section 5.1)", () => {
  for (const length of [0, 1, 126, 127, 128, 254, 255, 256, 16_000]) {
    const value = "v".repeat(length);
    assert.deepEqual(decode(literal(0, "n", value)), ["n", value]);
  }
  // As many continuation octets as are allowed, of which the last say nothing.
  assert.deepEqual(decode("00 0161 7f 80 80 80 00".concat("62".repeat(127))), [
    "a",
    "b".repeat(127),
  ]);
});

test("HpackDecoder.decode() reads names and values of no octets, and leaves judging to others", () => {
  assert.deepEqual(decode("000000"), ["", ""]);
  assert.deepEqual(decode(literal(0, "A\n:", "\0\r\n\xff")), ["A\n:", "\0\r\n\xff"]);
});

test("HpackDecoder.decode() follows changes of the table's size (RFC 7541 section 4.3)", () => {
  const of = decoder();
  assert.deepEqual(fieldsOf(of.decode(hex("400161 0162 400163 0164"))), ["a", "b", "c", "d"]);
  // 34 bytes are one of these entries: the older one goes.
  assert.deepEqual(fieldsOf(of.decode(Buffer.concat([integer(0x20, 5, 34), hex("be")]))), [
    "c",
    "d",
  ]);
  assert.deepEqual(tableOf(of), [["c", "d"]]);
});

test("HpackDecoder.decode() takes the smallest size and then the last (RFC 7541 section 4.2)", () => {
  const of = decoder();
  of.decode(hex("400161 0162"));
  assert.deepEqual(fieldsOf(of.decode(hex("20 3fe11f 82"))), [":method", "GET"]);
  assert.deepEqual(tableOf(of), []);
});

test("HpackDecoder.decode() allows as large a table as was announced", () => {
  const block = Buffer.concat([integer(0x20, 5, 65_536), hex("82")]);
  assert.deepEqual(decode(block, { maxTableBytes: 65_536 }), [":method", "GET"]);
  assert.equal(faultOf(decode(block, { maxTableBytes: 65_535 })).fault, "compression");
});

test("HpackDecoder.decode() empties the table for an entry that never fits (RFC 7541 section 4.4)", () => {
  const of = decoder();
  of.decode(hex("400161 0162"));
  const value = "v".repeat(4096 - 32);
  assert.deepEqual(fieldsOf(of.decode(literal(0x40, "n", value))), ["n", value]);
  assert.deepEqual(tableOf(of), []);
});

test("HpackDecoder.decode() keeps an entry that just fits", () => {
  const of = decoder();
  of.decode(hex("400161 0162"));
  const value = "v".repeat(4096 - 33);
  of.decode(literal(0x40, "n", value));
  assert.deepEqual(tableOf(of), [["n", value]]);
});

test("HpackDecoder.decode() reads a name that its own insertion evicts (RFC 7541 section 4.4)", () => {
  const of = decoder();
  of.decode(literal(0x40, "name", "v".repeat(4000)));
  const block = Buffer.concat([hex("7e"), text("w".repeat(4000))]);
  assert.deepEqual(fieldsOf(of.decode(block)), ["name", "w".repeat(4000)]);
  assert.deepEqual(tableOf(of), [["name", "w".repeat(4000)]]);
});

test("HpackDecoder.decode() may be given the same field twice (RFC 7541 section 2.3.2)", () => {
  const of = decoder();
  of.decode(hex("400161 0162 400161 0162"));
  assert.deepEqual(tableOf(of), [
    ["a", "b"],
    ["a", "b"],
  ]);
});

test("HpackDecoder.decode() says too-large, not compression, for what passes the limits", () => {
  const one = literal(0, "name", "v".repeat(64));
  const many = Buffer.concat([one, one, one]);
  assert.equal(fieldsOf(decode(many, { maxListBytes: 300 })).length, 6);
  assert.equal(faultOf(decode(many, { maxListBytes: 299 })).fault, "too-large");
  assert.equal(fieldsOf(decode(many, { maxFields: 3 })).length, 6);
  assert.equal(faultOf(decode(many, { maxFields: 2 })).fault, "too-large");
  // The first limit that was passed is the one that is told: nothing is collected anew after it.
  const both = { maxFields: 1, maxListBytes: 299 };
  assert.match(faultOf(decode(many, both)).detail, /^more fields/);
});

test("HpackDecoder.decode() keeps the table in step through a block that is too large", () => {
  const block = Buffer.concat([
    literal(0x40, "early", "1"),
    literal(0x00, "large", "v".repeat(500)),
    literal(0x40, "late", "2"),
    hex("bf"),
    literal(0x40, "later", "3"),
    hex("7e 0134"),
  ]);
  const small = decoder({ maxListBytes: 400 });
  const large = decoder();
  assert.equal(faultOf(small.decode(block)).fault, "too-large");
  assert.equal(isHpackFault(large.decode(block)), false);
  assert.deepEqual(fieldsOf(small.decode(hex("c1"))), ["early", "1"]);
  const expected = [
    ["later", "4"],
    ["later", "3"],
    ["late", "2"],
    ["early", "1"],
  ];
  assert.deepEqual(tableOf(small), expected);
  assert.deepEqual(tableOf(large), expected);
});

test("HpackDecoder.decode() finds what breaks the coding after the limits were passed, too", () => {
  const large = literal(0, "n", "v".repeat(100));
  for (const rest of ["80", "be", "00 0161 81 18", "20", "00 0161"]) {
    const block = Buffer.concat([large, hex(rest)]);
    assert.equal(faultOf(decode(block, { maxListBytes: 50 })).fault, "compression");
  }
});

test("HpackDecoder.decode() walks through a header bomb without making its list", () => {
  const of = decoder();
  of.decode(literal(0x40, "n", "v".repeat(4000)));
  // 60 000 references to 4 KB each: 240 MB, were they written out.
  const bomb = Buffer.alloc(60_000, 0xbe);
  const before = process.memoryUsage().heapUsed;
  const started = performance.now();
  for (let round = 0; round < 10; round += 1) {
    assert.equal(faultOf(of.decode(bomb)).fault, "too-large");
  }
  assert.equal(performance.now() - started < 2000, true);
  assert.equal(process.memoryUsage().heapUsed - before < 64 * 1024 * 1024, true);
  assert.equal(fieldsOf(of.decode(hex("be"))).length, 2);
});

test("HpackDecoder.decode() counts fields without octets, which cost nothing but time", () => {
  const block = Buffer.concat(Array.from({ length: 600 }, () => hex("000000")));
  assert.equal(faultOf(decode(block, { maxFields: 1_000_000 })).fault, "too-large");
  assert.equal(faultOf(decode(block, { maxListBytes: 1_000_000 })).fault, "too-large");
});

test("HpackDecoder.decode() gives the same for the same block, the table being the same", () => {
  const of = decoder();
  const block = Buffer.concat([hex("8286"), literal(0, "x-long-enough", "value ".repeat(10))]);
  const expected = decode(block);
  for (let round = 0; round < 5; round += 1) {
    assert.deepEqual(fieldsOf(of.decode(Buffer.from(block))), expected);
  }
});

test("HpackDecoder.decode() reads the same block anew when the table has changed", () => {
  const of = decoder();
  const block = hex("82 86 84 be be be be be be");
  of.decode(hex("400161 0162"));
  const ab = fieldsOf(of.decode(block));
  for (let round = 0; round < 3; round += 1) assert.deepEqual(of.decode(block), ab);
  assert.equal(ab[6], "a");
  of.decode(hex("400163 0164"));
  assert.equal(fieldsOf(of.decode(block))[6], "c");
  of.decode(hex("3fe11f"));
  assert.equal(fieldsOf(of.decode(block))[6], "c");
  of.decode(hex("20"));
  assert.equal(faultOf(of.decode(block)).fault, "compression");
});

test("HpackDecoder.decode() never takes one block for another of its length", () => {
  const block = fc.record({ at: fc.nat(39), octet: fc.integer({ min: 97, max: 122 }) });
  fc.assert(
    fc.property(fc.array(block, { minLength: 2, maxLength: 30 }), (changes) => {
      const of = decoder();
      for (const { at, octet } of changes) {
        const value = Buffer.alloc(40, "a");
        value[at] = octet;
        const bytes = literal(0, "n", value.toString("latin1"));
        for (let round = 0; round < 3; round += 1) {
          assert.deepEqual(of.decode(Buffer.from(bytes)), ["n", value.toString("latin1")]);
        }
      }
    }),
  );
});

test("HpackDecoder.decode() does not remember the buffer that it was given", () => {
  const of = decoder();
  const block = literal(0, "name", "v".repeat(40));
  for (let round = 0; round < 4; round += 1) of.decode(block);
  const copy = Buffer.from(block);
  block.fill(0x77, 10);
  assert.deepEqual(of.decode(copy), ["name", "v".repeat(40)]);
});

test("HpackDecoder.decode() marks what the peer wants never indexed and we would index", () => {
  const of = decoder();
  const block = Buffer.concat([
    literal(0x10, "x-plan", "gold"),
    literal(0x10, "authorization", "Bearer abc"),
    literal(0x00, "x-other", "1"),
    literal(0x10, "x-tenant", "acme"),
  ]);
  for (let round = 0; round < 4; round += 1) {
    const fields = fieldsOf(of.decode(Buffer.from(block)));
    assert.deepEqual(neverIndexedIn(fields), ["x-plan", "x-tenant"]);
    assert.deepEqual(neverIndexedIn(fieldsOf(of.decode(hex("82")))), []);
  }
});

test("new HpackDecoder() throws a TypeError for a table smaller than what is in force at first", () => {
  assert.throws(() => decoder({ maxTableBytes: 4095 }), TypeError);
});
