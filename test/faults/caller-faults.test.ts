/**
 * Callers that vanish, stall or lie, at each stage of a request, through `sallyport run`: what they
 * began at the service ends, the log says so, and nothing stays open behind them.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { requestBytes } from "../e2e/stage.ts";
import { countsOf, countsOnce, COUNTS_ABSENT, metricOf } from "./counts.ts";
import { startFaultStage } from "./fault-stage.ts";
import { type Leaving, RogueCaller } from "./rogue-caller.ts";

interface CallerFault {
  readonly name: string;
  /** What the service does with it. */
  readonly service: string;
  /** Sends, and settles when the caller has left or the proxy has closed. */
  readonly play: (caller: RogueCaller, path: string) => Promise<void>;
  /** What the record says; undefined where there was no request to decide about. */
  readonly recorded: { readonly end: string; readonly status: number } | undefined;
  /** How the answer begins that the caller still gets. */
  readonly answer?: string;
}

const ROUNDS = 8;
const stage = await startFaultStage();
after(() => stage.close());

const post = (path: string, framing: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: api.example\r\n${framing}\r\n\r\n${body}`;

function leaving(how: Leaving): CallerFault[] {
  return [
    {
      name: `${how}s without a byte`,
      service: "fine",
      play: async (caller) => caller.leave(how),
      recorded: undefined,
    },
    {
      name: `${how}s within the head`,
      service: "fine",
      play: async (caller, path) => {
        caller.send(`GET ${path} HTTP/1.1\r\nHost: api`);
        await new Promise(setImmediate);
        caller.leave(how);
      },
      recorded: undefined,
    },
    {
      name: `${how}s within a body with a length`,
      service: "hangs-at-once",
      play: async (caller, path) => {
        caller.send(post(path, "Content-Length: 1000\r\nExpect: 100-continue", ""));
        await caller.received("100 Continue");
        caller.send("begun");
        await stage.rogue.reached(path);
        caller.leave(how);
      },
      recorded: { end: "caller-gone", status: 0 },
    },
    {
      name: `${how}s within a chunk`,
      service: "hangs-at-once",
      play: async (caller, path) => {
        caller.send(post(path, "Transfer-Encoding: chunked", "5\r\nbegun\r\n64\r\nand"));
        await stage.rogue.reached(path);
        caller.leave(how);
      },
      recorded: { end: "caller-gone", status: 0 },
    },
    {
      name: `${how}s while the service thinks`,
      service: "hangs-at-once",
      play: async (caller, path) => {
        caller.send(requestBytes(path));
        await stage.rogue.reached(path);
        caller.leave(how);
      },
      recorded: { end: "caller-gone", status: 0 },
    },
    {
      name: `${how}s within the answer`,
      service: "hangs-in-body",
      play: async (caller, path) => {
        caller.send(requestBytes(path));
        await caller.received("begun");
        caller.leave(how);
      },
      recorded: { end: "caller-gone", status: 200 },
    },
    {
      name: `${how}s within a large answer that it does not read`,
      service: "endless",
      play: async (caller, path) => {
        caller.send(requestBytes(path));
        await caller.received("....");
        caller.stall();
        caller.leave(how);
      },
      recorded: { end: "caller-gone", status: 200 },
    },
  ];
}

const STAYING: readonly CallerFault[] = [
  {
    name: "never ends its head",
    service: "fine",
    play: async (caller, path) => {
      caller.send(`GET ${path} HTTP/1.1\r\nHost: api`);
      await caller.closed();
    },
    recorded: undefined,
    answer: "HTTP/1.1 408 ",
  },
  {
    name: "says nothing",
    service: "fine",
    play: (caller) => caller.closed(),
    recorded: undefined,
    answer: "",
  },
  {
    name: "never ends its body",
    service: "hangs-at-once",
    play: async (caller, path) => {
      caller.send(post(path, "Content-Length: 1000", "begun"));
      await caller.closed();
    },
    recorded: { end: "request-timeout", status: 408 },
    answer: "HTTP/1.1 408 ",
  },
  {
    name: "breaks its chunks",
    service: "hangs-at-once",
    play: async (caller, path) => {
      caller.send(post(path, "Transfer-Encoding: chunked", "5\r\nbegun\r\nzz\r\n"));
      await caller.closed();
    },
    recorded: { end: "malformed-request", status: 400 },
    answer: "HTTP/1.1 400 ",
  },
  {
    name: "announces a body above the limit",
    service: "fine",
    play: async (caller, path) => {
      caller.send(post(path, "Content-Length: 2000000", "begun"));
      await caller.closed();
    },
    recorded: { end: "body-too-large", status: 413 },
    answer: "HTTP/1.1 413 ",
  },
  {
    name: "sends chunks above the limit",
    service: "hangs-at-once",
    play: async (caller, path) => {
      const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
      caller.send(post(path, "Transfer-Encoding: chunked", chunk.repeat(18)));
      await caller.received("\r\n\r\n");
      caller.leave("close");
    },
    recorded: { end: "body-too-large", status: 413 },
    answer: "HTTP/1.1 413 ",
  },
  {
    name: "does not read a large answer",
    service: "endless",
    play: async (caller, path) => {
      caller.send(requestBytes(path));
      await caller.received("....");
      caller.stall();
      while (stage.rogue.open > 0) await new Promise(setImmediate);
      caller.leave("close");
    },
    recorded: { end: "caller-gone", status: 200 },
  },
  {
    name: "goes on sending when it was answered early",
    service: "answers-early",
    play: async (caller, path) => {
      caller.send(post(path, "Content-Length: 1000", "begun"));
      await caller.closed();
    },
    recorded: { end: "complete", status: 413 },
    answer: "HTTP/1.1 413 ",
  },
];

test("each fault of a caller ends what it began, and is in the record", async (t) => {
  const before = await countsOf(stage);
  for (const [index, fault] of [...leaving("close"), ...leaving("reset"), ...STAYING].entries()) {
    await t.test(`a caller that ${fault.name}`, async () => {
      const paths = Array.from(
        { length: ROUNDS },
        (_, round) => `/fault/${fault.service}/${index}/${round}`,
      );
      const answers = await Promise.all(paths.map((path) => play(fault, path)));
      if (fault.answer !== undefined) {
        for (const answer of answers) {
          assert.ok(fault.answer === "" ? answer === "" : answer.startsWith(fault.answer), answer);
        }
      }
      await assertRecorded(fault, paths);
      assert.equal(await metricOnceZero(), 0, "a caller's connection is left");
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

async function play(fault: CallerFault, path: string): Promise<string> {
  const caller = await RogueCaller.open(stage.proxy);
  await fault.play(caller, path);
  return caller.text;
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

async function metricOnceZero(): Promise<number> {
  return (await countsOnce(stage, ({ connections }) => connections === 0)).connections;
}
