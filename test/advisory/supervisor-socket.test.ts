/**
 * A stranger who has come as far as the supervisor's socket (another service of the same user, a
 * mistake in a script) writes what no worker writes: a JSON value that is no message, a message
 * without its members, a line without end, a process id that stands for every process there is. One
 * line `null` ended the supervisor of all workers.
 *
 * And the folder itself: one that somebody else made before us, at a place that everybody may write
 * to, is theirs. Their socket would be asked for the configuration by our workers, and ours removed.
 */
import assert from "node:assert/strict";
import { chownSync, mkdirSync, symlinkSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { openRunFolder } from "../../src/app/supervisor/run-folder.ts";
import { isFromWorker, type Message, PROTOCOL } from "../../src/app/supervisor/protocol.ts";
import { ask, type HeldService, Home, startHeldService, startLife, stopAll } from "../e2e/life.ts";

let service: HeldService;
let home: Home;

before(async () => {
  service = await startHeldService();
});
beforeEach(() => {
  home = new Home(service);
  home.write("workers: 2\nsupervisor: { folder: run }");
});
afterEach(() => {
  stopAll();
  home.remove();
});
after(() => service.close());

const HELLO = { type: "hello", protocol: PROTOCOL, number: 1, pid: 12_345, listeners: [] };

test("what no worker sends costs its sender the connection, and nobody else anything", async () => {
  const life = await startLife(home);
  const hostile: string[] = [
    "null\n",
    "5\n",
    '"hello"\n',
    "[]\n",
    '{"type":"hello"}\n',
    `${JSON.stringify({ ...HELLO, listeners: null })}\n`,
    `${JSON.stringify({ ...HELLO, pid: -1 })}\n`,
    '{"type":"lease","seq":1}\n',
    "{".repeat(100_000) + "\n",
    "\n",
    "no JSON\nnull\n",
    "x".repeat(2 * 1024 * 1024),
  ];
  for (const bytes of hostile) await cutOff(join(home.path, "run", "supervisor.sock"), bytes);
  assert.equal((await ask(life.address("edge"))).status, 200);
  const { status, body } = await life.ready();
  assert.equal(status, 200);
  assert.equal(body.checks["workers"], "2 of 2 ready");
  assert.doesNotMatch(life.output(), /TypeError|SyntaxError|the supervisor is gone/);
  life.signal("SIGTERM");
  assert.equal(await life.ended, "exit code 0");
});

test("a hello names one process, and a lease is counted by whole numbers", () => {
  const takes = (message: Message): boolean => isFromWorker(message);
  assert.ok(takes(HELLO));
  for (const pid of [-1, 0, 1, 1.5, "7", null, undefined]) {
    assert.ok(!takes({ ...HELLO, pid } as Message), String(pid));
  }
  const policy = { requests: 1, perMs: 1000, burst: 1 };
  const lease = { type: "lease", seq: 1, id: "x", policy, key: "k", cost: 1 };
  assert.ok(takes(lease));
  for (const cost of [0, -1, 0.5, 1e300, null]) {
    assert.ok(!takes({ ...lease, cost } as Message), String(cost));
  }
  assert.ok(!takes({ ...lease, policy: { ...policy, perMs: 0 } } as Message));
});

test("a run folder that is a link is refused", async () => {
  const real = join(home.path, "real");
  mkdirSync(real, { mode: 0o700 });
  const link = join(home.path, "link");
  symlinkSync(real, link);
  await assert.rejects(
    openRunFolder(link, () => {}),
    /its folder is a link or a file/,
  );
});

const root = process.geteuid?.() === 0;

test("a run folder of another user is refused", { skip: !root }, async () => {
  const theirs = join(home.path, "theirs");
  mkdirSync(theirs, { mode: 0o700 });
  chownSync(theirs, 65_534, 65_534);
  await assert.rejects(
    openRunFolder(theirs, () => {}),
    /belongs to another user/,
  );
});

/** Resolves when the supervisor has closed the connection. */
function cutOff(path: string, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.resume();
    socket.write(bytes);
  });
}
