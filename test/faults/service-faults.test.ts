/**
 * Every way in which a service fails us, through `sallyport run`: the caller gets the right refusal
 * or an answer that is visibly cut short, within the bounds; the log has one decision and one
 * completion that says why; and the next request is not touched by it.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { openCaller, type Protocol, PROTOCOLS } from "../e2e/protocols.ts";
import { requestBytes } from "../e2e/stage.ts";
import { readResponses, valuesOf } from "../e2e/strict-http1.ts";
import { countsOf, countsOnce, COUNTS_ABSENT } from "./counts.ts";
import { BOUNDS, startFaultStage } from "./fault-stage.ts";
import type { FaultName } from "./rogue-service.ts";

/** What the caller sees: the status of a whole answer, or `cut`, an answer that was begun with 200. */
type Seen = number | "cut";

/** Fault -> what the caller sees, and how the record says that it ended. */
const TABLE: readonly (readonly [path: `/${string}`, seen: Seen, end: string])[] = [
  ...faults([
    ["fine", 200, "complete"],
    ["closes-at-once", 502, "upstream-unreachable"],
    ["resets-at-once", 502, "upstream-unreachable"],
    ["closes-in-head", 502, "upstream-protocol"],
    ["resets-in-head", 502, "upstream-protocol"],
    ["closes-in-body", "cut", "upstream-protocol"],
    ["resets-in-body", "cut", "upstream-protocol"],
    ["closes-in-chunks", "cut", "upstream-protocol"],
    ["closes-before-trailers", "cut", "upstream-protocol"],
    ["hangs-at-once", 504, "upstream-timeout"],
    ["hangs-in-head", 504, "upstream-timeout"],
    ["hangs-in-body", "cut", "upstream-timeout"],
    ["hangs-in-chunks", "cut", "upstream-timeout"],
    ["trickles-forever", "cut", "upstream-timeout"],
    ["garbage", 502, "upstream-protocol"],
    ["answers-http2", 502, "upstream-protocol"],
    ["endless-head", 502, "upstream-protocol"],
    ["floods-interim", 502, "upstream-protocol"],
    ["switches-unasked", 502, "upstream-protocol"],
    ["204-with-body", 502, "upstream-protocol"],
    ["304-with-body", 502, "upstream-protocol"],
    ["length-too-short", 502, "upstream-protocol"],
    ["two-answers", 502, "upstream-protocol"],
    ["two-framings", 502, "upstream-protocol"],
    ["bent-chunks", 502, "upstream-protocol"],
  ]),
  ["/refusing/at-once", 502, "upstream-unreachable"],
  ["/deaf/at-once", 504, "upstream-timeout"],
];

const ROUNDS = 8;
const stage = await startFaultStage();
after(() => stage.close());

function faults(
  rows: readonly (readonly [FaultName, Seen, string])[],
): (readonly [`/${string}`, Seen, string])[] {
  return rows.map(([name, seen, end]) => [`/fault/${name}`, seen, end] as const);
}

async function exchange(
  path: string,
  over: Protocol,
): Promise<{ seen: Seen | "nothing"; named: string[] }> {
  const connection = await openCaller(stage.proxy, { over });
  connection.write(requestBytes(path));
  const answers = (): ReturnType<typeof readResponses> =>
    readResponses(connection.text, ["GET"], false);
  await connection.until(
    () => connection.closed || answers().messages.length > 0,
    BOUNDS.total + BOUNDS.slack,
  );
  const reading = answers();
  const { closed } = connection;
  connection.destroy();
  assert.notEqual(reading.end, "invalid", reading.fault);
  const [first, ...others] = reading.messages;
  assert.deepEqual(others, [], "two answers to one request");
  if (first !== undefined) {
    return { seen: first.status, named: valuesOf(first, "sallyport-decision") };
  }
  const cut = closed && connection.text.startsWith("HTTP/1.1 200 ");
  return { seen: cut ? "cut" : "nothing", named: [] };
}

test("each fault of a service gets its status, its end in the record, and costs nobody else", async (t) => {
  const before = await countsOf(stage);
  const cases = PROTOCOLS.flatMap((over) => TABLE.map((row) => [over, ...row] as const));
  for (const [over, path, seen, end] of cases) {
    await t.test(`${over}: ${path}`, async () => {
      const from = over === "h2" ? ROUNDS : 0;
      const paths = Array.from({ length: ROUNDS }, (_, round) => `${path}/${from + round}`);
      const results = await Promise.all(paths.map((each) => exchange(each, over)));
      assert.deepEqual(
        results.map((result) => result.seen),
        paths.map(() => seen),
      );
      const endings = await stage.endings(paths);
      const status = seen === "cut" ? 200 : seen;
      for (const each of paths) {
        assert.deepEqual(endings.get(each), {
          decisions: ["permit"],
          ends: [end],
          statuses: [status],
        });
      }
      assert.equal(
        (await exchange(`/fault/fine/after${path}/${over === "h2" ? 2 : 1}`, over)).seen,
        200,
      );
    });
  }
  await t.test("the log says why, for operators", () => {
    const lines = stage.log().match(/^\{.*"event":"a request was not completed".*$/gm) ?? [];
    assert.ok(lines.length >= 20 && lines.length < cases.length * ROUNDS, `${lines.length} lines`);
    const [first = "{}"] = lines;
    const line = JSON.parse(first) as Record<string, unknown>;
    assert.equal(line["route"], "fault");
    assert.equal(line["upstream"], stage.rogue.address);
    assert.equal(line["reason"], "upstream-unreachable");
    assert.equal(line["detail"], "closed");
    assert.equal(typeof line["decision"], "string");
  });
  await t.test("nothing is left open", { skip: COUNTS_ABSENT }, async () => {
    const counts = await countsOnce(
      stage,
      ({ sockets, connections }) => sockets <= before.sockets && connections === 0,
    );
    assert.ok(counts.sockets <= before.sockets, JSON.stringify([before, counts]));
    assert.equal(counts.connections, 0);
    assert.equal(stage.rogue.open, 0, "a connection to the service is left");
  });
});
