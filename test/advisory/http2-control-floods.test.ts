/**
 * Frames that cost the proxy more than the caller (the eight of Netflix NFLX-2019-002 and their heirs):
 * SETTINGS (CVE-2019-9515) and PING (CVE-2019-9512) each ask for an answer, empty DATA (CVE-2019-9518)
 * asks for a turn of the machine and uses no window, WINDOW_UPDATE of one byte, PRIORITY
 * (CVE-2019-9513) and what is ignored cost a call each. Each kind has a budget of its own, whoever
 * empties one loses the connection with ENHANCE_YOUR_CALM, and nobody else notices.
 */
import { strict as assert } from "node:assert";
import test from "node:test";
import { CODE, FLAGS, SETTINGS, TYPE } from "../http2/codes.ts";
import { assertFloodEnds } from "../http2/flood.ts";
import {
  dataFrame,
  frame,
  goawayFrame,
  headersFrame,
  pingFrame,
  priorityFrame,
  rstStreamFrame,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../http2/frames.ts";
import { Http2Ground } from "../http2/ground.ts";
import { encodeLiterals } from "../http2/hpack.ts";
import { type Http2Peer, requestFields, statusOf } from "../http2/peer.ts";

const POST = encodeLiterals(requestFields("POST", "/hit"));
const ROUNDS = 20_000;

const openStream = (caller: Http2Peer): void =>
  caller.send(headersFrame(1, POST, FLAGS.endHeaders));
/** By a rule that it breaks: what comes on it afterwards may have crossed with the reset. */
const streamResetByUs = (caller: Http2Peer): void => {
  openStream(caller);
  caller.send(windowUpdateFrame(1, 0));
};
const closedStream = async (caller: Http2Peer): Promise<void> => {
  await caller.get(1, "/good");
};

interface Flood {
  readonly name: string;
  readonly limit: string;
  readonly begin?: (caller: Http2Peer) => void | Promise<void>;
  readonly round: (index: number) => readonly Buffer[];
}

const FLOODS: readonly Flood[] = [
  { name: "empty SETTINGS", limit: "http2Settings", round: () => [settingsFrame([])] },
  {
    name: "SETTINGS that change the windows",
    limit: "http2Settings",
    begin: openStream,
    round: (index) => [settingsFrame([[SETTINGS.initialWindowSize, 1000 + (index % 1000)]])],
  },
  {
    name: "SETTINGS of a hundred pairs",
    limit: "http2Settings",
    round: () => [settingsFrame(Array.from({ length: 100 }, (_, id) => [0x100 + id, id] as const))],
  },
  { name: "PING", limit: "http2Pings", round: () => [pingFrame("12345678")] },
  {
    name: "empty DATA",
    limit: "http2EmptyData",
    begin: openStream,
    round: () => [dataFrame(1, "")],
  },
  {
    name: "empty DATA with padding of 0",
    limit: "http2EmptyData",
    begin: openStream,
    round: () => [dataFrame(1, "\0", FLAGS.padded)],
  },
  {
    name: "WINDOW_UPDATE of the connection",
    limit: "http2WindowUpdates",
    round: () => [windowUpdateFrame(0, 1)],
  },
  {
    name: "WINDOW_UPDATE of a stream",
    limit: "http2WindowUpdates",
    begin: openStream,
    round: () => [windowUpdateFrame(1, 1)],
  },
  {
    name: "WINDOW_UPDATE of a closed stream",
    limit: "http2WindowUpdates",
    begin: closedStream,
    round: () => [windowUpdateFrame(1, 1)],
  },
  {
    name: "WINDOW_UPDATE of 0 of a closed stream",
    limit: "http2Resets",
    begin: closedStream,
    round: () => [windowUpdateFrame(1, 0)],
  },
  {
    name: "PRIORITY of one stream",
    limit: "http2Priority",
    begin: openStream,
    round: () => [priorityFrame(1, 0)],
  },
  {
    name: "PRIORITY of idle streams",
    limit: "http2Priority",
    round: (index) => [priorityFrame(index * 2 + 1, 0)],
  },
  {
    name: "HEADERS of a stream that was reset for its fault",
    limit: "http2Resets",
    begin: streamResetByUs,
    round: () => [headersFrame(1, POST, FLAGS.endHeaders | FLAGS.endStream)],
  },
  { name: "GOAWAY", limit: "http2Unknown", round: () => [goawayFrame(0, CODE.noError)] },
  {
    name: "frames of an unknown type",
    limit: "http2Unknown",
    round: () => [frame(0xfe, 0, 0, "x")],
  },
  {
    name: "PRIORITY_UPDATE",
    limit: "http2Unknown",
    round: (index) => [
      frame(TYPE.priorityUpdate, 0, 0, `\0\0\0${String.fromCharCode(index % 128)}u=1`),
    ],
  },
];

for (const { name, limit, begin, round } of FLOODS) {
  test(`a flood of ${name} ends its connection alone`, async () => {
    await using ground = await Http2Ground.start();
    await assertFloodEnds(ground, {
      rounds: ROUNDS,
      ...(begin === undefined ? {} : { begin }),
      round,
      limits: [limit],
      arrivals: 1,
    });
  });
}

/** What costs us a call and no answer: bounded in what it does to others, whether it is ended or not. */
const QUIET: readonly [name: string, round: Buffer][] = [
  ["SETTINGS acknowledgements of nothing", settingsAckFrame()],
  ["PING acknowledgements of nothing", pingFrame("12345678", FLAGS.ack)],
  ["RST_STREAM of a closed stream", rstStreamFrame(1, CODE.cancel)],
];

for (const [name, bytes] of QUIET) {
  test(`a flood of ${name} keeps nobody else waiting`, async () => {
    await using ground = await Http2Ground.start();
    const other = await ground.caller();
    const caller = await ground.caller();
    await caller.get(1, "/good");
    let good = 1;
    for (let round = 0; round < 100 && !caller.ended && !caller.closed; round += 1) {
      caller.send(...Array.from({ length: 500 }, () => bytes));
      assert.equal(statusOf(await other.get(good, "/good")), 200);
      good += 2;
    }
  });
}

test("answers to a flood of PING that its caller does not read are not gathered", async () => {
  await using ground = await Http2Ground.start();
  const caller = await ground.caller();
  await caller.roundTrip();
  caller.stall();
  let sent = 0;
  while (sent < 200_000 && !caller.socket.destroyed && caller.socket.writable) {
    caller.send(...Array.from({ length: 1000 }, () => pingFrame("12345678")));
    sent += 1000;
    await new Promise(setImmediate);
    if (ground.loopback.hits("http2Pings") > 0) break;
  }
  assert.ok(ground.loopback.hits("http2Pings") > 0);
  caller.socket.resume();
  await caller.gone();
});
