import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { type OtlpTarget, postOtlp } from "./otlp-http.ts";

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Received {
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function receiver(t: TestContext, answer: Answer) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { url, headers } = request;
      received.push({ url, headers, body: Buffer.concat(chunks) });
      response.writeHead(answer.status, answer.headers).end(answer.body ?? "{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const target: OtlpTarget = {
    url: `http://127.0.0.1:${port}/v1/logs`,
    headers: { "x-key": "k" },
    compression: "none",
    timeoutMs: 10_000,
  };
  return { received, target };
}

for (const compression of ["gzip", "none"] as const) {
  test(`postOtlp() sends JSON with compression ${compression}`, async (t) => {
    const { received, target } = await receiver(t, { status: 200 });
    const outcome = await postOtlp({ ...target, compression }, '{"a":"é"}', "rejectedLogRecords");
    assert.deepEqual(outcome, { kind: "accepted", rejected: 0, words: undefined });
    const [{ url, headers, body } = assert.fail()] = received;
    assert.equal(url, "/v1/logs");
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["x-key"], "k");
    const zipped = compression === "gzip";
    assert.equal(headers["content-encoding"], zipped ? "gzip" : undefined);
    assert.equal((zipped ? gunzipSync(body) : body).toString(), '{"a":"é"}');
  });
}

test("postOtlp() reads a partial success, whose count may be a text", async (t) => {
  for (const count of ["3", 3]) {
    const partialSuccess = { rejectedLogRecords: count, errorMessage: "too old" };
    const { target } = await receiver(t, { status: 200, body: JSON.stringify({ partialSuccess }) });
    const outcome = await postOtlp(target, "{}", "rejectedLogRecords");
    assert.deepEqual(outcome, { kind: "accepted", rejected: 3, words: "too old" });
  }
});

test("postOtlp() takes a success whose body is not JSON", async (t) => {
  const { target } = await receiver(t, { status: 200, body: "OK" });
  assert.equal((await postOtlp(target, "{}", "rejectedSpans")).kind, "accepted");
});

for (const status of [429, 502, 503, 504]) {
  test(`postOtlp() says of ${status} that it is to be sent again, and when`, async (t) => {
    const { target } = await receiver(t, { status, headers: { "retry-after": "7" } });
    const outcome = await postOtlp(target, "{}", "rejectedLogRecords");
    assert.deepEqual(outcome, { kind: "retry", why: `answered ${status}`, afterMs: 7000 });
  });
}

for (const status of [400, 401, 413, 500, 501]) {
  test(`postOtlp() says of ${status} that it is final`, async (t) => {
    const { target } = await receiver(t, { status });
    const outcome = await postOtlp(target, "{}", "rejectedLogRecords");
    assert.deepEqual(outcome, { kind: "refused", why: `answered ${status}`, status });
  });
}

test("postOtlp() takes for a moment's fault what fails on the way, and names no header", async () => {
  const outcome = await postOtlp(
    {
      url: "http://127.0.0.1:1/v1/logs",
      headers: { authorization: "Bearer hidden" },
      compression: "gzip",
      timeoutMs: 1000,
    },
    "{}",
    "rejectedLogRecords",
  );
  assert.equal(outcome.kind, "retry");
  assert.match(JSON.stringify(outcome), /ECONNREFUSED/);
  assert.doesNotMatch(JSON.stringify(outcome), /hidden/);
});
