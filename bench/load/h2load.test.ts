import assert from "node:assert/strict";
import { test } from "node:test";
import { parseH2Load } from "./h2load.ts";

const OUTPUT = `starting benchmark...
progress: 100% done

finished in 2.50s, 25536.26 req/s, 1.70MB/s
requests: 7 total, 7 started, 6 done, 4 succeeded, 3 failed, 1 errored, 0 timeout
status codes: 4 2xx, 0 3xx, 2 4xx, 0 5xx
`;
const LOG = "1\t200\t400\n2\t200\t100\n3\t401\t9\n4\t200\t200\n5\t-1\t9\n6\t200\t300\n";

test("parseH2Load() counts good answers, and what was refused or broken as errors", () => {
  assert.deepEqual(parseH2Load(OUTPUT, LOG), {
    requests: 4,
    seconds: 2.5,
    p50Us: 300,
    p99Us: 400,
    errors: 3,
  });
});

test("parseH2Load() reads a run of milliseconds", () => {
  assert.equal(parseH2Load(OUTPUT.replace("2.50s", "783.5ms"), LOG).seconds, 0.7835);
});

test("parseH2Load() throws when something was not reported, rather than counting it as none", () => {
  assert.throws(() => parseH2Load("", LOG));
  assert.throws(() => parseH2Load(OUTPUT.replace(/^status.*$/m, ""), LOG));
  assert.throws(() => parseH2Load(OUTPUT, "1\t200\t400\n"), /has 1 of 4/);
});
