/**
 * Every request and response of the foreign HTTP/1.1 corpora, at the level of our parsers: its outcome is what
 * http1-verdicts.ts says, and what is accepted keeps the promises that the rest of the house rests on.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { type ReadResponse, readRequests, readResponse, type ReadStream } from "./http1-stream.ts";
import {
  corpusRequests,
  corpusResponses,
  DEVIATIONS,
  expectedOutcome,
  type Outcome,
} from "./http1-verdicts.ts";

const requests = corpusRequests();
const responses = corpusResponses();
const messages = [...(requests ?? []), ...(responses ?? [])];
const skip = requests === undefined ? "the HTTP/1.1 corpora are absent" : false;

function outcomeOf(stream: ReadStream): Outcome {
  if (typeof stream.end === "object") return "refuse";
  return stream.requests.length === 0 || stream.end === "incomplete" ? "incomplete" : "accept";
}

test("the corpora are whole and every deviation names a case", { skip }, () => {
  const ids = new Set(messages.map((message) => message.id));
  assert.equal(ids.size, messages.length);
  assert.ok(ids.size > 380, `${ids.size} cases`);
  for (const id of DEVIATIONS.keys()) assert.ok(ids.has(id), id);
});

test("no deviation repeats what the corpus says itself", { skip }, () => {
  for (const { id, theirs } of messages) {
    const deviation = DEVIATIONS.get(id);
    assert.notEqual(deviation?.outcome, theirs === "valid" ? "accept" : "refuse", id);
  }
});

for (const request of requests ?? []) {
  const { id, given, mended } = request;
  test(`${id} comes to ${expectedOutcome(request)}`, () => {
    const stream = readRequests(mended);
    const detail = typeof stream.end === "object" ? stream.end.detail : stream.end;
    assert.equal(outcomeOf(stream), expectedOutcome(request), detail);
    for (const read of [...stream.requests, ...readRequests(given).requests]) {
      assertSound(read.head.fields, read.head.minorVersion);
      assert.match(read.head.target, /^[!-~]+$/);
    }
  });
}

for (const response of responses ?? []) {
  const { id, given, mended } = response;
  test(`${id} comes to ${expectedOutcome(response)}`, () => {
    const read = readResponse(mended);
    const detail = typeof read.end === "object" ? read.end.detail : read.end;
    assert.equal(answerOutcome(read), expectedOutcome(response), detail);
    if (typeof read.end === "object" && read.head === undefined) {
      assert.equal(read.end.reason, "upstream-protocol");
    }
    for (const { head } of [read, readResponse(given)]) if (head) assertSound(head.fields, 0);
  });
}

function answerOutcome(read: ReadResponse): Outcome {
  if (typeof read.end === "object") return "refuse";
  return read.end === "incomplete" ? "incomplete" : "accept";
}

/** No accepted head has a control byte, two Hosts, two framings or an HTTP/1.1 request without Host. */
function assertSound(fields: readonly string[], minorVersion: number): void {
  const names = fields.filter((_, index) => index % 2 === 0);
  const count = (name: string): number => names.filter((other) => other === name).length;
  assert.match(fields.join("|"), /^[\t -~\x80-\xff]*$/);
  assert.ok(count("host") <= 1 && (minorVersion === 0 || count("host") === 1));
  assert.ok(count("content-length") + count("transfer-encoding") <= 1);
}
