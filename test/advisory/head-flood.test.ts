/**
 * Heads without end: thousands of fields, one endless field, an endless target, a head that never
 * comes to its empty line (Node's header-count floods, mended in 26.5.1 and 24.18.1). Each is
 * bounded, answered with its own status, and costs the next caller nothing.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { assertHarmless, statusesOf } from "../e2e/expect.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const stage = await startStage({ listener: "    limits: { headTimeout: 500ms }" });
after(() => stage.close());

const FLOODS: readonly [name: string, bytes: string, status: number][] = [
  [
    "5000 fields",
    requestBytes(
      "/open",
      Array.from({ length: 5000 }, (_, n) => `a${n}: b`),
    ),
    431,
  ],
  ["5000 fields of one name", requestBytes("/open", Array(5000).fill("a:b") as string[]), 431],
  ["one field of 1 MiB", requestBytes("/open", [`a: ${"b".repeat(1024 * 1024)}`]), 431],
  ["a name of 1 MiB", requestBytes("/open", [`${"a".repeat(1024 * 1024)}: b`]), 431],
  ["a target of 20 KiB", requestBytes(`/${"a".repeat(20 * 1024)}`), 414],
];

for (const [name, bytes, status] of FLOODS) {
  test(`the proxy answers a head with ${name} with ${status}`, async () => {
    const evidence = await stage.attack(bytes);
    assertHarmless(evidence);
    assert.deepEqual(statusesOf(evidence), [status]);
  });
}

test("a head that never ends is cut off by the clock", async () => {
  const evidence = await stage.attack("GET /open HTTP/1.1\r\nHost: api.example\r\nX-A: ", {
    unfinished: true,
  });
  assertHarmless(evidence);
  assert.deepEqual(statusesOf(evidence), [408]);
});
