import assert from "node:assert/strict";
import { test } from "node:test";
import { otlpAttributes, otlpResource, unixNano } from "./otlp.ts";

test("otlpAttributes() writes each kind as protobuf's JSON does, and leaves out what is absent", () => {
  assert.deepEqual(
    otlpAttributes({
      text: "a",
      whole: 200,
      large: Number.MAX_SAFE_INTEGER,
      part: 1.5,
      huge: 1e300,
      never: Number.NaN,
      yes: true,
      list: ["a", "b"],
      absent: undefined,
    }),
    [
      { key: "text", value: { stringValue: "a" } },
      { key: "whole", value: { intValue: "200" } },
      { key: "large", value: { intValue: "9007199254740991" } },
      { key: "part", value: { doubleValue: 1.5 } },
      { key: "huge", value: { doubleValue: 1e300 } },
      { key: "never", value: { stringValue: "NaN" } },
      { key: "yes", value: { boolValue: true } },
      {
        key: "list",
        value: { arrayValue: { values: [{ stringValue: "a" }, { stringValue: "b" }] } },
      },
    ],
  );
});

test("unixNano() writes milliseconds as a decimal text of nanoseconds", () => {
  assert.equal(unixNano(1_795_496_706_123), "1795496706123000000");
  assert.equal(unixNano(1_795_496_706_123.5), "1795496706123500000");
  assert.equal(unixNano(1.9999999), "2000000");
});

test("otlpResource() names the service, and lets the configuration add and set", () => {
  const { attributes } = otlpResource({
    version: "1.2.3",
    instance: "a",
    attributes: { "service.name": "edge", "deployment.environment.name": "prod" },
  });
  assert.deepEqual(
    attributes.map(({ key, value }) => [key, Object.values(value)[0] as unknown]),
    [
      ["service.name", "edge"],
      ["service.version", "1.2.3"],
      ["service.instance.id", "a"],
      ["deployment.environment.name", "prod"],
    ],
  );
});
