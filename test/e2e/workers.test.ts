/** Several processes behind one address: what each of their deaths costs, and what they share. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { Agent } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { ask, type HeldService, Home, type Life, startHeldService, startLife } from "./life.ts";
import { linesOf, verified } from "../kept-log.ts";
import { startLoad, stopAll, until, workerPids } from "./life.ts";

let service: HeldService;
let home: Home;

before(async () => {
  service = await startHeldService();
});

beforeEach(() => {
  home = new Home(service);
  home.write("workers: 2");
});

afterEach(() => {
  stopAll();
  home.remove();
});

after(() => service.close());

const SLOW = { timeout: 300_000 };
const REQUESTS =
  'sallyport_requests_total{route="all",decision="permit",reason="permitted",status="200"}';

async function ended(life: Life): Promise<void> {
  life.signal("SIGTERM");
  assert.equal(await life.ended, "exit code 0");
}

test(
  "a worker that dies under load loses only what it had in flight, and another takes its place",
  SLOW,
  async () => {
    // What was answered must be on record: strict, since a batch of 20 ms dies with its process.
    home.write("workers: 2", undefined, { durability: "strict" });
    const life = await startLife(home);
    const [victim = 0] = workerPids(life.output());
    const load = startLoad(life.address("edge"), 6, false);
    await until("some load", () => load.answered > 50);
    const counted = await life.metric(REQUESTS);
    process.kill(victim, "SIGKILL");
    await until("three have served", () => workerPids(life.output()).length === 3);
    const answered = load.answered;
    await until("more load", () => load.answered > answered + 50);
    await load.stop();
    const lost = load.answered - (load.seen.get("200") ?? 0);
    assert.ok(lost <= 6, `of six callers at most six requests, not ${lost}`);
    assert.ok((await life.metric(REQUESTS)) >= counted, "counters do not go back");
    assert.equal(await life.metric('sallyport_worker_restarts_total{worker="1"}'), 1);
    assert.equal((await life.ready()).body.checks["workers"], "2 of 2 ready");
    await ended(life);
    const decided = home.records().filter(({ type, path }) => type === "decision" && path === "/x");
    const good = load.seen.get("200") ?? 0;
    assert.ok(decided.length >= good, `${decided.length} decisions of ${good} answers`);
    assert.ok(decided.length <= load.answered, "no decision without a request");
  },
);

test(
  "what four workers and the supervisor record is one tree, also after one of them was killed",
  SLOW,
  async () => {
    home.write("workers: 4", undefined, { durability: "batched, checkpoints: { every: 100ms }" });
    const life = await startLife(home);
    const [victim = 0] = workerPids(life.output());
    const load = startLoad(life.address("edge"), 8, false);
    await until("some load", () => load.answered > 200);
    process.kill(victim, "SIGKILL");
    await until("another has come", () => workerPids(life.output()).length === 5);
    const { answered } = load;
    await until("more load", () => load.answered > answered + 200);
    await load.stop();
    assert.equal(await life.metric('sallyport_audit_keeper{state="running"}'), 1);
    await ended(life);
    const folder = join(home.path, "audit");
    const { faults, records } = await verified(folder);
    assert.deepEqual(faults, []);
    assert.equal(records, linesOf(folder).length);
    assert.ok(records >= 2 * (load.seen.get("200") ?? 0) - 100, "few die with their worker");
    assert.ok(home.auditWriters() >= 4);
  },
);

test(
  "a supervisor that is killed leaves its workers serving, and the next one takes them over",
  SLOW,
  async () => {
    const first = await startLife(home);
    const edge = first.address("edge");
    const pids = workerPids(first.output());
    const load = startLoad(edge, 4, false);
    await until("some load", () => load.answered > 20);
    first.signal("SIGKILL");
    await first.ended;
    const without = load.answered;
    await until("load without a supervisor", () => load.answered > without + 50);
    // What is written meanwhile is what the next one puts in force.
    home.write("workers: 2\n# changed");
    const second = await startLife(home);
    assert.equal(second.address("edge"), edge);
    assert.deepEqual(new Set(workerPids(second.output())), new Set(pids));
    const taken = load.answered;
    await until("load with the next one", () => load.answered > taken + 50);
    await load.stop();
    assert.deepEqual([...load.seen.keys()], ["200"]);
    await ended(second);
  },
);

test(
  "metrics and records are those of all workers, and a second supervisor does not start",
  SLOW,
  async () => {
    const life = await startLife(home);
    const edge = life.address("edge");
    const sallyport = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
    const second = spawnSync(sallyport, ["run"], { cwd: home.path, encoding: "utf8" });
    assert.equal(second.status, 2);
    assert.match(second.stderr, /another sallyport run is there/);
    for (let request = 0; request < 60; request++) assert.equal((await ask(edge)).status, 200);
    assert.equal(await life.metric(REQUESTS), 60);
    assert.equal(await life.metric("sallyport_workers"), 2);
    await ended(life);
    const decisions = home.records().filter(({ type }) => type === "decision");
    // Ids are not repeated.
    assert.equal(new Set(decisions.map(({ decisionId }) => decisionId)).size, 60);
    assert.equal(home.auditWriters(), 2);
  },
);

test("a reload reaches every worker, or none", SLOW, async () => {
  const life = await startLife(home);
  const edge = life.address("edge");
  const load = startLoad(edge, 4, false);
  const good = 'sallyport_reloads_total{outcome="success"}';
  for (let reload = 1; reload <= 3; reload++) {
    home.write(`workers: 2\n# ${reload}`);
    life.signal("SIGHUP");
    await until(`reload ${reload}`, async () => (await life.metric(good)) === reload);
  }
  home.write("workers: 3");
  life.signal("SIGHUP");
  const bad = 'sallyport_reloads_total{outcome="failure"}';
  await until("it is refused", async () => (await life.metric(bad)) === 1);
  assert.match((await life.ready()).body.config?.notReloaded?.why[0] ?? "", /workers changed/);
  await load.stop();
  assert.deepEqual([...load.seen.keys()], ["200"]);
  home.write("workers: 2");
  home.policy('@id("nobody") forbid (principal, action, resource);');
  life.signal("SIGHUP");
  await until("the last one", async () => (await life.metric(good)) === 4);
  for (let request = 0; request < 20; request++) assert.equal((await ask(edge)).status, 403);
  await ended(life);
});

test("SIGTERM lets every worker end what it has in flight", SLOW, async () => {
  const life = await startLife(home);
  const edge = life.address("edge");
  const held = Array.from({ length: 8 }, () => ask(edge, "/held"));
  await until("they are held", () => service.held.length === 8);
  life.signal("SIGTERM");
  await until("nothing is accepted", async () => (await ask(edge)).status === 0);
  assert.equal((await life.ready()).status, 503);
  service.release();
  assert.deepEqual(new Set((await Promise.all(held)).map(({ status }) => status)), new Set([200]));
  assert.equal(await life.ended, "exit code 0");
  assert.equal(home.completions("/held").length, 8);
});

for (const workers of [1, 4]) {
  test(
    `workers: ${workers} lets exactly its rate through, over one connection and over many`,
    SLOW,
    async () => {
      const edge = '- { name: edge, address: "127.0.0.1:0" }';
      const limit = ", limit: [{ requests: 100, per: 1h, by: address }]";
      const another = `{ name: many, path: "/many", service: one, authenticate: [anonymous]${limit} }`;
      home.write(`workers: ${workers}`, edge, { route: `${limit} }, ${another.slice(0, -2)}` });
      const life = await startLife(home);
      for (const [path, maxSockets] of [
        ["/x", 1],
        ["/many", 8],
      ] as const) {
        const agent = new Agent({ keepAlive: maxSockets === 1, maxSockets });
        const seen = new Map<number, number>();
        const some = async (): Promise<void> => {
          const asked = Array.from({ length: 40 }, () => ask(life.address("edge"), path, agent));
          for (const { status } of await Promise.all(asked)) {
            seen.set(status, (seen.get(status) ?? 0) + 1);
          }
        };
        await until("all of it", async () => {
          await some();
          return (seen.get(200) ?? 0) >= 100;
        });
        await some();
        agent.destroy();
        assert.equal(seen.get(200), 100, path);
        assert.deepEqual(new Set(seen.keys()), new Set([200, 429]), path);
      }
      await ended(life);
    },
  );
}
