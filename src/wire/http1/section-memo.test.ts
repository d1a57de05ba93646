import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DEFAULT_HEAD_LIMITS, parseRequestHead } from "./request-head.ts";
import { parseResponseHead } from "./response-head.ts";
import { SectionMemo } from "./section-memo.ts";

/** Pieces of heads, good and bad, that differ in few bytes and often not in length. */
const line = fc.constantFrom(
  "GET /a HTTP/1.1",
  "GET /b HTTP/1.1",
  "PUT / HTTP/1.0",
  "G\rT / HTTP/1.1",
);
const status = fc.constantFrom(
  "HTTP/1.1 200 OK",
  "HTTP/1.1 204 OK",
  "HTTP/1.0 200 OK",
  "HTTP/1.1 200 \0",
);
const host = fc.constantFrom("Host: x", "Host: y", "host: x");
const middle = fc.constantFrom(
  "Authorization: Bearer aaaa",
  "Authorization: Bearer aaab",
  "Content-Length: 1",
  "Content-Length: 2",
  "Transfer-Encoding: chunked",
  "Connection: close",
  "A: \0",
  "A : b",
  `X: ${"x".repeat(5000)}`,
);
/** The same end for most, so that length and last byte do not tell them apart. */
const fields = fc
  .tuple(host, middle, fc.constantFrom("A: b", "A: b", "A: c"))
  .map((lines) => lines.map((text) => `${text}\r\n`).join(""));

test("a head read with a memo is the head read without, whatever was read before", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(line, fields), { maxLength: 12 }), (heads) => {
      const memo = new SectionMemo();
      for (const [first, rest] of heads) {
        const bytes = Buffer.from(`${first}\r\n${rest}\r\n`, "latin1");
        assert.deepEqual(
          parseRequestHead(bytes, 0, bytes.length, { ...DEFAULT_HEAD_LIMITS, memo }),
          parseRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS),
        );
      }
    }),
  );
});

test("an answer's head read with a memo is the head read without", () => {
  const request = { method: "GET", upgrade: false };
  const limits = DEFAULT_HEAD_LIMITS;
  fc.assert(
    fc.property(fc.array(fc.tuple(status, fields), { maxLength: 12 }), (heads) => {
      const memo = new SectionMemo();
      for (const [first, rest] of heads) {
        const bytes = Buffer.from(`${first}\r\n${rest}\r\nbody`, "latin1");
        const end = bytes.length - 4;
        assert.deepEqual(
          parseResponseHead(bytes, 0, end, { limits, request, memo }),
          parseResponseHead(bytes, 0, end, { limits, request }),
        );
      }
    }),
  );
});

test("recall() knows the last section by its bytes, wherever they lie", () => {
  const memo = new SectionMemo();
  const read = (text: string, before = ""): string[] | undefined => {
    const bytes = Buffer.from(`${before}${text}`, "latin1");
    const head = parseRequestHead(bytes, before.length, bytes.length, {
      ...DEFAULT_HEAD_LIMITS,
      memo,
    });
    return "fields" in head ? (head.fields as string[]) : undefined;
  };
  const first = read("GET /a HTTP/1.1\r\nHost: x\r\nA: 1\r\n\r\n");
  assert.equal(read("GET /other HTTP/1.1\r\nHost: x\r\nA: 1\r\n\r\n", "earlier bytes"), first);
  assert.notEqual(read("GET /a HTTP/1.1\r\nHost: x\r\nA: 2\r\n\r\n"), first);
});

test("a section with a fault, or a very large one, is not remembered", () => {
  const memo = new SectionMemo();
  for (const rest of ["Host: x\r\nA: \0\r\n\r\n", `Host: x\r\nA: ${"a".repeat(5000)}\r\n\r\n`]) {
    const bytes = Buffer.from(`GET / HTTP/1.1\r\n${rest}`, "latin1");
    parseRequestHead(bytes, 0, bytes.length, { ...DEFAULT_HEAD_LIMITS, memo });
    assert.equal(memo.recall(bytes, 16, bytes.length), undefined);
  }
});
