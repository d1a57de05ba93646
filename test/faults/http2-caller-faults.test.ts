/**
 * Callers that speak HTTP/2 and vanish, reset a stream, stall or lie, at each stage of a request,
 * through `sallyport run`: what they began at the service ends, the log says so, the other streams of
 * their connection go on where there is still one, and nothing stays open behind them.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { CLIENT_PREFACE, CODE, FLAGS } from "../http2/codes.ts";
import { headersFrame, rstStreamFrame } from "../http2/frames.ts";
import { encodeLiterals, type Field } from "../http2/hpack.ts";
import { Http2Peer, requestFields, statusOf } from "../http2/peer.ts";
import { countsOf, countsOnce, COUNTS_ABSENT, metricOf } from "./counts.ts";
import { startFaultStage } from "./fault-stage.ts";

interface CallerFault {
  readonly name: string;
  /** What the service does with it. */
  readonly service: string;
  /** Whether it sends no preface by itself. */
  readonly mute?: boolean;
  /** Sends, and settles when the caller has left or has its answer. */
  readonly play: (caller: Http2Peer, path: string) => Promise<void>;
  /** What the record says; undefined where there was no request to decide about. */
  readonly recorded: { readonly end: string; readonly status: number } | undefined;
  /** The status that the caller still gets. */
  readonly answer?: number;
  /** Whether the connection goes on: then its next request is answered. */
  readonly lives?: boolean;
}

const ROUNDS = 8;
const stage = await startFaultStage();
after(() => stage.close());

/** How a caller leaves: with its connection, or with the stream alone. */
const LEAVINGS: readonly (readonly [name: string, leave: (caller: Http2Peer) => void])[] = [
  ["closes", (caller) => caller.destroy()],
  ["resets", (caller) => caller.socket.resetAndDestroy()],
  ["cancels", (caller) => caller.send(rstStreamFrame(1, CODE.cancel))],
];

function post(caller: Http2Peer, path: string, more: readonly Field[] = []): void {
  caller.headers(1, [...requestFields("POST", path), ...more], false);
}

/** A path with the length that a piece of a block is cut from. */
function blockOf(path: string): Buffer {
  return encodeLiterals(requestFields("GET", path));
}

const BEFORE_A_REQUEST: readonly CallerFault[] = [
  {
    name: "closes within its preface",
    service: "fine",
    mute: true,
    play: async (caller) => {
      caller.send(CLIENT_PREFACE.subarray(0, 10));
      await new Promise(setImmediate);
      caller.destroy();
    },
    recorded: undefined,
  },
  {
    name: "closes within a HEADERS frame",
    service: "fine",
    play: async (caller, path) => {
      const frame = headersFrame(1, blockOf(path), FLAGS.endHeaders | FLAGS.endStream);
      caller.send(frame.subarray(0, 20));
      await caller.until("SETTINGS", () => caller.frames.length > 0);
      caller.destroy();
    },
    recorded: undefined,
  },
  {
    name: "closes between HEADERS and CONTINUATION",
    service: "fine",
    play: async (caller, path) => {
      caller.send(headersFrame(1, blockOf(path), FLAGS.endStream));
      await caller.until("SETTINGS", () => caller.frames.length > 0);
      caller.socket.resetAndDestroy();
    },
    recorded: undefined,
  },
];

function leaving(how: string, leave: (caller: Http2Peer) => void): CallerFault[] {
  const lives = how === "cancels";
  return [
    {
      name: `${how} within a body with a length`,
      service: "hangs-at-once",
      play: async (caller, path) => {
        post(caller, path, [["content-length", "1000"]]);
        caller.data(1, "begun");
        await stage.rogue.reached(path);
        leave(caller);
      },
      recorded: { end: "caller-gone", status: 0 },
      lives,
    },
    {
      name: `${how} within a body without one`,
      service: "hangs-at-once",
      play: async (caller, path) => {
        post(caller, path);
        caller.data(1, "begun");
        await stage.rogue.reached(path);
        leave(caller);
      },
      recorded: { end: "caller-gone", status: 0 },
      lives,
    },
    {
      name: `${how} while the service thinks`,
      service: "hangs-at-once",
      play: async (caller, path) => {
        caller.headers(1, requestFields("GET", path));
        await stage.rogue.reached(path);
        leave(caller);
      },
      recorded: { end: "caller-gone", status: 0 },
      lives,
    },
    {
      name: `${how} within the answer`,
      service: "hangs-in-body",
      play: async (caller, path) => {
        caller.headers(1, requestFields("GET", path));
        await caller.until("its beginning", () => caller.stream(1).body.length > 0);
        leave(caller);
      },
      recorded: { end: "caller-gone", status: 200 },
      lives,
    },
    {
      name: `${how} within a large answer`,
      service: "endless",
      play: async (caller, path) => {
        caller.headers(1, requestFields("GET", path));
        await caller.until("its beginning", () => caller.stream(1).body.length > 100_000);
        leave(caller);
      },
      recorded: { end: "caller-gone", status: 200 },
      lives,
    },
  ];
}

const STAYING: readonly CallerFault[] = [
  {
    name: "says nothing behind its preface",
    service: "fine",
    play: async (caller) => void (await caller.gone()),
    recorded: undefined,
  },
  {
    name: "never ends its body",
    service: "hangs-at-once",
    play: async (caller, path) => {
      post(caller, path, [["content-length", "1000"]]);
      caller.data(1, "begun");
      await caller.answer(1);
    },
    recorded: { end: "request-timeout", status: 408 },
    answer: 408,
    lives: true,
  },
  {
    name: "sends more than it announced",
    service: "hangs-at-once",
    play: async (caller, path) => {
      post(caller, path, [["content-length", "3"]]);
      caller.data(1, "begun");
      await caller.answer(1);
    },
    recorded: { end: "malformed-request", status: 400 },
    answer: 400,
    lives: true,
  },
  {
    name: "announces a body above the limit",
    service: "fine",
    play: async (caller, path) => {
      post(caller, path, [["content-length", "2000000"]]);
      caller.data(1, "begun");
      await caller.answer(1);
    },
    recorded: { end: "body-too-large", status: 413 },
    answer: 413,
    lives: true,
  },
  {
    name: "is answered early and goes on sending",
    service: "answers-early",
    play: async (caller, path) => {
      post(caller, path, [["content-length", "1000"]]);
      caller.data(1, "begun");
      await caller.until("RST_STREAM", () => caller.stream(1).reset !== undefined);
      caller.data(1, "and more");
    },
    recorded: { end: "complete", status: 413 },
    answer: 413,
    lives: true,
  },
];

const FAULTS = [
  ...BEFORE_A_REQUEST,
  ...LEAVINGS.flatMap(([how, leave]) => leaving(how, leave)),
  ...STAYING,
];

test("each fault of a caller over HTTP/2 ends what it began, and is in the record", async (t) => {
  const before = await countsOf(stage);
  for (const [index, fault] of FAULTS.entries()) {
    await t.test(`a caller that ${fault.name}`, async () => {
      const paths = Array.from(
        { length: ROUNDS },
        (_, round) => `/fault/${fault.service}/h2-${index}/${round}`,
      );
      await Promise.all(paths.map((path) => play(fault, path)));
      await assertRecorded(fault, paths);
      const { connections } = await countsOnce(stage, (counts) => counts.connections === 0);
      assert.equal(connections, 0, "a caller's connection is left");
    });
  }
  await t.test("nothing is left open", { skip: COUNTS_ABSENT }, async () => {
    const counts = await countsOnce(
      stage,
      ({ sockets, connections }) => sockets <= before.sockets && connections === 0,
    );
    assert.ok(counts.sockets <= before.sockets, JSON.stringify([before, counts]));
    assert.equal(stage.rogue.open, 0, "a connection to the service is left");
    assert.equal(await metricOf(stage, "sallyport_audit_lost_total"), 0);
  });
});

test("a caller that takes nothing of a large answer is cut off, and in the record", async () => {
  const path = "/fault/endless/h2-unread/0";
  const caller = await Http2Peer.open(stage.proxy, { keepsWindows: true });
  caller.headers(1, requestFields("GET", path));
  await caller.until("its beginning", () => caller.stream(1).body.length > 0);
  while (stage.rogue.open > 0) await new Promise(setImmediate);
  const ending = (await stage.endings([path])).get(path);
  assert.deepEqual(ending?.decisions, ["permit"]);
  assert.equal(ending?.ends.length, 1);
  assert.notEqual(ending.ends[0], "complete");
  assert.equal(caller.stream(1).ended, false, "cut off, not ended");
  caller.destroy();
});

test("one stream that is cancelled is one record, and the others are answered", async () => {
  const caller = await Http2Peer.open(stage.proxy);
  const ids = Array.from({ length: 20 }, (_, index) => index * 2 + 1);
  const pathOf = (id: number): string =>
    id % 4 === 1 ? `/fault/hangs-at-once/h2-mixed/${id}` : `/fault/fine/h2-mixed/${id}`;
  for (const id of ids) caller.headers(id, requestFields("GET", pathOf(id)));
  for (const id of ids) if (id % 4 === 1) await stage.rogue.reached(pathOf(id));
  for (const id of ids) if (id % 4 === 1) caller.send(rstStreamFrame(id, CODE.cancel));
  for (const id of ids) {
    if (id % 4 === 3) assert.equal(statusOf(await caller.answer(id)), 200);
  }
  const endings = await stage.endings(ids.map(pathOf));
  for (const id of ids) {
    const end = id % 4 === 1 ? "caller-gone" : "complete";
    assert.deepEqual(endings.get(pathOf(id))?.ends, [end]);
  }
  caller.destroy();
});

async function play(fault: CallerFault, path: string): Promise<void> {
  const caller = await Http2Peer.open(stage.proxy, { mute: fault.mute === true });
  await fault.play(caller, path);
  if (fault.answer !== undefined) assert.equal(statusOf(caller.stream(1)), fault.answer);
  if (fault.lives === true) {
    assert.equal(statusOf(await caller.get(3, "/fault/fine/next")), 200, "its next request");
  }
  caller.destroy();
}

async function assertRecorded(fault: CallerFault, paths: readonly string[]): Promise<void> {
  const { recorded } = fault;
  const endings = await stage.endings(recorded === undefined ? [] : paths);
  for (const path of paths) {
    const expected =
      recorded === undefined
        ? undefined
        : { decisions: ["permit"], ends: [recorded.end], statuses: [recorded.status] };
    assert.deepEqual(endings.get(path), expected);
  }
}
