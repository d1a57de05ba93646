/**
 * Rapid reset (CVE-2023-44487): a caller opens a stream and resets it at once, thousands of times in a
 * second. A stream that is reset does not count against SETTINGS_MAX_CONCURRENT_STREAMS, while the
 * proxy and the service behind it still do the work of the request. MadeYouReset (CVE-2025-8671) is
 * the same without a RST_STREAM of the caller: it breaks a rule on the stream, so that the proxy
 * resets it. Both take from one budget, and what empties it loses its connection.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { CODE, FLAGS, TYPE } from "../http2/codes.ts";
import {
  dataFrame,
  frame,
  headersFrame,
  rstStreamFrame,
  windowUpdateFrame,
} from "../http2/frames.ts";
import { assertFloodEnds } from "../http2/flood.ts";
import { assertAlive, Http2Ground } from "../http2/ground.ts";
import { encodeLiterals } from "../http2/hpack.ts";
import { requestFields, statusOf } from "../http2/peer.ts";

const GET = encodeLiterals(requestFields("GET", "/hit"));
const POST = encodeLiterals(requestFields("POST", "/hit"));
const WHOLE = FLAGS.endHeaders | FLAGS.endStream;
const ROUNDS = 5000;
/** What the budget and the streams at once let through, some room added. */
const ARRIVALS = 500;

/** Stream of a round. */
const idOf = (round: number): number => round * 2 + 1;

const RESETS: readonly [name: string, round: (id: number) => readonly Buffer[]][] = [
  [
    "HEADERS and RST_STREAM",
    (id) => [headersFrame(id, GET, WHOLE), rstStreamFrame(id, CODE.cancel)],
  ],
  [
    "HEADERS, DATA and RST_STREAM",
    (id) => [
      headersFrame(id, POST, FLAGS.endHeaders),
      dataFrame(id, "x"),
      rstStreamFrame(id, CODE.cancel),
    ],
  ],
  [
    "RST_STREAM with NO_ERROR",
    (id) => [headersFrame(id, GET, WHOLE), rstStreamFrame(id, CODE.noError)],
  ],
  [
    "WINDOW_UPDATE of 0",
    (id) => [headersFrame(id, POST, FLAGS.endHeaders), windowUpdateFrame(id, 0)],
  ],
  [
    "WINDOW_UPDATE of 0 behind END_STREAM",
    (id) => [headersFrame(id, GET, WHOLE), windowUpdateFrame(id, 0)],
  ],
  [
    "a window above its limit",
    (id) => [headersFrame(id, GET, WHOLE), windowUpdateFrame(id, 2 ** 31 - 1)],
  ],
  [
    "PRIORITY of a wrong length",
    (id) => [headersFrame(id, GET, WHOLE), frame(TYPE.priority, 0, id, "four")],
  ],
  ["DATA behind END_STREAM", (id) => [headersFrame(id, GET, WHOLE), dataFrame(id, "x")]],
  [
    "DATA above content-length",
    (id) => [
      headersFrame(
        id,
        encodeLiterals([...requestFields("POST", "/hit"), ["content-length", "1"]]),
        FLAGS.endHeaders,
      ),
      dataFrame(id, "more"),
    ],
  ],
  [
    "trailers that are malformed",
    (id) => [
      headersFrame(id, POST, FLAGS.endHeaders),
      headersFrame(id, encodeLiterals([[":path", "/"]]), WHOLE),
    ],
  ],
];

for (const [name, round] of RESETS) {
  test(`a flood of ${name} ends its connection alone`, async () => {
    await using ground = await Http2Ground.start();
    ground.service.script(({ target }) =>
      target === "/good" ? { bytes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } : undefined,
    );
    await assertFloodEnds(ground, {
      rounds: ROUNDS,
      round: (index) => round(idOf(index)),
      limits: ["http2Resets"],
      arrivals: ARRIVALS,
    });
  });
}

test("streams beyond the limit, opened again and again, end their connection alone", async () => {
  await using ground = await Http2Ground.start({ http2: { maxStreams: 10 } });
  ground.service.script(({ target }) =>
    target === "/good" ? { bytes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } : undefined,
  );
  await assertFloodEnds(ground, {
    rounds: ROUNDS,
    round: (index) => [headersFrame(idOf(index), GET, WHOLE)],
    limits: ["http2Streams", "http2Resets"],
    arrivals: 10,
  });
});

test("malformed requests that are answered 400 cannot go on for ever", async () => {
  await using ground = await Http2Ground.start();
  const bad = encodeLiterals([...requestFields("GET", "/hit"), ["connection", "x"]]);
  await assertFloodEnds(ground, {
    rounds: ROUNDS,
    round: (index) => [headersFrame(idOf(index), bad, WHOLE)],
    limits: ["http2Resets"],
  });
});

test("a caller that leaves 150 requests at once is no flood", async () => {
  await using ground = await Http2Ground.start();
  ground.service.script(() => undefined);
  const caller = await ground.caller();
  for (let round = 0; round < 150; round += 1) {
    caller.send(headersFrame(idOf(round), GET, WHOLE), rstStreamFrame(idOf(round), CODE.cancel));
    if (round % 10 === 0) await caller.roundTrip();
  }
  ground.service.script(undefined);
  await assertAlive(caller);
});

test("thousands of requests that are answered are no flood", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  for (let round = 0; round < 2000; round += 50) {
    const ids = Array.from({ length: 50 }, (_, index) => idOf(round + index));
    for (const id of ids) caller.headers(id, requestFields("GET", "/"));
    for (const id of ids) assert.equal(statusOf(await caller.answer(id)), 200);
  }
});
