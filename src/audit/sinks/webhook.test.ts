import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import {
  completionLine,
  decisionLine,
  growingLog,
  type Receiver,
  receiver,
  runSinks,
  SEGMENT,
  until,
} from "../../../test/sink-kit.ts";

const KEY = Buffer.alloc(32, 7);
const SECRET = `whsec_${KEY.toString("base64")}`;

/** What came in, in its order. */
function delivered({ received }: Receiver): { id: string; record: { decisionId: string } }[] {
  return received.flatMap(({ body, headers }) => {
    const text = body.toString();
    if (headers["content-type"] === "application/json") return JSON.parse(text) as [];
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { id: string; record: { decisionId: string } });
  });
}

for (const format of ["ndjson", "json"] as const) {
  test(`a webhook gets each record as written, with its place as id (${format})`, async (t) => {
    const log = growingLog(t);
    const hook = await receiver(t);
    await runSinks(t, log.folder, [
      { name: "hook", type: "webhook", url: `${hook.url}/in`, format, batch: { wait: "0ms" } },
    ]);
    const lines = [decisionLine(1, { path: "/é" }), completionLine(1), decisionLine(2)];
    log.append(lines);
    await until(() => delivered(hook).length === 3);
    const [{ url, headers, body } = assert.fail()] = hook.received;
    assert.equal(url, "/in");
    const type = format === "json" ? "application/json" : "application/x-ndjson";
    assert.equal(headers["content-type"], type);
    const first = lines[0] ?? "";
    assert.ok(body.toString().includes(`{"id":"${SEGMENT}:0","record":${first}}`));
    assert.deepEqual(
      delivered(hook).map(({ id }) => id),
      [0, Buffer.byteLength(first) + 1]
        .map((at) => `${SEGMENT}:${at}`)
        .concat(`${SEGMENT}:${Buffer.byteLength(lines.slice(0, 2).join("\n")) + 1}`),
    );
  });
}

test("a webhook with a secret is signed over id, time and body", async (t) => {
  const log = growingLog(t);
  const hook = await receiver(t);
  await runSinks(t, log.folder, [
    {
      name: "hook",
      type: "webhook",
      url: hook.url,
      secret: SECRET,
      headers: { "x-team": "audit" },
      batch: { wait: "0ms" },
    },
  ]);
  log.append([decisionLine(1, { path: "/é" })]);
  await until(() => hook.received.length === 1);
  const [{ headers, body } = assert.fail()] = hook.received;
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 60);
  const mac = createHmac("sha256", KEY)
    .update(Buffer.concat([Buffer.from(`${String(id)}.${String(timestamp)}.`), body]))
    .digest("base64");
  assert.equal(headers["webhook-signature"], `v1,${mac}`);
  assert.equal(headers["x-team"], "audit");
});

test("a webhook without a secret is not signed", async (t) => {
  const log = growingLog(t);
  const hook = await receiver(t);
  await runSinks(t, log.folder, [
    { name: "hook", type: "webhook", url: hook.url, batch: { wait: "0ms" } },
  ]);
  log.append([decisionLine(1)]);
  await until(() => hook.received.length === 1);
  assert.equal(hook.received[0]?.headers["webhook-signature"], undefined);
});

test("a batch that is sent again has the same id, and a receiver is not asked before it wants to be", async (t) => {
  const log = growingLog(t);
  const hook = await receiver(t);
  const times: number[] = [];
  hook.answer = (response, _request, number) => {
    times.push(performance.now());
    if (number === 1) response.writeHead(503, { "retry-after": "2" }).end();
    else response.writeHead(204).end();
  };
  await runSinks(t, log.folder, [
    { name: "hook", type: "webhook", url: hook.url, batch: { wait: "0ms" } },
  ]);
  log.append([decisionLine(1)]);
  await until(() => hook.received.length === 2);
  const [first, second] = hook.received;
  assert.equal(first?.headers["webhook-id"], second?.headers["webhook-id"]);
  assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 1990);
});

test("records are sent in smaller batches where they are too many, and one that is not taken is skipped and told", async (t) => {
  const log = growingLog(t);
  const hook = await receiver(t);
  hook.answer = (response, { body }) => {
    const many = body.toString().trim().split("\n").length > 2;
    if (many) return response.writeHead(413).end();
    return response.writeHead(body.includes('"d3"') ? 422 : 200).end();
  };
  const sinks = await runSinks(t, log.folder, [
    { name: "hook", type: "webhook", url: hook.url, batch: { wait: "100ms" } },
  ]);
  log.append(Array.from({ length: 9 }, (_, index) => decisionLine(index)));
  await until(() => sinks.metric('delivered_records_total{sink="hook"}') === 8);
  assert.equal(sinks.metric('refused_records_total{sink="hook"}'), 1);
  sinks.consumer.tick?.(0);
  const [event] = sinks.events;
  assert.equal(event?.event, "sink-skipped");
  assert.deepEqual(event?.figures, { refusedRecords: 1, sink: "hook", skippedBytes: 0 });
  assert.ok(sinks.said.some(({ event: said }) => /refused records for good/.test(said)));
});

test("only and decisions say what a sink gets", async (t) => {
  const log = growingLog(t);
  const hook = await receiver(t);
  await runSinks(t, log.folder, [
    {
      name: "hook",
      type: "webhook",
      url: hook.url,
      only: ["decision"],
      decisions: ["deny"],
      batch: { wait: "0ms" },
    },
  ]);
  log.append(
    Array.from({ length: 30 }, (_, index) => [decisionLine(index), completionLine(index)]).flat(),
  );
  await until(() => delivered(hook).length === 3);
  assert.deepEqual(
    delivered(hook).map(({ record }) => record.decisionId),
    ["d9", "d19", "d29"],
  );
});
