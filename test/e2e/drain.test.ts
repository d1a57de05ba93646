/** How the process ends: what is in flight may, what hangs may not, and the record is whole. */
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";
import {
  ask,
  type HeldService,
  Home,
  startHeldService,
  startLife,
  stopAll,
  until,
} from "./life.ts";

let service: HeldService;

before(async () => {
  service = await startHeldService();
});

after(() => {
  stopAll();
  service.close();
});

test("SIGTERM accepts no more, lets what is in flight end, and exits 0 with a whole record", async () => {
  const home = new Home(service);
  const life = await startLife(home);
  const edge = life.address("edge");
  const held = ask(edge, "/held");
  await until("it is held", () => service.held.length === 1);
  life.signal("SIGTERM");
  await until("nothing is accepted", async () => (await ask(edge)).status === 0);
  assert.equal((await life.ready()).status, 503);
  service.release();
  const { status, body, connection } = await held;
  assert.deepEqual(
    { status, body, connection },
    { status: 200, body: "at last", connection: "close" },
  );
  assert.equal(await life.ended, "exit code 0");
  assert.deepEqual(
    home.completions("/held").map((record) => record["status"]),
    [200],
  );
  home.remove();
});

test("what is in flight longer than shutdown.grace is cut off, and recorded so", async () => {
  const home = new Home(service);
  home.write("shutdown: { grace: 50ms }");
  const life = await startLife(home);
  const held = ask(life.address("edge"), "/held");
  await until("it is held", () => service.held.length === 1);
  life.signal("SIGTERM");
  assert.equal((await held).status, 0);
  assert.equal(await life.ended, "exit code 0");
  service.release();
  assert.equal(home.completions("/held").length, 1);
  home.remove();
});

test("a second signal ends at once", async () => {
  const home = new Home(service);
  home.write("shutdown: { grace: 1h, delay: 10m }");
  const life = await startLife(home);
  const held = ask(life.address("edge"), "/held");
  await until("it is held", () => service.held.length === 1);
  life.signal("SIGTERM");
  await until("it is told", () => life.output().includes('"stopping: no new requests'));
  life.signal("SIGTERM");
  assert.equal((await held).status, 0);
  assert.equal(await life.ended, "exit code 0");
  service.release();
  home.remove();
});

test("during shutdown.delay it is not ready, still accepts, and each answer is its connection's last", async () => {
  const home = new Home(service);
  home.write("shutdown: { delay: 10m }");
  const life = await startLife(home);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const edge = life.address("edge");
  assert.equal((await ask(edge, "/x", agent)).connection, "", "it is kept");
  life.signal("SIGTERM");
  await until("it is not ready", async () => (await life.ready()).status === 503);
  const { status, connection } = await ask(edge, "/x", agent);
  assert.deepEqual({ status, connection }, { status: 200, connection: "close" });
  assert.equal((await ask(edge)).status, 200, "a new connection");
  agent.destroy();
  life.signal("SIGINT");
  assert.equal(await life.ended, "exit code 0");
  home.remove();
});
