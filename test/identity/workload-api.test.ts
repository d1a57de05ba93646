/** The SPIFFE Workload API from end to end: the proxy's own identity to callers and to services. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { parseCertificate } from "../../src/crypto/certificate.ts";
import { TestTrustDomain } from "../workload-api.ts";
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
  const said = "the service is not who it has to be: it is spiffe://example.org/other";
  await stage.until("the log says it", () => stage.log.includes(said));
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

test("the SVID is renewed in the middle of load: no request is lost, no connection is dropped", async () => {
  await using stage = await new WorkloadStage().start();
  const kept = await stage.connect();
  const stop = new AbortController();
  const answers: { readonly status: number; readonly shown: string }[] = [];
  const failures: unknown[] = [];
  /** Each over a connection of its own, so that there is always a handshake under way. */
  const load = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      // POST is never sent again, so whatever goes wrong shows.
      await stage.ask("/x", { method: "POST" }).then(
        (answer) => answers.push(answer),
        (error: unknown) => failures.push(error),
      );
      // Callers that never pause would leave a busy machine nothing for what is tested.
      await pause(10);
    }
  };
  const loads = Array.from({ length: 4 }, load);
  for (let round = 0; round < 5; round++) {
    const { message } = stage.serve();
    const serial = parseCertificate(message.certificates).serial;
    await stage.until("renewed", () =>
      answers.some(({ shown }) => shown.toLowerCase().replace(/^0+/, "") === serial),
    );
    // The connection that was open goes on.
    assert.match(await kept.ask(), /^HTTP\/1\.1 200 /);
  }
  stop.abort();
  await Promise.all(loads);
  kept.end();
  assert.deepEqual(failures, []);
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.ok(new Set(answers.map(({ shown }) => shown)).size >= 5);
});

test("an agent that restarts is noticed and said, and the SVID from before serves meanwhile", async () => {
  await using stage = await new WorkloadStage().start();
  stage.agent.stop();
  await stage.until("noticed", async () =>
    /svid not current \(.*\): spiffe:/.test((await stage.ready()).body),
  );
  const { status } = await stage.ready();
  assert.equal(status, 200);
  assert.equal((await stage.ask()).status, 200);
  assert.match(await stage.metrics(), /sallyport_workload_api_current\{part="svid"\} 0/);
  stage.serve();
  await stage.agent.start();
  await stage.until("current", async () =>
    /"status":"ready"[^]*svid current/.test((await stage.ready()).body),
  );
  assert.match(await stage.metrics(), /sallyport_workload_api_current\{part="svid"\} 1/);
});

test("without an agent the SVID serves until it expires, and then nobody is served", async () => {
  await using stage = await new WorkloadStage().start();
  stage.serve({ notAfterMs: Date.now() + 5000 });
  await stage.until("renewed", () => stage.log.split("an X.509-SVID is in force").length > 2);
  stage.agent.stop();
  assert.equal((await stage.ask()).status, 200);
  await stage.until("expired", async () => (await stage.ready()).status === 503);
  assert.match((await stage.ready()).body, /mesh: it has no certificate/);
  await assert.rejects(stage.ask());
  assert.match(stage.log, /our X\.509-SVID has expired, and no other has come/);
  await stage.until("logged", () => stage.log.includes("NO_CERTIFICATE"));
});

test("each worker hears the agent by a stream of its own", async () => {
  await using stage = await new WorkloadStage().start({ config: "workers: 2" });
  await stage.until("ready", async () => (await stage.ready()).status === 200);
  assert.equal(stage.agent.opened.svid, 2);
  assert.equal((await stage.ask()).status, 200);
  const { message } = stage.serve();
  const { serial } = parseCertificate(message.certificates);
  await stage.until("renewed in both", async () => {
    const shown: string[] = [];
    for (let count = 0; count < 12; count++) shown.push((await stage.ask()).shown);
    return shown.every((one) => one.toLowerCase().replace(/^0+/, "") === serial);
  });
});

test("an authority that is replaced is trusted while both stand in the bundle, and no more when it has gone", async () => {
  await using stage = await new WorkloadStage().start();
  const [before] = stage.domain.authorities;
  stage.domain.rotate();
  stage.serve();
  stage.caller = stage.domain.issue("/caller");
  // The service still shows what the former authority issued.
  await stage.until("trusted", async () => (await stage.ask()).status === 200);
  stage.domain.authorities = stage.domain.authorities.filter((one) => one !== before);
  stage.serve();
  await stage.until("refused", async () => (await stage.ask()).status === 502);
  assert.match(stage.log, /TLS to a service failed/);
});

test("callers are known by SVIDs of either kind, by the bundles of the agent", async () => {
  await using stage = await new WorkloadStage().start();
  assert.equal((await stage.ask()).status, 200);
  const token = stage.domain.issueToken("/caller", "billing");
  assert.equal((await stage.ask("/tokens/x", { token })).status, 200);
  const stranger = new TestTrustDomain("example.org").issueToken("/caller", "billing");
  const refused = await stage.ask("/tokens/x", { token: stranger });
  assert.equal(refused.status, 401);
  assert.match(refused.body, /"invalid-signature"/);
  // The domain that signs certificates is replaced; who shows one of before is nobody any more.
  const kept = await stage.connect();
  assert.match(await kept.ask(), /^HTTP\/1\.1 200 /);
  stage.agent.serveBundles([new TestTrustDomain("partner.example")]);
  await stage.until("refused", async () => (await stage.ask()).status !== 200);
  assert.match(await kept.ask(), /^HTTP\/1\.1 [45]/);
  kept.end();
});
