/** Two proxies, one of them with two workers, that know of each other's used proofs through a real Redis. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../e2e/life.ts";
import { createTestIssuer } from "../e2e/test-issuer.ts";
import { startRedis, whyNoRedis } from "../redis.ts";
import { boundCaller, nonceOf, said, startGround } from "./bound-ground.ts";

const SLOW = { timeout: 180_000, skip: whyNoRedis() };

/** Callers at once, at each proxy. */
const CALLERS = 12;

test("a proof that was used at one proxy is used at all of them", SLOW, async (t) => {
  const issuer = createTestIssuer();
  const redis = await startRedis(t);
  const shared = `shared: { redis: "${redis.url}", timeout: 5s }`;
  const [one, two] = await Promise.all([
    startGround(t, { issuer, config: `${shared}\nworkers: 2\ndpop: { nonce: required }` }),
    startGround(t, { issuer, config: `${shared}\ndpop: { nonce: required }` }),
  ]);
  const { token, proof } = boundCaller(issuer);
  const nonce = nonceOf(await one.ask({ token, proof: proof() }));
  assert.equal(nonceOf(await two.ask({ token, proof: proof() })), nonce, "one nonce for all");
  for (let round = 0; round < 3; round++) {
    const sent = proof({ nonce });
    const asked = Array.from({ length: CALLERS }, () =>
      [one, two].map((ground) => ground.ask({ token, proof: sent })),
    );
    const answers = (await Promise.all(asked.flat())).map(said);
    assert.equal(answers.filter((answer) => answer === "200").length, 1);
    const replayed = answers.filter((answer) => answer === "401 replayed-proof");
    assert.equal(replayed.length, 2 * CALLERS - 1);
  }

  const used = proof({ nonce });
  assert.equal(said(await one.ask({ token, proof: used })), "200");
  await redis.kill();
  for (const ground of [one, two]) {
    await until("it is refused", async () => {
      const answer = await ground.ask({ token, proof: proof({ nonce }) });
      return said(answer) === "503 memory-unavailable";
    });
    const free = issuer.token();
    assert.equal(said(await ground.ask({ token: free, scheme: "Bearer" })), "200", "tokens alone");
  }
  await redis.start();
  for (const ground of [one, two]) {
    await until("it is there again", async () => {
      const first = await ground.ask({ token, proof: proof({ nonce }) });
      const next = nonceOf(first) ?? nonce;
      return said(await ground.ask({ token, proof: proof({ nonce: next }) })) === "200";
    });
    // The server has forgotten it; the proxies know that it has.
    const again = said(await ground.ask({ token, proof: used }));
    assert.match(again, /^401 (?:stale-proof|use-dpop-nonce|replayed-proof)$/);
  }
  await until("the log says it", () => /Redis was started anew/.test(one.log()));
});

test("the password of Redis is in no log, and not in what operators see", SLOW, async (t) => {
  const issuer = createTestIssuer();
  const config = 'shared: { redis: "redis://user:canary-password@127.0.0.1:1/0" }';
  const ground = await startGround(t, { issuer, config });
  const { token, proof } = boundCaller(issuer);
  assert.equal(said(await ground.ask({ token, proof: proof() })), "503 memory-unavailable");
  await until("the log says it", () => /Redis cannot be reached/.test(ground.log()));
  await until("it is on record", () => ground.records().length > 0);
  const metrics = await (await fetch(`http://${ground.admin}/metrics`)).text();
  const all = ground.log() + metrics + JSON.stringify(ground.records());
  assert.ok(!all.includes("canary"));
});
