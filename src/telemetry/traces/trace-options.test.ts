import assert from "node:assert/strict";
import { test } from "node:test";
import { tracingSchema } from "./trace-options.ts";

const otlp = { endpoint: "https://collector.example.com:4318" };

function why(options: object): string {
  const result = tracingSchema.safeParse({ otlp, ...options });
  return result.error?.issues.map(({ message }) => message).join("; ") ?? "";
}

test("tracingSchema says what is left out", () => {
  const { sample, always, trustIncoming, perSecond, serviceName } = tracingSchema.parse({ otlp });
  assert.deepEqual(
    { sample, always, trustIncoming, perSecond, serviceName },
    {
      sample: 0.01,
      always: [],
      trustIncoming: false,
      perSecond: { incoming: 100, always: 100 },
      serviceName: "sallyport",
    },
  );
});

test("tracingSchema takes shares and percentages", () => {
  for (const [written, share] of [
    [0, 0],
    [1, 1],
    ["0%", 0],
    ["0.5%", 0.005],
    ["100%", 1],
  ] as const) {
    assert.equal(tracingSchema.parse({ otlp, sample: written }).sample, share);
  }
  for (const written of [-0.1, 1.1, "101%", "1", "%", "1 %", "1e1%", Number.NaN]) {
    assert.match(why({ sample: written }), /share from 0 to 1|Invalid input/);
  }
});

test("tracingSchema refuses to send in clear to another machine, unless told to", () => {
  const endpoint = "http://collector.example.com:4318";
  assert.match(why({ otlp: { endpoint } }), /https/);
  assert.equal(why({ otlp: { endpoint, insecureHttp: true } }), "");
  assert.equal(why({ otlp: { endpoint: "http://127.0.0.1:4318" } }), "");
  assert.equal(why({ otlp: { endpoint: "http://[::1]:4318/otlp/" } }), "");
});

for (const endpoint of [
  "collector:4318",
  "ftp://collector.example.com",
  "https://user:pass@collector.example.com",
  "https://collector.example.com/?key=secret",
  "https://collector.example.com/#a",
  "https://collector.example.com/v1/traces",
]) {
  test(`tracingSchema refuses the endpoint ${endpoint}`, () => {
    assert.notEqual(why({ otlp: { endpoint } }), "");
  });
}

test("tracingSchema refuses fields that break a request or are the exporter's", () => {
  for (const headers of [
    { "a b": "x" },
    { "": "x" },
    { "x-a": "one\r\ntwo" },
    { "Content-Type": "text/plain" },
    { host: "elsewhere" },
  ]) {
    assert.notEqual(why({ otlp: { ...otlp, headers } }), "", JSON.stringify(headers));
  }
  assert.equal(why({ otlp: { ...otlp, headers: { Authorization: "Bearer x" } } }), "");
});

test("tracingSchema refuses unknown keys, names and kinds", () => {
  assert.notEqual(why({ sampled: 1 }), "");
  assert.notEqual(why({ always: ["everything"] }), "");
  assert.notEqual(why({ trustIncoming: ["Not a name"] }), "");
  assert.notEqual(why({ resource: { "Not a name": "x" } }), "");
  assert.match(why({ resource: { "service.name": "x" } }), /serviceName/);
  assert.notEqual(why({ perSecond: { incoming: -1 } }), "");
});
