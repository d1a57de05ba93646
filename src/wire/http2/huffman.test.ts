import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { CODE_BITS, CODES, EOS, SYMBOLS } from "./huffman-code.ts";
import { decodeHuffman, encodeHuffman, huffmanLength, maxDecodedLength } from "./huffman.ts";

function encode(text: string): Buffer {
  const out = Buffer.alloc(huffmanLength(text) + 8, 0xaa);
  const end = encodeHuffman(text, out, 3);
  assert.equal(end - 3, huffmanLength(text));
  return out.subarray(3, end);
}

/** The text, or undefined where the bytes are refused. */
function decode(bytes: Buffer): string | undefined {
  const around = Buffer.concat([Buffer.from([0xff]), bytes, Buffer.from([0xff])]);
  const out = Buffer.alloc(maxDecodedLength(bytes.length));
  const length = decodeHuffman(around, 1, 1 + bytes.length, out);
  return length < 0 ? undefined : out.toString("latin1", 0, length);
}

/** Octets of a text of zeros and ones. */
function bits(text: string): Buffer {
  assert.equal(text.length % 8, 0);
  return Buffer.from((text.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)));
}

function codeOf(symbol: number): string {
  return (CODES[symbol] ?? 0).toString(2).padStart(CODE_BITS[symbol] ?? 0, "0");
}

test("CODES are a complete code without prefixes", () => {
  const codes = [...SYMBOLS].map(codeOf);
  assert.equal(codes.length, 257);
  assert.equal(
    codes.reduce((sum, code) => sum + 2 ** -code.length, 0),
    1,
  );
  for (const [index, code] of codes.entries()) {
    assert.equal(codes[index + 1]?.startsWith(code) ?? false, false);
  }
});

// Rows of RFC 7541 appendix B, from each of its lengths.
const ROWS: readonly [symbol: number, bits: number, hex: string][] = [
  [48, 5, "0"],
  [116, 5, "9"],
  [32, 6, "14"],
  [117, 6, "2d"],
  [58, 7, "5c"],
  [122, 7, "7b"],
  [38, 8, "f8"],
  [90, 8, "fd"],
  [33, 10, "3f8"],
  [63, 10, "3fc"],
  [39, 11, "7fa"],
  [124, 11, "7fc"],
  [35, 12, "ffa"],
  [0, 13, "1ff8"],
  [126, 13, "1ffd"],
  [94, 14, "3ffc"],
  [60, 15, "7ffc"],
  [123, 15, "7ffe"],
  [92, 19, "7fff0"],
  [128, 20, "fffe6"],
  [153, 21, "1fffdc"],
  [129, 22, "3fffd2"],
  [1, 23, "7fffd8"],
  [9, 24, "ffffea"],
  [199, 25, "1ffffec"],
  [192, 26, "3ffffe0"],
  [203, 27, "7ffffde"],
  [2, 28, "fffffe2"],
  [127, 28, "ffffffc"],
  [220, 28, "ffffffd"],
  [249, 28, "ffffffe"],
  [10, 30, "3ffffffc"],
  [13, 30, "3ffffffd"],
  [22, 30, "3ffffffe"],
  [EOS, 30, "3fffffff"],
];

test("CODES are those of RFC 7541 appendix B", () => {
  for (const [symbol, length, hex] of ROWS) {
    assert.equal(CODE_BITS[symbol], length);
    assert.equal(CODES[symbol]?.toString(16), hex, `symbol ${symbol}`);
  }
});

test("encodeHuffman() writes what RFC 7541 appendix C.4 shows", () => {
  assert.equal(encode("www.example.com").toString("hex"), "f1e3c2e5f23a6ba0ab90f4ff");
  assert.equal(encode("no-cache").toString("hex"), "a8eb10649cbf");
  assert.equal(encode("custom-key").toString("hex"), "25a849e95ba97d7f");
  assert.equal(encode("custom-value").toString("hex"), "25a849e95bb8e8b4bf");
  assert.equal(encode("").length, 0);
});

test("decodeHuffman() gives back what encodeHuffman() was given", () => {
  const octets = fc
    .uint8Array({ maxLength: 300 })
    .map((array) => Buffer.from(array).toString("latin1"));
  fc.assert(
    fc.property(fc.oneof(octets, fc.string({ unit: "binary-ascii" })), (text) => {
      assert.equal(decode(encode(text)), text);
    }),
    { numRuns: 500 },
  );
});

test("decodeHuffman() gives back each octet at each place of an octet", () => {
  for (let symbol = 0; symbol < 256; symbol += 1) {
    // "0" has 5 bits, so that the symbol begins at each of eight places.
    for (let before = 0; before < 8; before += 1) {
      const text = `${"0".repeat(before)}${String.fromCharCode(symbol)}0`;
      assert.equal(decode(encode(text)), text);
    }
  }
});

test("decodeHuffman() accepts what encodes to the same octets, and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (array) => {
      const bytes = Buffer.from(array);
      const text = decode(bytes);
      if (text !== undefined) assert.deepEqual(encode(text), bytes);
    }),
    { numRuns: 2000 },
  );
});

test("decodeHuffman() fills no more than maxDecodedLength() octets", () => {
  for (let length = 0; length < 40; length += 1) {
    const text = "0".repeat(Math.floor((length * 8) / 5));
    const bytes = encode(text);
    assert.equal(bytes.length <= length, true);
    assert.equal(decode(bytes), text);
  }
});

test("decodeHuffman() refuses padding that is not of ones (RFC 7541 section 5.2)", () => {
  // "a" is 00011 and has room for 3 bits.
  assert.equal(decode(bits("00011111")), "a");
  for (const padding of ["000", "001", "011", "100", "101", "110"]) {
    assert.equal(decode(bits(`00011${padding}`)), undefined, padding);
  }
});

test("decodeHuffman() refuses padding of more than 7 bits (RFC 7541 section 5.2)", () => {
  assert.equal(decode(bits("1".repeat(8))), undefined);
  assert.equal(decode(bits(`00011111${"1".repeat(8)}`)), undefined);
  assert.equal(decode(bits("1".repeat(24))), undefined);
  // "&" is 11111000 and needs no padding; "X" (11111100) and one "a" need 3 bits.
  assert.equal(decode(bits("11111000")), "&");
  assert.equal(decode(bits(`1111100000011${"1".repeat(3)}`)), "&a");
  assert.equal(decode(bits(`11111000${"1".repeat(8)}`)), undefined);
});

test("decodeHuffman() accepts padding of 1 to 7 bits", () => {
  for (const text of ["a", "aa", "aaa", "aaaa", "aaaaa", "aaaaaa", "aaaaaaa", "aaaaaaaa"]) {
    assert.equal(decode(encode(text)), text);
  }
});

test("decodeHuffman() refuses EOS wherever it begins (RFC 7541 section 5.2)", () => {
  for (let before = 0; before < 8; before += 1) {
    const text = "00011".repeat(before) + "1".repeat(30);
    const rest = (8 - (text.length % 8)) % 8;
    assert.equal(decode(bits(text + "1".repeat(rest))), undefined);
    const after = text + "00011".repeat(8);
    assert.equal(decode(bits(after + "1".repeat((8 - (after.length % 8)) % 8))), undefined);
  }
});

test("decodeHuffman() refuses a code that is not complete", () => {
  for (let symbol = 0; symbol < 256; symbol += 1) {
    const code = codeOf(symbol);
    const octets = (code.length - 1) >> 3;
    if (octets > 0) assert.equal(decode(bits(code.slice(0, 8 * octets))), undefined);
  }
  // "a" and the first three bits of "%" (010101).
  assert.equal(decode(bits("00011010")), undefined);
});
