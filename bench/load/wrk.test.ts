import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLoadResult } from "./wrk.ts";

const OUTPUT = `Running 2s test @ http://127.0.0.1:41371
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.19ms  210.00us   7.10ms   91.20%
  58462 requests in 2.00s, 15.61MB read
Requests/sec:  29211.11
sallyport-bench {"requests":58462,"durationUs":2001350,"p50Us":2150,"p99Us":2980,"status":1,"connect":2,"read":3,"write":4,"timeout":5}
`;

test("parseLoadResult() takes the script's line and sums every kind of error", () => {
  assert.deepEqual(parseLoadResult(OUTPUT), {
    requests: 58462,
    seconds: 2.00135,
    p50Us: 2150,
    p99Us: 2980,
    errors: 15,
  });
});

test("parseLoadResult() throws when the script did not report", () => {
  assert.throws(() => parseLoadResult("Running 2s test\nRequests/sec: 3\n"), /did not report/);
});

test("parseLoadResult() throws when a figure is absent, rather than counting it as none", () => {
  assert.throws(() => parseLoadResult(OUTPUT.replace('"status":1,', "")), TypeError);
});
