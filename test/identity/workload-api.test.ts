/** The SPIFFE Workload API from end to end: the proxy's own identity to callers and to services. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkloadStage } from "./workload-stage.ts";

test("a caller and a service know the proxy by the SVID of its agent", async () => {
  await using stage = await new WorkloadStage().start();
  const answer = await stage.ask();
  assert.equal(answer.status, 200);
  assert.equal(answer.body, "billed");
  assert.deepEqual(stage.seen, ["spiffe://example.org/proxy"]);
  const { status, body } = await stage.ready();
  assert.equal(status, 200);
  assert.match(body, /svid current: spiffe:\/\/example\.org\/proxy until /);
});

test("a service with another SPIFFE ID of the trust domain gets no byte", async () => {
  await using stage = await new WorkloadStage("/other").start();
  const answer = await stage.ask();
  assert.equal(answer.status, 502);
  assert.match(answer.body, /"upstream-tls"/);
  assert.deepEqual(stage.seen, []);
  assert.match(
    stage.log,
    /the service is not who it has to be: it is spiffe:\/\/example\.org\/other/,
  );
});

test("a listener without an identity closes connections, and readiness says why, until the agent is there", async () => {
  await using stage = await new WorkloadStage().start({ agent: false });
  const before = await stage.ready();
  assert.equal(before.status, 503);
  assert.match(before.body, /mesh: it has no certificate/);
  assert.match(before.body, /svid none: the agent cannot be reached \(.*ENOENT/);
  await assert.rejects(stage.ask());
  await stage.agent.start();
  await stage.until("ready", async () => (await stage.ready()).status === 200);
  assert.equal((await stage.ask()).status, 200);
});
