/**
 * Policies that fail their tests, from outside: a start is refused, a reload is refused and what was in
 * force stays, and only who says so loudly runs them all the same.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask, type HeldService, Home, type Life, startHeldService, startLife } from "./life.ts";
import { stopAll, until } from "./life.ts";

let service: HeldService;
let home: Home;
const lives: Life[] = [];

before(async () => {
  service = await startHeldService();
  home = new Home(service);
  mkdirSync(join(home.path, "tests"));
});

after(async () => {
  for (const life of lives) {
    life.signal("SIGTERM");
    await life.ended;
  }
  stopAll();
  service.close();
  home.remove();
});

const PERMIT = '@id("anybody") permit (principal, action, resource);';
const FORBID = `${PERMIT}\n@id("nobody") forbid (principal, action, resource);`;

async function start(): Promise<Life> {
  const life = await startLife(home);
  lives.push(life);
  return life;
}

function expectation(expect: string): void {
  const text = `cases:\n  - { name: anybody may, principal: Anonymous, request: { path: / }, expect: ${expect} }\n`;
  writeFileSync(join(home.path, "tests", "all.yaml"), text);
}

function configuration({ workers = 1, ignore = false } = {}): void {
  const flag = ignore ? ", insecureIgnoreFailingTests: true" : "";
  const extra = `workers: ${workers}\nsupervisor: { folder: run }`;
  home.write(extra, undefined, { policies: `, tests: [tests]${flag}` });
}

void test("run refuses policies that fail a test, and names it", async () => {
  expectation("deny");
  configuration();
  await assert.rejects(start(), (error: Error) => {
    assert.match(error.message, /^exit code 2/);
    assert.match(
      error.message,
      /tests\/all\.yaml:2:7 {2}the test "anybody may" fails: expected deny/,
    );
    return true;
  });
});

void test("run refuses test files that cannot be read as such", async () => {
  expectation("allow");
  await assert.rejects(start(), /tests\/all\.yaml:2:\d+ {2}"expect" cannot be "allow"/);
});

for (const workers of [1, 2]) {
  void test(`a reload is refused where a test fails, and what was in force stays (workers: ${workers})`, async () => {
    expectation("permit");
    configuration({ workers });
    const life = await start();
    assert.equal((await ask(life.address("edge"))).status, 200);

    home.policy(FORBID);
    life.signal("SIGHUP");
    const failures = 'sallyport_reloads_total{outcome="failure"}';
    await until("the failure", async () => (await life.metric(failures)) === 1);
    assert.equal((await ask(life.address("edge"))).status, 200);
    const { body } = await life.ready();
    assert.match(body.config?.notReloaded?.why[0] ?? "", /the test "anybody may" fails/);
    assert.equal(await life.metric("sallyport_config_last_reload_successful"), 0);
    assert.equal(await life.metric("sallyport_policy_tests_failing"), 0);

    // The same policies with a test that wants them.
    expectation("deny");
    life.signal("SIGHUP");
    await until("the new policies", async () => (await ask(life.address("edge"))).status === 403);
    // One worker serves by them before all do, which is when it is said.
    await until("it is said", async () => {
      return (await life.ready()).body.config?.notReloaded === undefined;
    });
    home.policy(PERMIT);
  });
}

void test("what ignores failing tests runs, and says so in log, metrics and readiness", async () => {
  expectation("deny");
  configuration({ ignore: true });
  const life = await start();
  assert.equal((await ask(life.address("edge"))).status, 200);
  assert.equal(await life.metric("sallyport_policy_tests_failing"), 1);
  assert.equal((await life.ready()).body.config?.failingTests, 1);
  const lines = life.output().split("\n");
  const logged = (level: string, text: string): boolean =>
    lines.some((line) => line.includes(`"${level}"`) && line.includes(text));
  assert.ok(logged("error", "policies are in force though their tests fail"));
  assert.ok(logged("error", "a failing policy test is ignored"));
  assert.ok(logged("warn", "policies are put in force though their tests fail"));

  expectation("permit");
  configuration();
  life.signal("SIGHUP");
  await until(
    "the end of it",
    async () => (await life.ready()).body.config?.failingTests === undefined,
  );
  assert.equal(await life.metric("sallyport_policy_tests_failing"), 0);
});
