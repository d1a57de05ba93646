import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import {
  CHUNK_TAIL,
  ChunkedDecoder,
  type ChunkedLimits,
  chunkHead,
  DEFAULT_CHUNKED_LIMITS,
  lastChunk,
} from "./chunked.ts";

interface Decoded {
  readonly body: string;
  readonly rest: string;
  readonly trailers: readonly string[];
  readonly state: "done" | "more" | "fault";
  readonly detail: string;
}

function decode(parts: readonly string[], limits: ChunkedLimits = DEFAULT_CHUNKED_LIMITS): Decoded {
  const decoder = new ChunkedDecoder(limits);
  let body = "";
  let rest = "";
  for (const part of parts) {
    const buffer = Buffer.from(part, "latin1");
    const taken = decoder.write(buffer, 0, (data) => {
      body += data.toString("latin1");
    });
    if (typeof taken !== "number") {
      return { body, rest, trailers: [], state: "fault", detail: taken.detail };
    }
    rest += buffer.toString("latin1", taken);
  }
  const state = decoder.done ? "done" : "more";
  return { body, rest, trailers: decoder.trailers, state, detail: "" };
}

test("ChunkedDecoder.write() hands out the data and stops after the last chunk", () => {
  const result = decode(["4\r\nWiki\r\nA\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1"]);
  assert.equal(result.body, "Wiki0123456789");
  assert.equal(result.state, "done");
  assert.equal(result.rest, "GET / HTTP/1.1");
});

test("ChunkedDecoder.write() does not copy data", () => {
  const decoder = new ChunkedDecoder();
  const buffer = Buffer.from("4\r\nWiki\r\n", "latin1");
  const slices: Buffer[] = [];
  decoder.write(buffer, 0, (data) => slices.push(data));
  assert.equal(slices.length, 1);
  assert.equal(slices[0]?.buffer, buffer.buffer);
});

test("ChunkedDecoder.write() gives the same however the bytes are cut", () => {
  const text = '4;a;b=c;d="e\\"f"\r\nWiki\r\n0a\r\n0123456789\r\n000\r\nX-A: b\r\nX-C:  d \r\n\r\n';
  const whole = decode([text]);
  assert.equal(whole.state, "done");
  assert.deepEqual(whole.trailers, ["x-a", "b", "x-c", "d"]);
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
      const parts = at.slice(1).map((end, index) => text.slice(at[index], end));
      assert.deepEqual(decode(parts), whole);
    }),
  );
  assert.deepEqual(decode(text.split("")), whole);
});

test("ChunkedDecoder.write() drops trailers that authenticate, condition or describe", () => {
  const names = [
    "Authorization",
    "Cookie",
    "Set-Cookie",
    "Content-Type",
    "If-Match",
    "Cache-Control",
    "TE",
    "Trailer",
    "Connection",
    "X-Forwarded-For",
    "X_Forwarded_For",
    "X-Sallyport-Assertion",
    "Content_Length",
    "Sec-WebSocket-Key",
  ];
  const section = names.map((name) => `${name}: 1\r\n`).join("");
  const result = decode([`0\r\n${section}Grpc-Status: 0\r\nETag: "x"\r\n\r\n`]);
  assert.equal(result.state, "done");
  assert.deepEqual(result.trailers, ["grpc-status", "0", "etag", '"x"']);
});

const REFUSED: readonly [why: string, bytes: string][] = [
  ["an empty size", "\r\n"],
  ["a size that is not hex", "g\r\n"],
  ["a size with a prefix", "0x4\r\nWiki\r\n"],
  ["a signed size", "+4\r\nWiki\r\n"],
  ["a negative size", "-4\r\nWiki\r\n"],
  ["a space before the size", " 4\r\nWiki\r\n"],
  ["a space after the size", "4 \r\nWiki\r\n"],
  ["a tab before an extension", "4\t;a\r\nWiki\r\n"],
  ["14 digits", "00000000000004\r\nWiki\r\n"],
  ["a size that overflows", "10000000000000000\r\nWiki\r\n"],
  ["a bare LF after the size", "4\nWiki\r\n"],
  ["a bare CR after the size", "4\rWiki\r\n"],
  ["a bare LF after the data", "4\r\nWiki\n"],
  ["data longer than its size", "3\r\nWiki\r\n"],
  ["data shorter than its size", "5\r\nWiki\r\n0\r\n\r\n"],
  ["an empty extension", "4;\r\nWiki\r\n"],
  ["an extension with an empty value", "4;a=\r\nWiki\r\n"],
  ["an extension with a space", "4;a b\r\nWiki\r\n"],
  ["an extension with a bare LF", "4;a\nWiki\r\n"],
  ["an extension with a bare CR", "4;a\r;b\r\nWiki\r\n"],
  ["a quoted extension with CR LF", '4;a="\r\n"\r\nWiki\r\n'],
  ["a quoted extension with a NUL", '4;a="\0"\r\nWiki\r\n'],
  ["a quoted pair with a LF", '4;a="\\\n"\r\nWiki\r\n'],
  ["text after a quoted extension", '4;a="b"c\r\nWiki\r\n'],
  ["an extension with two values", "4;a=b=c\r\nWiki\r\n"],
  ["a bare LF after the last chunk", "0\n\r\n"],
  ["a bare LF in the trailers", "0\r\nA: b\nC: d\r\n\r\n"],
  ["a bare CR in the trailers", "0\r\nA: b\rc\r\n\r\n"],
  ["a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"],
  ["a space before a trailer's colon", "0\r\nA : b\r\n\r\n"],
  ["Content-Length as a trailer", "0\r\nContent-Length: 3\r\n\r\n"],
  ["Transfer-Encoding as a trailer", "0\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n"],
  ["Host as a trailer", "0\r\nHost: a\r\n\r\n"],
  ["a trailer without a colon", "0\r\nabc\r\n\r\n"],
];

for (const [why, bytes] of REFUSED) {
  test(`ChunkedDecoder.write() refuses ${why}`, () => {
    assert.equal(decode([bytes]).state, "fault");
    assert.equal(decode(bytes.split("")).state, "fault");
  });
}

test("ChunkedDecoder.write() refuses what passes a limit", () => {
  const limits = { maxExtensionBytes: 20, maxTrailerBytes: 20, maxTrailerFields: 2 };
  const extension = "1;abcdefgh\r\nx\r\n";
  assert.equal(decode([extension.repeat(2)], limits).state, "more");
  assert.equal(
    decode([extension.repeat(3)], limits).detail,
    "more bytes of chunk extensions than the limit",
  );
  assert.equal(decode([`0\r\nA: ${"b".repeat(13)}\r\n\r\n`], limits).state, "done");
  const long = "a trailer section longer than the limit";
  assert.equal(decode([`0\r\nA: ${"b".repeat(20)}\r\n\r\n`], limits).detail, long);
  assert.equal(decode(`0\r\nA: ${"b".repeat(20)}`.split(""), limits).detail, long);
  assert.equal(decode(["0\r\na:b\r\nc:d\r\ne:f\r\n\r\n"], limits).state, "fault");
});

test("chunkHead() and lastChunk() write what ChunkedDecoder reads", () => {
  const chunks = fc.array(fc.string({ unit: "binary-ascii", minLength: 1 }));
  fc.assert(
    fc.property(chunks, fc.boolean(), (texts, withTrailers) => {
      const trailers = withTrailers ? ["x-a", "b c", "x-d", ""] : [];
      const bytes = texts.map((text) => chunkHead(text.length) + text + CHUNK_TAIL).join("");
      const result = decode([bytes + lastChunk(trailers)]);
      assert.equal(result.body, texts.join(""));
      assert.deepEqual(result.trailers, trailers);
      assert.equal(result.state, "done");
    }),
  );
});

test("chunkHead() throws a TypeError for 0, which would end the body", () => {
  for (const length of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => chunkHead(length), TypeError);
  }
});
