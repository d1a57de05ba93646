/**
 * What is sent again, counted by what arrives at a service that fails: never a request that may have
 * been acted on and is not idempotent, never one whose answer was begun, never for a caller that has
 * left. However often it was sent, the caller gets one answer and the log one completion.
 */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { openCaller, PROTOCOLS } from "../e2e/protocols.ts";
import { startFaultStage } from "./fault-stage.ts";
import { RogueCaller } from "./rogue-caller.ts";
import type { FaultName } from "./rogue-service.ts";

const ATTEMPTS = 2;
const stage = await startFaultStage({
  retries: `{ attempts: ${ATTEMPTS}, on: [connect, reset, timeout, 502, 503, 504], budget: { share: 100, floor: 100 }, backoff: 1ms, bodyBytes: 1KiB }`,
});
after(() => stage.close());

const body = (text: string): string => `Content-Length: ${text.length}\r\n\r\n${text}`;
const chunked = "Transfer-Encoding: chunked\r\n\r\n3\r\nput\r\n0\r\n\r\n";
const NONE = "\r\n";

const CASES: readonly (readonly [
  request: readonly [method: string, rest: string],
  fault: FaultName,
  sent: number,
  status: number,
])[] = [
  [["GET", NONE], "resets-at-once", 1 + ATTEMPTS, 502],
  [["HEAD", NONE], "closes-at-once", 1 + ATTEMPTS, 502],
  [["DELETE", NONE], "closes-at-once", 1 + ATTEMPTS, 502],
  [["GET", NONE], "unavailable", 1 + ATTEMPTS, 503],
  [["PUT", body("put")], "resets-at-once", 1 + ATTEMPTS, 502],
  [["PUT", body("put")], "unavailable", 1 + ATTEMPTS, 503],
  [["PUT", chunked], "unavailable", 1 + ATTEMPTS, 503],
  [["PUT", body("x".repeat(2000))], "unavailable", 1, 503],
  [["POST", body("pay")], "resets-at-once", 1, 502],
  [["POST", body("pay")], "closes-at-once", 1, 502],
  [["POST", body("")], "closes-at-once", 1, 502],
  [["POST", NONE], "closes-at-once", 1, 502],
  [["POST", body("pay")], "unavailable", 1, 503],
  [["POST", body("pay")], "hangs-at-once", 1, 504],
  [["PATCH", body("pay")], "unavailable", 1, 503],
  [["GET", NONE], "closes-in-head", 1, 502],
  [["GET", NONE], "garbage", 1, 502],
  [["GET", NONE], "two-answers", 1, 502],
];

const ALL = PROTOCOLS.flatMap((over) =>
  CASES.map(([request, fault, sent, status], index) => ({
    over,
    request,
    fault,
    sent,
    status,
    path: `/fault/${fault}/${index}${over === "h2" ? "-h2" : ""}`,
  })),
);

for (const { over, request, fault, sent, status, path } of ALL) {
  const [method, rest] = request;
  test(`${method} ${path} meets ${fault} and is sent ${sent} times`, async () => {
    const caller = await openCaller(stage.proxy, { over });
    caller.write(`${method} ${path} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n${rest}`);
    assert.ok(await caller.until(() => caller.closed));
    const answers = [...caller.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]);
    assert.deepEqual(answers, [String(status)]);
    const arrived = stage.rogue.arrived.filter((line) => line.includes(` ${path} `));
    assert.equal(arrived.length, sent);
    // A resent request is the same one, with its whole body or what of it came with the head.
    for (const line of arrived) assert.ok(line.startsWith(`${method} ${path} `), line);
    const ending = (await stage.endings([path])).get(path);
    assert.deepEqual(ending?.decisions, ["permit"]);
    assert.deepEqual(ending?.statuses, [status]);
  });
}

test("an answer that was begun is not asked for again", async () => {
  for (const fault of ["closes-in-body", "closes-in-chunks", "unavailable-and-cut"] as const) {
    const path = `/fault/${fault}/begun`;
    const caller = await RogueCaller.open(stage.proxy);
    caller.send(`POST ${path} HTTP/1.1\r\nHost: api.example\r\n${body("pay")}`);
    await caller.closed();
    assert.equal(stage.rogue.arrived.filter((line) => line.includes(path)).length, 1, fault);
  }
});

test("a request whose caller has left is not sent again", async () => {
  const path = "/fault/hangs-at-once/left";
  const caller = await RogueCaller.open(stage.proxy);
  caller.send(`GET ${path} HTTP/1.1\r\nHost: api.example\r\n\r\n`);
  while (!stage.rogue.arrived.some((line) => line.includes(path))) {
    await new Promise(setImmediate);
  }
  caller.leave("reset");
  const ending = (await stage.endings([path])).get(path);
  assert.deepEqual(ending?.ends, ["caller-gone"]);
  assert.equal(stage.rogue.arrived.filter((line) => line.includes(path)).length, 1);
});
