import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { formatGrpcTimeout, grpcTimeout } from "./timeout.ts";

test("grpcTimeout() reads each unit", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["10S", 10_000],
    ["250m", 250],
    ["1500u", 1.5],
    ["99999999n", 99.999999],
    ["0n", 0],
    ["00000001S", 1000],
  ];
  for (const [text, milliseconds] of cases) {
    const read = grpcTimeout(["te", "trailers", "grpc-timeout", text]);
    assert.ok(read !== null && Math.abs(read - milliseconds) < 1e-9, text);
  }
  assert.equal(grpcTimeout(["te", "trailers"]), Number.POSITIVE_INFINITY);
});

test("grpcTimeout() refuses what the grammar does not have", () => {
  for (const text of [
    "",
    "S",
    "1",
    "-1S",
    "+1S",
    "1.5S",
    "1e3m",
    "1s",
    "1h",
    "1 S",
    " 1S",
    "1S ",
    "1ms",
    "123456789n",
    "0x1S",
    "\u0661S",
    "1S,2S",
  ]) {
    assert.equal(grpcTimeout(["grpc-timeout", text]), null, text);
  }
});

test("grpcTimeout() refuses two of them, also where they agree", () => {
  assert.equal(grpcTimeout(["grpc-timeout", "1S", "grpc-timeout", "1S"]), null);
  assert.equal(grpcTimeout(["grpc-timeout", "1S", "grpc-timeout", "x"]), null);
});

test("formatGrpcTimeout() writes what is read back as no more, and hardly less", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 3.5e14, noNaN: true }), (milliseconds) => {
      const text = formatGrpcTimeout(milliseconds);
      const read = grpcTimeout(["grpc-timeout", text]);
      assert.ok(read !== null, text);
      assert.ok(read <= milliseconds * (1 + 1e-12), `${text} is more than ${milliseconds}`);
      // Eight digits: the worst is a value just beyond what a unit holds.
      assert.ok(read >= milliseconds * (1 - 1e-3) - 0.001, `${text} is less than ${milliseconds}`);
    }),
  );
});
