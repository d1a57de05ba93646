import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import type { Fields } from "../../model/http.ts";
import { markNeverIndexed, neverIndexedIn } from "../never-indexed.ts";
import { HpackDecoder, isHpackFault } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { encodeHuffman, huffmanLength } from "./huffman.ts";

const GENEROUS = { maxTableBytes: 65_536, maxListBytes: 16_777_216, maxFields: 100_000 };

function hexOf(bytes: Buffer): string {
  return bytes.toString("hex");
}

/** Encodes for the decoder, and says how many octets it took. */
function pass(encoder: HpackEncoder, decoder: HpackDecoder, fields: Fields): number {
  const block = encoder.encode(fields);
  const result = decoder.decode(block);
  assert.equal(isHpackFault(result), false, isHpackFault(result) ? result.detail : "");
  assert.deepEqual(result, fields);
  return block.length;
}

const REQUEST = Object.entries({
  ":method": "GET",
  ":scheme": "https",
  ":path": "/billing/records",
  ":authority": "api.example.com",
  "user-agent": "checkout/1.4",
  accept: "*/*",
  "x-tenant": "acme",
}).flat();

test("HpackEncoder.encode() writes the fields of the static table as one octet", () => {
  const encoder = new HpackEncoder();
  const fields = [":method", "GET", ":scheme", "https", ":path", "/", ":status", "404"];
  assert.equal(hexOf(encoder.encode(fields)), "8287848d");
});

test("HpackEncoder.encode() writes literals without indexing as RFC 7541 appendix C.2.2 shows", () => {
  const block = new HpackEncoder().encode([":path", "/sample/path"]);
  assert.equal(hexOf(block), "040c2f73616d706c652f70617468");
});

test("HpackEncoder.encode() writes secrets as RFC 7541 appendix C.2.3 shows", () => {
  const encoder = new HpackEncoder();
  // The name is Huffman coded, which the example does not do.
  const expected = `1086${hexOf(huffmanOf("password"))}06736563726574`;
  for (let round = 0; round < 3; round += 1) {
    assert.equal(hexOf(encoder.encode(["password", "secret"])), expected);
  }
});

test("HpackEncoder.encode() indexes what comes a second time", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  const sizes = [0, 1, 2, 3].map(() => pass(encoder, decoder, REQUEST));
  assert.equal((sizes[0] ?? 0) > 60, true);
  // One octet for each field.
  assert.equal(sizes[2], REQUEST.length / 2);
  assert.equal(sizes[3], REQUEST.length / 2);
});

test("HpackEncoder.encode() indexes two values that take turns", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  const sizes = Array.from({ length: 6 }, (_, round) =>
    pass(encoder, decoder, ["content-type", round % 2 === 0 ? "text/plain" : "text/html"]),
  );
  assert.deepEqual(sizes.slice(4), [1, 1]);
});

test("HpackEncoder.encode() keeps what never repeats out of the table", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  for (let round = 0; round < 3; round += 1) pass(encoder, decoder, REQUEST);
  for (let round = 0; round < 1000; round += 1) {
    pass(encoder, decoder, ["x-request-id", `5b1c0d3e-8f0a-4a52-9a55-${1000 + round}`]);
    pass(encoder, decoder, [":path", `/billing/records/${round}`]);
  }
  assert.equal(pass(encoder, decoder, REQUEST), REQUEST.length / 2);
});

test("HpackEncoder.encode() sends a name once, when no table has it", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  const sizes = Array.from({ length: 4 }, (_, round) =>
    pass(encoder, decoder, ["x-request-number", `${1000 + round}`]),
  );
  // An index, a length, four digits.
  assert.deepEqual(sizes.slice(2), [7, 7]);
});

test("HpackEncoder.encode() never indexes a secret, nor what the peer wants so", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  const fields = ["authorization", "Bearer abc", "cookie", "a=b", "x-plan", "gold"];
  markNeverIndexed(fields, ["x-plan"]);
  for (let round = 0; round < 5; round += 1) {
    const block = encoder.encode(fields);
    assert.equal(block[0], 0x1f);
    const result = decoder.decode(block) as Fields;
    assert.deepEqual(result, fields);
    assert.deepEqual(neverIndexedIn(result), ["x-plan"]);
  }
  // Nothing of it is in the table.
  assert.equal(isHpackFault(decoder.decode(Buffer.from([0xbe]))), true);
});

test("HpackEncoder.encode() has even a field of the static table never indexed on demand", () => {
  const fields = [":method", "GET"];
  markNeverIndexed(fields, [":method"]);
  assert.equal(hexOf(new HpackEncoder().encode(fields)), "1203474554");
});

test("HpackEncoder.encode() gives no field more than a quarter of the table", () => {
  const encoder = new HpackEncoder();
  const sizes = (length: number) =>
    [0, 1, 2].map(() => encoder.encode(["etag", "v".repeat(length)]).length);
  assert.equal(sizes(1024 - 32 - 4)[2], 1);
  assert.equal((sizes(1024 - 32 - 3)[2] ?? 0) > 900, true);
});

test("HpackEncoder.setMaxTableBytes() is said at the next block's start, and only once", () => {
  const encoder = new HpackEncoder();
  encoder.setMaxTableBytes(100);
  assert.equal(hexOf(encoder.encode([":method", "GET"])), "3f4582");
  assert.equal(hexOf(encoder.encode([":method", "GET"])), "82");
});

test("HpackEncoder.setMaxTableBytes() says the smallest size in between (RFC 7541 section 4.2)", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  for (let round = 0; round < 3; round += 1) pass(encoder, decoder, REQUEST);
  encoder.setMaxTableBytes(2000);
  encoder.setMaxTableBytes(0);
  encoder.setMaxTableBytes(1000);
  const block = Buffer.from(encoder.encode(REQUEST));
  assert.equal(hexOf(block.subarray(0, 4)), "203fc907");
  assert.deepEqual(decoder.decode(block), REQUEST);
  assert.equal(hexOf(encoder.encode([":method", "GET"])), "82");
  for (let round = 0; round < 2; round += 1) pass(encoder, decoder, REQUEST);
});

test("HpackEncoder.setMaxTableBytes() evicts what was indexed when the size was small in between", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  for (let round = 0; round < 3; round += 1) pass(encoder, decoder, REQUEST);
  encoder.setMaxTableBytes(0);
  encoder.setMaxTableBytes(4096);
  assert.equal(hexOf(encoder.encode([])), "203fe11f");
});

test("HpackEncoder.setMaxTableBytes() says nothing where nothing changes for us", () => {
  const encoder = new HpackEncoder();
  encoder.setMaxTableBytes(65_536);
  encoder.setMaxTableBytes(4096);
  encoder.setMaxTableBytes(2 ** 32 - 1);
  assert.equal(hexOf(encoder.encode([":method", "GET"])), "82");
});

test("HpackEncoder.encode() indexes nothing in a table of 0 bytes", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  encoder.setMaxTableBytes(0);
  const sizes = [0, 1, 2, 3].map(() => pass(encoder, decoder, REQUEST));
  assert.equal(sizes[3], sizes[1]);
  assert.equal(sizes[0], (sizes[1] ?? 0) + 1);
});

test("HpackEncoder.setMaxTableBytes() throws a TypeError for what is no size", () => {
  for (const bytes of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => new HpackEncoder().setMaxTableBytes(bytes), TypeError);
  }
});

test("HpackEncoder.encode() throws a TypeError for text beyond latin1, which would be cut to octets", () => {
  // U+010A would become a LF.
  for (const bad of [
    "\u010a",
    "abc\u010a",
    "abcdefghijklmnop\u010a",
    "\u0100",
    "\ud83d\ude00 smiles",
  ]) {
    assert.throws(() => new HpackEncoder().encode(["etag", bad]), TypeError);
    assert.throws(() => new HpackEncoder().encode(["authorization", bad]), TypeError);
    assert.throws(() => new HpackEncoder().encode([bad, "value"]), TypeError);
    const known = new HpackEncoder();
    assert.throws(() => {
      for (let round = 0; round < 3; round += 1) known.encode(["x-name", bad]);
    }, TypeError);
  }
});

test("HpackEncoder.encode() throws for every block after one that it could not finish", () => {
  const encoder = new HpackEncoder();
  encoder.encode(["x-name", "1"]);
  assert.throws(() => encoder.encode(["x-name", "2", "etag", "\u010a"]), TypeError);
  assert.throws(() => encoder.encode(["x-name", "2"]), TypeError);
});

test("HpackEncoder.encode() writes octets above ASCII as they are", () => {
  const octets = Array.from({ length: 256 }, (_, octet) => String.fromCharCode(octet)).join("");
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  for (let round = 0; round < 4; round += 1) {
    pass(encoder, decoder, ["etag", octets, "authorization", octets, "x-short", "\xe9\xff"]);
    // At the very end of the space that there is, where UTF-8 would be cut.
    for (const length of [990, 995, 1000, 1005, 1010, 1015, 1020]) {
      pass(encoder, decoder, ["authorization", `${"a".repeat(length)}\xe9\xe9`]);
    }
  }
});

test("HpackEncoder.encode() writes blocks of any size, and gives the space back", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  for (const length of [10, 100, 1000, 10_000, 100_000, 1_000_000, 10]) {
    pass(encoder, decoder, [":method", "GET", "x-large", "v".repeat(length), "x-after", "1"]);
  }
  assert.equal(encoder.encode([":method", "GET"]).buffer.byteLength <= 16_384, true);
});

test("HpackEncoder.encode() and HpackDecoder.decode() stay in step for names without number", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder(GENEROUS);
  for (let round = 0; round < 1000; round += 1) {
    const name = `x-invented-${round}`;
    for (let again = 0; again < 3; again += 1) pass(encoder, decoder, [name, "1", "x-tenant", "a"]);
  }
});

const NAMES = [":path", ":method", ":status", "etag", "cookie", "x-a", "x-b", "x-c", "x-d-token"];
const VALUES = ["", "/", "GET", "200", "a", "b", "\xff", "value".repeat(20), "w".repeat(900)];
const field = fc.tuple(
  fc.oneof(fc.constantFrom(...NAMES), fc.string({ unit: "binary-ascii", maxLength: 12 })),
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...VALUES) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 80 }).map((o) => Buffer.from(o).toString("latin1")),
    },
  ),
);
const move = fc.oneof(
  { weight: 8, arbitrary: fc.array(field, { maxLength: 12 }) },
  { weight: 1, arbitrary: fc.oneof(fc.nat(5000), fc.constantFrom(0, 33, 4096)) },
);

test("HpackDecoder.decode() gives back what HpackEncoder.encode() was given, whatever the table", () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60, size: "max" }), (moves) => {
      const encoder = new HpackEncoder();
      const decoder = new HpackDecoder(GENEROUS);
      for (const change of moves) {
        if (typeof change === "number") encoder.setMaxTableBytes(change);
        else pass(encoder, decoder, change.flat());
      }
    }),
    { numRuns: 200 },
  );
});

function huffmanOf(text: string): Buffer {
  const out = Buffer.alloc(huffmanLength(text));
  encodeHuffman(text, out, 0);
  return out;
}
