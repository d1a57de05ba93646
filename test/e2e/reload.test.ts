/**
 * Reloads from outside: nothing is lost under load, and what failed is seen wherever one looks.
 * SALLYPORT_RELOADS sets how many there are in a row.
 */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask, type HeldService, Home, type Life, startHeldService, startLife } from "./life.ts";
import { startLoad, stopAll, until } from "./life.ts";

let service: HeldService;
let home: Home;
let life: Life;

before(async () => {
  service = await startHeldService();
  home = new Home(service);
  life = await startLife(home);
});

after(async () => {
  life.signal("SIGTERM");
  await life.ended;
  stopAll();
  service.close();
  home.remove();
});

/** Each takes a third of a second of CPU on an idle machine: the thread that reads is made anew. */
const RELOADS = Number(process.env["SALLYPORT_RELOADS"] ?? "25");

const PERMIT = '@id("anybody") permit (principal, action, resource);';
const FORBID = `${PERMIT}\n@id("nobody") forbid (principal, action, resource);`;

const successes = (): Promise<number> => life.metric('sallyport_reloads_total{outcome="success"}');
const failures = (): Promise<number> => life.metric('sallyport_reloads_total{outcome="failure"}');

test("many reloads in a row lose no request under load", { timeout: 400_000 }, async () => {
  const load = startLoad(life.address("edge"), 4);
  for (let reload = 1; reload <= RELOADS; reload++) {
    // Another configuration each time: a route comes and goes.
    home.write(`# ${reload}`);
    life.signal("SIGHUP");
    await until(`reload ${reload}`, async () => (await successes()) >= reload);
  }
  await load.stop();
  assert.deepEqual([...load.seen.keys()], ["200"]);
  assert.ok(load.answered > 100);
  assert.equal(await failures(), 0);
  // Each request has its decision and its completion, whichever configuration it met.
  await until("the log is whole", () => home.completions("/x").length === load.answered);
  const ends = new Set(home.completions("/x").map(({ end }) => end));
  assert.deepEqual([...ends], ["complete"]);
});

test("a failed reload changes nothing and is in log, metrics and readiness; the next good one clears it", async () => {
  const first = await life.ready();
  home.policy("permit (");
  home.write("nonsense: true\nlimits: { failures: { burst: 0 } }");
  life.signal("SIGHUP");
  await until("the failure", async () => (await failures()) === 1);
  assert.equal((await ask(life.address("edge"))).status, 200);
  const { status, body } = await life.ready();
  assert.equal(status, 200, "it serves, so it is ready");
  assert.equal(body.config?.hash, first.body.config?.hash);
  assert.equal(body.config?.notReloaded?.why.length, 2);
  assert.match(body.config?.notReloaded?.why[0] ?? "", /sallyport\.yaml:\d+:\d+/);
  assert.equal(await life.metric("sallyport_config_last_reload_successful"), 0);
  const lines = life.output().split("\n");
  assert.equal(lines.filter((line) => line.includes('"a problem in the configuration"')).length, 2);
  assert.ok(lines.some((line) => line.includes('"not reloaded: the running configuration stays')));

  home.policy(FORBID);
  home.write();
  life.signal("SIGHUP");
  await until("the new policy", async () => (await ask(life.address("edge"))).status === 403);
  assert.equal((await life.ready()).body.config?.notReloaded, undefined);
  assert.equal(await life.metric("sallyport_config_last_reload_successful"), 1);
  const hash = (await life.ready()).body.config?.hash ?? "";
  assert.notEqual(hash, first.body.config?.hash);
  assert.equal(await life.metric(`sallyport_config_info{hash="${hash}"}`), 1);
  home.policy(PERMIT);
});

test("an empty or missing folder of policies is an error, never an empty set", async () => {
  for (const spoil of [
    () => rmSync(join(home.path, "policies", "all.cedar")),
    () => rmSync(join(home.path, "policies"), { recursive: true }),
  ]) {
    const failed = await failures();
    spoil();
    life.signal("SIGHUP");
    await until("the failure", async () => (await failures()) > failed);
  }
  mkdirSync(join(home.path, "policies"));
  home.policy(PERMIT);
});

test("watching takes what was switched at once, and nothing that does not validate", async () => {
  mkdirSync(join(home.path, "one"));
  writeFileSync(join(home.path, "one", "all.cedar"), PERMIT);
  mkdirSync(join(home.path, "two"));
  writeFileSync(join(home.path, "two", "all.cedar"), FORBID);
  mkdirSync(join(home.path, "broken"));
  writeFileSync(join(home.path, "broken", "all.cedar"), "permit (");
  rmSync(join(home.path, "policies"), { recursive: true });
  const point = (to: string): void => {
    symlinkSync(to, join(home.path, "next"));
    renameSync(join(home.path, "next"), join(home.path, "policies"));
  };
  point("one");
  home.write("reload: { watch: true }");
  const reloaded = await successes();
  life.signal("SIGHUP");
  await until("it watches", async () => (await successes()) > reloaded);
  point("two");
  await until("two is in force", async () => (await ask(life.address("edge"))).status === 403);
  const failed = await failures();
  point("broken");
  await until("broken is refused", async () => (await failures()) > failed);
  assert.equal((await ask(life.address("edge"))).status, 403);
  point("one");
  await until("one is in force", async () => (await ask(life.address("edge"))).status === 200);
});

test("listeners come, change their limits and go by reload; the connections of the others stay", async () => {
  const load = startLoad(life.address("edge"), 2);
  const edge = '- { name: edge, address: "127.0.0.1:0", limits: { targetBytes: 100B } }';
  const other = await freePort();
  home.write("", `${edge}\n  - { name: other, address: "127.0.0.1:${other}" }`);
  life.signal("SIGHUP");
  await until("the other one", async () => (await ask(`127.0.0.1:${other}`)).status === 200);
  assert.equal((await ask(life.address("edge"), `/${"x".repeat(100)}`)).status, 414);
  home.write("", edge);
  life.signal("SIGHUP");
  await until("it is gone", async () => (await ask(`127.0.0.1:${other}`)).status === 0);
  await load.stop();
  assert.deepEqual([...load.seen.keys()], ["200"]);
});

async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}
