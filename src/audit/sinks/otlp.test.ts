import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
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
import { type OtlpLog, readOtlpLogs } from "../../../test/strict-otlp.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

function taken({ received }: Receiver): readonly OtlpLog[] {
  return received.flatMap(({ body }) => readOtlpLogs(gunzipSync(body).toString()).records);
}

test("an OTLP sink sends logs as OTLP says, the record as their body", async (t) => {
  const log = growingLog(t);
  const collector = await receiver(t);
  await runSinks(t, log.folder, [
    {
      name: "otel",
      type: "otlp",
      endpoint: `${collector.url}/`,
      headers: { "x-key": "k" },
      resource: { "deployment.environment.name": "test" },
      batch: { wait: "200ms" },
    },
  ]);
  const lines = [
    decisionLine(1, { trace: TRACE, determining: ["a", "b"], clientAddress: "198.51.100.9" }),
    completionLine(1),
    decisionLine(9, { trace: "0".repeat(32) }),
    completionLine(9, { status: 502, end: "upstream-unreachable", grpcStatus: 14 }),
    JSON.stringify({
      counts: [],
      from: "2026-11-24T04:05:06.123Z",
      time: "2026-11-24T04:05:16.123Z",
      type: "summary",
      v: 1,
    }),
    JSON.stringify({
      detail: "so",
      event: "torn-record",
      time: "2026-11-24T04:05:16.123Z",
      type: "event",
      v: 1,
    }),
  ];
  log.append(lines);
  await until(() => taken(collector).length === lines.length);
  const [{ url, headers, body } = assert.fail()] = collector.received;
  assert.equal(url, "/v1/logs");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["content-encoding"], "gzip");
  assert.equal(headers["x-key"], "k");
  assert.deepEqual(readOtlpLogs(gunzipSync(body).toString()).resource, {
    "service.name": "sallyport",
    "service.version": "1.2.3",
    "service.instance.id": "test",
    "deployment.environment.name": "test",
  });
  const records = taken(collector);
  assert.deepEqual(
    records.map((one) => one.body.stringValue),
    lines,
  );
  assert.deepEqual(
    records.map(({ severityText, severityNumber, eventName }) => [
      severityText,
      severityNumber,
      eventName,
    ]),
    [
      ["INFO", 9, "sallyport.decision"],
      ["INFO", 9, "sallyport.completion"],
      ["WARN", 13, "sallyport.decision"],
      ["ERROR", 17, "sallyport.completion"],
      ["INFO", 9, "sallyport.summary"],
      ["WARN", 13, "sallyport.event"],
    ],
  );
  assert.deepEqual(
    records.map(({ traceId }) => traceId),
    [TRACE, undefined, undefined, undefined, undefined, undefined],
  );
  const [decision, completion] = records;
  assert.equal(decision?.timeUnixNano, "1795493106123000000");
  assert.equal(decision?.attributes["log.record.uid"], `${SEGMENT}:0`);
  assert.equal(decision?.attributes["sallyport.principal"], "corp/payments");
  assert.equal(decision?.attributes["client.address"], "198.51.100.9");
  assert.equal(decision?.attributes["url.path"], "/things/1");
  assert.equal(completion?.attributes["http.response.status_code"], "200");
  assert.equal(completion?.attributes["sallyport.duration_ms"], 12.5);
});

test("an OTLP sink does not send again what a partial success leaves out, and tells of it", async (t) => {
  const log = growingLog(t);
  const collector = await receiver(t);
  collector.answer = (response) => {
    const partialSuccess = { rejectedLogRecords: "2", errorMessage: "too old" };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ partialSuccess }));
  };
  const sinks = await runSinks(t, log.folder, [
    { name: "otel", type: "otlp", endpoint: collector.url, batch: { wait: "200ms" } },
  ]);
  log.append([decisionLine(1), decisionLine(2), decisionLine(3)]);
  await until(() => sinks.metric('refused_records_total{sink="otel"}') === 2);
  assert.equal(sinks.metric('delivered_records_total{sink="otel"}'), 1);
  const said = sinks.said.find(({ event }) => /refused records/.test(event));
  assert.equal(said?.fields["why"], "too old");
  assert.equal(collector.received.length, 1);
});

for (const status of [429, 502, 503, 504, 401, 403, 404]) {
  test(`an OTLP sink sends again what was answered ${status}`, async (t) => {
    const log = growingLog(t);
    const collector = await receiver(t);
    collector.answer = (response, _request, number) => {
      response.writeHead(number === 1 ? status : 200).end();
    };
    await runSinks(t, log.folder, [
      { name: "otel", type: "otlp", endpoint: collector.url, batch: { wait: "0ms" } },
    ]);
    log.append([decisionLine(1)]);
    await until(() => collector.received.length === 2);
    const bodies = taken(collector).map(({ body }) => body.stringValue);
    assert.deepEqual(bodies, [decisionLine(1), decisionLine(1)]);
  });
}

for (const status of [400, 500]) {
  test(`an OTLP sink goes on behind what was answered ${status}`, async (t) => {
    const log = growingLog(t);
    const collector = await receiver(t);
    collector.answer = (response, { body }) => {
      const first = gunzipSync(body).toString().includes("d1");
      response.writeHead(first ? status : 200).end();
    };
    const sinks = await runSinks(t, log.folder, [
      { name: "otel", type: "otlp", endpoint: collector.url, batch: { wait: "0ms" } },
    ]);
    log.append([decisionLine(1)]);
    await until(() => sinks.metric('refused_records_total{sink="otel"}') === 1);
    log.append([decisionLine(2)]);
    await until(() => sinks.metric('delivered_records_total{sink="otel"}') === 1);
    assert.equal(collector.received.length, 2);
  });
}
