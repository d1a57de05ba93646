/**
 * HPACK against an implementation that others wrote, in both directions, and against bytes of nobody:
 * whatever a peer sends is fields or a fault, in a time that its length bounds.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import {
  HpackDecoder,
  type HpackLimits,
  isHpackFault,
} from "../../src/wire/http2/hpack-decoder.ts";
import { HpackEncoder } from "../../src/wire/http2/hpack-encoder.ts";
import { EXAMPLES } from "../../src/wire/http2/hpack-examples.fixture.ts";
import { STATIC_NAMES, STATIC_VALUES } from "../../src/wire/http2/static-table.ts";
import { SecondDecoder, SecondEncoder } from "./second-hpack.ts";

const GENEROUS: HpackLimits = { maxTableBytes: 4096, maxListBytes: 1 << 24, maxFields: 100_000 };
const TIGHT: HpackLimits = { maxTableBytes: 4096, maxListBytes: 200, maxFields: 4 };

// The other implementation keeps names and values in objects, where those of Object.prototype are traps.
const name = fc.oneof(
  fc.constantFrom(...STATIC_NAMES.slice(1), "x-a", "x-b", "x-tenant", "traceparent"),
  fc.stringMatching(/^x-[a-z0-9-]{0,30}$/),
);
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...STATIC_VALUES, "acme", "1", "value ".repeat(30)) },
  { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 60 }) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 60 }).map((o) => Buffer.from(o).toString("latin1")),
  },
);
const field = fc.record({
  name,
  value: value.filter((each) => !(each in Object.prototype)),
  incremental: fc.boolean(),
  neverIndex: fc.boolean(),
  huffman: fc.boolean(),
});
const messages = fc.array(fc.array(field, { maxLength: 14 }), { maxLength: 40, size: "max" });

test("HpackDecoder.decode() reads what another implementation writes", () => {
  fc.assert(
    fc.property(messages, (list) => {
      const encoder = new SecondEncoder();
      const decoder = new HpackDecoder(GENEROUS);
      for (const message of list) {
        const expected = message.flatMap((each) => [each.name, each.value]);
        assert.deepEqual(decoder.decode(encoder.encode(message)), expected);
      }
    }),
    { numRuns: 100 },
  );
});

test("HpackEncoder.encode() writes what another implementation reads", () => {
  const size = fc.constantFrom(0, 40, 100, 500, 4096, 4096);
  fc.assert(
    fc.property(messages, fc.array(size, { maxLength: 8 }), (list, sizes) => {
      const encoder = new HpackEncoder();
      const decoder = new SecondDecoder(4096);
      for (const [index, message] of list.entries()) {
        const bytes = sizes[index];
        if (bytes !== undefined) encoder.setMaxTableBytes(bytes);
        const fields = message.flatMap((each) => [each.name, each.value]);
        assert.deepEqual(decoder.decode(encoder.encode(fields)), fields);
      }
    }),
    { numRuns: 100 },
  );
});

test("STATIC_NAMES and STATIC_VALUES are the other implementation's", () => {
  for (const [index, expected] of STATIC_NAMES.entries()) {
    if (index === 0) continue;
    const fields = new SecondDecoder(4096).decode(Buffer.from([0x80 | index]));
    assert.deepEqual(fields, [expected, STATIC_VALUES[index]]);
  }
});

/** Blocks that mean something, for mutation to start from. */
const seeds: readonly Buffer[] = [
  ...EXAMPLES.flatMap(({ steps }) => steps.map(({ block }) => block)),
  "20 3fe11f 82 86 84",
  "00 0161 7f 80 80 80 00",
  "ff 80 80 80 01",
  "1f 08 03 616263",
].map((hex) => Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));

const mutation = fc.record({
  at: fc.nat(200),
  octet: fc.oneof(fc.nat(255), fc.constantFrom(0x00, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xbe, 0xff)),
  how: fc.constantFrom("set", "insert", "delete", "cut"),
});
const mutated = fc
  .tuple(
    fc.array(fc.constantFrom(...seeds), { minLength: 1, maxLength: 4 }),
    fc.array(mutation, { maxLength: 6 }),
  )
  .map(([parts, mutations]) => mutations.reduce(mutate, Buffer.concat(parts)));
const hostile = fc.oneof(
  { weight: 4, arbitrary: mutated },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets)),
  },
);

function mutate(
  block: Buffer,
  { at, octet, how }: { at: number; octet: number; how: string },
): Buffer {
  const place = block.length === 0 ? 0 : at % block.length;
  const before = block.subarray(0, place);
  if (how === "cut") return Buffer.from(before);
  const middle = how === "delete" ? [] : [octet];
  return Buffer.concat([
    before,
    Buffer.from(middle),
    block.subarray(how === "insert" ? place : place + 1),
  ]);
}

test("HpackDecoder.decode() takes no block that another implementation reads otherwise", () => {
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.array(hostile, { minLength: 1, maxLength: 6 }), (blocks) => {
      const first = new HpackDecoder(GENEROUS);
      const second = new SecondDecoder(4096);
      for (const block of blocks) {
        const fields = first.decode(block);
        if (isHpackFault(fields)) {
          assert.equal(fields.fault, "compression");
          refused += 1;
          return;
        }
        assert.deepEqual(fields, second.decode(block));
        accepted += 1;
      }
    }),
    { numRuns: 3000 },
  );
  // Neither may be rare, or the property says little.
  assert.equal(accepted > 300 && refused > 300, true, `${accepted} accepted, ${refused} refused`);
});

test("HpackDecoder.decode() refuses the same blocks whatever its limits, and keeps its table", () => {
  fc.assert(
    fc.property(fc.array(hostile, { minLength: 1, maxLength: 6 }), (blocks) => {
      const generous = new HpackDecoder(GENEROUS);
      const tight = new HpackDecoder(TIGHT);
      for (const block of blocks) {
        const fields = generous.decode(block);
        const within = tight.decode(block);
        if (isHpackFault(fields)) {
          assert.deepEqual(within, fields);
          return;
        }
        const bytes = fields.reduce((sum, text) => sum + text.length + 16, 0);
        const fits = bytes <= TIGHT.maxListBytes && fields.length <= 2 * TIGHT.maxFields;
        if (fits) assert.deepEqual(within, fields);
        else assert.equal(isHpackFault(within) && within.fault, "too-large");
      }
    }),
    { numRuns: 3000 },
  );
});

test("HpackDecoder.decode() ends in a time that the block's length bounds", () => {
  const octets = 64 * 1024;
  const blocks: readonly [what: string, block: Buffer][] = [
    ["indexed fields", Buffer.alloc(octets, 0x82)],
    ["empty fields", Buffer.alloc(octets, 0x00)],
    ["empty fields, indexed", Buffer.alloc(octets, Buffer.from("400000", "hex"))],
    ["changes of size", Buffer.alloc(octets, 0x20)],
    ["continuation octets", Buffer.alloc(octets, 0xff)],
    ["never indexed fields", Buffer.alloc(octets, Buffer.from("10016100", "hex"))],
    [
      "one Huffman coded text",
      Buffer.concat([
        Buffer.from("0001 61 ff81ff03".replaceAll(" ", ""), "hex"),
        Buffer.alloc(octets),
      ]),
    ],
  ];
  for (const [what, block] of blocks) {
    const started = performance.now();
    for (const limits of [GENEROUS, TIGHT]) new HpackDecoder(limits).decode(block);
    assert.equal(performance.now() - started < 1000, true, what);
  }
});
