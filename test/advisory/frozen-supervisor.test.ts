/**
 * The supervisor hangs (it is stopped, swapped out, or stuck): its socket stays open and nothing is
 * answered. Where workers wait for it without end, one hung process that serves nobody makes every
 * request of a limited route hang, and callers that give up and come again make the questions to it
 * pile up in memory. A worker that gets no answer goes on with its share of the rate, as it does when
 * the supervisor is gone.
 */
import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { ask, Home, startHeldService, startLife, stopAll, until } from "../e2e/life.ts";

const service = await startHeldService();
const home = new Home(service);
afterEach(stopAll);
after(() => {
  home.remove();
  service.close();
});

test("a supervisor that hangs keeps no request waiting, and lets none through beyond the rate", async () => {
  const edge = '- { name: edge, address: "127.0.0.1:0" }';
  const limit = ", limit: [{ requests: 10, per: 1h, by: address }]";
  home.write("workers: 2", edge, { route: limit });
  const life = await startLife(home);
  life.signal("SIGSTOP");
  const statuses = await Promise.all(
    Array.from({ length: 40 }, async () => (await ask(life.address("edge"))).status),
  );
  life.signal("SIGCONT");
  const good = statuses.filter((status) => status === 200).length;
  assert.ok(good >= 1 && good <= 10, `${good} of 10`);
  assert.equal(statuses.filter((status) => status === 429).length, 40 - good);
  await until("it is heard again", () => life.output().includes("the supervisor answers again"));
  life.signal("SIGTERM");
  assert.equal(await life.ended, "exit code 0");
});
