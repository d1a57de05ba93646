/**
 * Our response parser and body decoder against two independent readings, on generated and bent
 * answers: Node's client parser, and the strict reader of the end-to-end judge. What we accept both
 * accept with the same meaning; what one of them accepts and we refuse is listed with the reason.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import { allowedTrailers } from "../../src/wire/trailers.ts";
import { readResponses, type StrictResponse } from "../e2e/strict-http1.ts";
import { readResponse, type ReadResponse } from "./http1-stream.ts";
import { NODE_PARSER_ABSENT, readAnswerWithNode } from "./node-parser.ts";
import { answerCase } from "./response-arbitraries.ts";

/** Faults of ours, by their detail, on answers that Node takes. */
const STRICTER_THAN_NODE: Readonly<Record<string, string>> = {
  "the status line is not HTTP/1.x SP 3DIGIT SP [REASON] CR LF":
    "Node takes any three digits, other versions and empty lines before it",
  "101 although no upgrade was asked for": "Node leaves that to its user",
  "a framing field in a 1xx or 204 answer": "Node reads past it, others read the body",
  "a tab beside the transfer coding": "Node takes a tab before it and refuses one after it",
  "Transfer-Encoding is not a list of codings that ends in a single chunked":
    "Node reads to the end of the connection",
  "a transfer coding other than chunked": "Node hands the coded body to its user",
  "Transfer-Encoding appears more than once": "Node joins them",
  "Transfer-Encoding on HTTP/1.0": "RFC 9112 section 6.1: faulty framing",
  "Content-Length is not a number of at most 15 digits": "Node takes up to 2^64",
  "Content-Length appears more than once": "Node does not look where there is no body",
  "Connection holds something other than tokens": "Node looks for the tokens that it knows",
  "Connection names a field that is meant for every recipient": "CVE-2022-31813, the other way",
  "Upgrade appears more than once": "Node joins them",
  "a chunk extension that is not ;name[=value]": "Node takes empty names and values",
  "a chunk size that is not 1 to 13 hex digits": "Node takes 16",
  "a trailer that frames or routes the message": "Node takes Host there",
};

/** Faults of ours, by their detail, on answers that the strict reader takes. */
const STRICTER_THAN_READER: Readonly<Record<string, string>> = {
  "the status line is not HTTP/1.x SP 3DIGIT SP [REASON] CR LF":
    "statuses beyond 599, which RFC 9110 section 15 does not define",
  "101 although no upgrade was asked for": "the reader takes it for an interim answer",
  "a framing field in a 1xx or 204 answer": "the reader knows that there is no body",
  "a tab beside the transfer coding": "RFC 9112 allows it, and llhttp reads another coding",
  "Connection holds something other than tokens": "the reader does not look at it",
  "Connection names a field that is meant for every recipient": "the reader does not look at it",
  "Upgrade appears more than once": "the reader does not look at it",
  "a trailer that frames or routes the message": "the reader drops trailers",
  "more bytes of chunk extensions than the limit": "the reader has no limits",
};

/** A status line without a space behind the status: one reading only, and it is written anew. */
const NO_REASON = /^(HTTP\/1\.[01] [1-5][0-9]{2})\r\n/;

function finalAnswer(text: string, method: string): StrictResponse | undefined {
  return readResponses(withReasons(text), [method], true).messages.find(
    ({ status }) => status >= 200,
  );
}

/** The text with the space that is missing in status lines, from the first to the final one. */
function withReasons(text: string): string {
  const headEnd = text.indexOf("\r\n\r\n") + 4;
  const interim = /^HTTP\/1\.[01] 1/.test(text) && headEnd > 3;
  const head = (interim ? text.slice(0, headEnd) : text).replace(NO_REASON, "$1 \r\n");
  return interim ? head + withReasons(text.slice(headEnd)) : head;
}

function meaning(read: ReadResponse): unknown {
  return { status: read.head?.status, fields: read.head?.fields, body: read.body };
}

test(
  "what parseResponseHead() and the body decoder accept, Node accepts with the same meaning",
  { skip: NODE_PARSER_ABSENT },
  async () => {
    let accepted = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(answerCase, async ({ method, text }) => {
        const bytes = Buffer.from(text, "latin1");
        const ours = readResponse(bytes, method);
        // Bytes behind the answer are a fault of the connection, to us as to Node.
        const answer = ours.end === "complete" ? bytes.subarray(0, ours.taken) : bytes;
        const theirs = await readAnswerWithNode(answer, method);
        if (typeof ours.end === "object") {
          refused += 1;
          if (theirs?.complete !== true) return;
          const { detail } = ours.end;
          assert.ok(Object.hasOwn(STRICTER_THAN_NODE, detail), `not listed: ${detail}`);
        } else if (ours.end === "complete") {
          accepted += 1;
          assert.ok(theirs !== undefined, "Node does not take what we accept");
          assert.equal(theirs.complete, true, "Node finds it incomplete");
          assert.deepEqual(
            { ...(meaning(ours) as object), trailers: ours.trailers },
            {
              status: theirs.status,
              fields: theirs.fields,
              body: theirs.body,
              trailers: allowedTrailers(theirs.trailers),
            },
          );
        } else {
          assert.notEqual(theirs?.complete, true, "Node has all of what we find incomplete");
        }
      }),
      { numRuns: 3000 },
    );
    // So that the test cannot pass by refusing everything, or by refusing nothing.
    assert.ok(accepted > 1000 && refused > 500, `${accepted} accepted, ${refused} refused`);
  },
);

test("what parseResponseHead() and the body decoder accept, a strict reading accepts with the same meaning", () => {
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(answerCase, ({ method, text }) => {
      const ours = readResponse(Buffer.from(text, "latin1"), method);
      const theirs = finalAnswer(text, method);
      if (typeof ours.end === "object") {
        refused += 1;
        const { detail } = ours.end;
        if (theirs === undefined) return;
        assert.ok(Object.hasOwn(STRICTER_THAN_READER, detail), `not listed: ${detail}`);
      } else if (ours.end === "complete") {
        accepted += 1;
        assert.ok(theirs !== undefined, "it does not read strictly");
        assert.deepEqual(meaning(ours), {
          status: theirs.status,
          fields: theirs.fields.flat(),
          body: theirs.body,
        });
      } else {
        assert.equal(theirs, undefined, "the strict reader has all of what we find incomplete");
      }
    }),
    { numRuns: 10_000 },
  );
  assert.ok(accepted > 3000 && refused > 1500, `${accepted} accepted, ${refused} refused`);
});
