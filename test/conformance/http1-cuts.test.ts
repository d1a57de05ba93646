/**
 * Bodies of requests and of answers through the engine, cut at every byte and bent at any: however
 * the bytes arrive, the other side reads exactly one message of the same meaning, or a fault that it
 * can tell from a message. Judged by the strict reader of the end-to-end judge.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import * as fc from "fast-check";
import {
  readCallersRequests,
  readRequests,
  readResponses,
  type StrictResponse,
} from "../e2e/strict-http1.ts";
import { readRequests as readOurRequests, readResponse } from "./http1-stream.ts";
import { MemoryProxy, type MemorySocket, settled } from "./memory-proxy.ts";
import { answerCase } from "./response-arbitraries.ts";

const CHUNKED = [
  "0\r\n\r\n",
  "5\r\nhello\r\n0\r\n\r\n",
  '5;a=b;c="d\\"e";f\r\nhello\r\n00A\r\n0123456789\r\n000;last=1\r\nX-Sum: 9\r\nX-Sum: 8\r\n\r\n',
  "1\r\n\r\r\n2\r\n\r\n\r\n0\r\n\r\n",
  "0000000000005\r\n0\r\n\r\n\r\n0\r\nX-T:\r\n\r\n",
];
const ANSWERS = [
  ...CHUNKED.map((body) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno",
  "HTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
  "HTTP/1.0 200 OK\r\n\r\nuntil the end",
];
/** Bytes on which readers of chunks differ. */
const HOSTILE = "\0\t\n\r 05;=AFx\x7f\xff".split("");
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/** Every way to cut a text in two, and the one into single bytes. */
function cutsOf(text: string): string[][] {
  const cuts = Array.from({ length: text.length - 1 }, (_, index) => [
    text.slice(0, index + 1),
    text.slice(index + 1),
  ]);
  return [...cuts, text.split("")];
}

async function feed(socket: MemorySocket, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    socket.feed(piece);
    await settled();
  }
}

/** Final answers that the caller reads; the strict reader must not find a broken byte. */
function answersTo(caller: MemorySocket, methods: readonly string[]): readonly StrictResponse[] {
  const reading = readResponses(caller.text, methods, caller.closing);
  assert.notEqual(reading.end, "invalid", `${reading.fault}: ${JSON.stringify(caller.text)}`);
  return reading.messages.filter(({ status }) => status >= 200);
}

for (const answer of ANSWERS) {
  test(`an answer arrives the same, wherever it is cut: ${JSON.stringify(answer)}`, async () => {
    const [expected] = readResponses(answer, ["GET"], true).messages.filter(
      ({ status }) => status >= 200,
    );
    for (const pieces of cutsOf(answer)) {
      using proxy = new MemoryProxy();
      const caller = proxy.caller();
      await feed(caller, [GET]);
      await feed(proxy.service, pieces);
      if (expected?.untilClose === true) proxy.service.finish();
      await settled();
      const answers = answersTo(caller, ["GET", "GET"]);
      assert.equal(answers.length, 1, JSON.stringify(pieces));
      assert.equal(answers[0]?.status, expected?.status);
      assert.equal(answers[0]?.body, expected?.body);
      assert.equal(proxy.outcomes[0]?.end, "complete");
      assert.deepEqual(proxy.defects, []);
    }
  });
}

for (const body of CHUNKED) {
  test(`a chunked request arrives the same, wherever it is cut: ${JSON.stringify(body)}`, async () => {
    const request = `POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
    const [expected] = readRequests(request).messages;
    for (const pieces of cutsOf(request)) {
      using proxy = new MemoryProxy();
      await feed(proxy.caller(), [...pieces, GET]);
      const reading = readRequests(proxy.service.text);
      assert.equal(reading.end, "complete", JSON.stringify(pieces));
      assert.equal(reading.messages.length, 1);
      assert.equal(reading.messages[0]?.method, "POST");
      assert.equal(reading.messages[0]?.body, expected?.body);
      assert.deepEqual(proxy.defects, []);
    }
  });
}

/** A text in pieces. */
function pieced(text: string, cuts: readonly number[]): string[] {
  const at = [0, ...cuts.map((cut) => cut % (text.length + 1)), text.length].toSorted(
    (a, b) => a - b,
  );
  return at.slice(1).map((end, index) => text.slice(at[index], end));
}

const cuts = fc.array(fc.nat(6000), { maxLength: 5 });
const ending = fc.constantFrom("open", "finish", "reset");

test("whatever a service sends and however it arrives, the caller gets one answer or a fault, and the next one its own", async () => {
  let complete = 0;
  let failed = 0;
  await fc.assert(
    fc.asyncProperty(answerCase, cuts, ending, async ({ method, text }, where, how) => {
      using proxy = new MemoryProxy();
      const caller = proxy.caller();
      const length = method === "POST" ? "Content-Length: 0\r\n" : "";
      await feed(caller, [`${method} / HTTP/1.1\r\nHost: x\r\n${length}\r\n`]);
      await feed(proxy.service, pieced(text, where));
      if (how !== "open") proxy.service[how]();
      await settled();
      if (proxy.outcomes.length === 0) await proxy.pass();
      const [outcome] = proxy.outcomes;
      assert.ok(outcome !== undefined, "the exchange hangs");
      const answers = answersTo(caller, [method, "GET"]);
      assert.ok(answers.length <= 1, "two answers to one request");
      if (outcome.end === "complete") {
        complete += 1;
        const ours = readResponse(Buffer.from(text, "latin1"), method);
        assert.equal(answers[0]?.status, ours.head?.status);
        assert.equal(answers[0]?.body, ours.body);
      } else {
        failed += 1;
        const [first] = answers;
        // A problem of ours, or an answer that is cut short with its connection. It may be whole
        // where what was wrong came behind it.
        if (first !== undefined && ![502, 504].includes(first.status)) {
          const ours = readResponse(Buffer.from(text, "latin1"), method);
          assert.deepEqual([first.status, first.body], [ours.head?.status, ours.body]);
        }
        const cut = first === undefined || first.status < 500 || first.status === 503;
        assert.equal(caller.destroyed, cut, `${outcome.end}, ${JSON.stringify(caller.text)}`);
      }
      await ownAnswer(proxy, caller);
      assert.deepEqual(proxy.defects, []);
    }),
    { numRuns: 3000 },
  );
  assert.ok(complete > 600 && failed > 600, `${complete} complete, ${failed} failed`);
});

/** The next request, on the same connection where it still stands, gets its own answer alone. */
async function ownAnswer(proxy: MemoryProxy, before: MemorySocket): Promise<void> {
  const caller = before.closing ? proxy.caller() : before;
  const seen = caller.text.length;
  const sent = proxy.opened.map(({ text }) => text.length);
  await feed(caller, ["GET /own HTTP/1.1\r\nHost: x\r\n\r\n"]);
  const used = proxy.opened.find(({ text }, index) => text.length > (sent[index] ?? 0));
  assert.ok(used !== undefined, "the next request is not sent");
  await feed(used, ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown"]);
  const reading = readResponses(caller.text.slice(seen), ["GET"], caller.closing);
  assert.equal(reading.end, "complete", JSON.stringify(caller.text));
  assert.deepEqual(
    reading.messages.map(({ body }) => body),
    ["own"],
  );
}

const chunkedRequests = fc
  .record({
    bodies: fc.array(fc.constantFrom(...CHUNKED), { minLength: 1, maxLength: 2 }),
    edits: fc.array(
      fc.record({
        at: fc.nat(300),
        remove: fc.constantFrom(0, 1, 2),
        insert: fc.constantFrom(
          "",
          ...HOSTILE,
          "\r\n",
          "\r\n\r\n",
          "0\r\n\r\n",
          "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
        ),
      }),
      { maxLength: 2 },
    ),
  })
  .map(({ bodies, edits }) => {
    const head = "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    // Only bodies are bent: heads are http1-parser.test.ts's.
    const bent = bodies.map((body, index) => {
      const edit = edits[index];
      if (edit === undefined) return body;
      const at = edit.at % (body.length + 1);
      return body.slice(0, at) + edit.insert + body.slice(at + edit.remove);
    });
    return bent.map((body) => head + body).join("");
  });

test("whatever a caller sends as chunks and however it arrives, the service reads the requests of a strict reading and no more", async () => {
  await fc.assert(
    fc.asyncProperty(chunkedRequests, cuts, async (text, where) => {
      using proxy = new MemoryProxy();
      const caller = proxy.caller();
      await feed(caller, pieced(text, where));
      const ours = readOurRequests(Buffer.from(text, "latin1"));
      for (let answered = 0; answered < ours.requests.length; answered += 1) {
        await feed(proxy.service, ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]);
      }
      const got = proxy.opened.flatMap((socket) => {
        const reading = readRequests(socket.text);
        // What broke off is incomplete to the service, whose connection is closed under it.
        assert.notEqual(reading.end, "invalid", JSON.stringify(socket.text));
        if (reading.end === "incomplete") assert.ok(socket.destroyed || ours.end === "incomplete");
        return reading.messages;
      });
      assert.deepEqual(
        got.map(({ method, target, body }) => ({ method, target, body })),
        ours.requests.map(({ head, body }) => ({
          method: head.method,
          target: head.target,
          body,
        })),
      );
      const strict = readCallersRequests(text).messages;
      assert.deepEqual(
        got.map(({ body }) => body),
        strict.slice(0, got.length).map(({ body }) => body),
      );
      assert.deepEqual(proxy.defects, []);
    }),
    { numRuns: 1500 },
  );
});
