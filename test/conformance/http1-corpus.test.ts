/**
 * Every request of the foreign HTTP/1.1 corpora, at the level of our parsers: its outcome is what
 * http1-verdicts.ts says, and what is accepted keeps the promises that the rest of the house rests on.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { readRequests, type ReadStream } from "./http1-stream.ts";
import { corpusRequests, DEVIATIONS, expectedOutcome, type Outcome } from "./http1-verdicts.ts";

const requests = corpusRequests();
const skip = requests === undefined ? "the HTTP/1.1 corpora are absent" : false;

function outcomeOf(stream: ReadStream): Outcome {
  if (typeof stream.end === "object") return "refuse";
  return stream.requests.length === 0 || stream.end === "incomplete" ? "incomplete" : "accept";
}

test("the corpora are whole and every deviation names a case", { skip }, () => {
  const ids = new Set(requests?.map((request) => request.id));
  assert.equal(ids.size, requests?.length);
  assert.ok(ids.size > 290);
  for (const id of DEVIATIONS.keys()) assert.ok(ids.has(id), id);
});

test("no deviation repeats what the corpus says itself", { skip }, () => {
  for (const { id, theirs } of requests ?? []) {
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

/** No accepted head has a control byte, two Hosts, two framings or an HTTP/1.1 request without Host. */
function assertSound(fields: readonly string[], minorVersion: number): void {
  const names = fields.filter((_, index) => index % 2 === 0);
  const count = (name: string): number => names.filter((other) => other === name).length;
  assert.match(fields.join("|"), /^[\t -~\x80-\xff]*$/);
  assert.ok(count("host") <= 1 && (minorVersion === 0 || count("host") === 1));
  assert.ok(count("content-length") + count("transfer-encoding") <= 1);
}
