/**
 * Level and form of the operators' log, from outside: what the configuration says holds in every process and
 * in the thread that keeps the log, a reload changes it in place, and the environment goes before it.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { ask, type HeldService, Home, type Life, startHeldService, startLife } from "./life.ts";
import { stopAll, until } from "./life.ts";
import { RawConnection } from "./raw-connection.ts";

let service: HeldService;
let home: Home;
let running: Life | undefined;

/** Takes no copies: the thread says so each time. */
let tries = 0;
const receiver = createServer((_request, response) => {
  tries += 1;
  response.writeHead(503, { "retry-after": "1" }).end();
});

before(async () => {
  service = await startHeldService();
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
});

beforeEach(() => {
  home = new Home(service);
});

afterEach(async () => {
  // In order: nothing that is printed at these levels tells which workers there are.
  running?.signal("SIGTERM");
  await running?.ended;
  stopAll();
  home.remove();
});

after(() => {
  service.close();
  receiver.closeAllConnections();
  receiver.close();
});

const SLOW = { timeout: 300_000 };
const OF_SUPERVISOR = "reloaded: the new configuration is in force";
/** At `debug`, by the worker whose connection it was. */
const OF_WORKER = "an HTTP/2 connection failed";
/** At `warn`, by the thread that keeps the log. */
const OF_THREAD = "audit sink: records cannot be delivered";
/** So many that no worker is without one. */
const CONNECTIONS = 20;

test(
  "log holds in supervisor, workers and thread, and a reload changes it in place",
  SLOW,
  async () => {
    write("{ level: warn, format: text }");
    const life = (running = await startLife(home));
    await giveCause(life);
    await until("the thread", () => linesOf(life, OF_THREAD).length > 0);
    for (const line of said(life)) assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z WARN {3}/);

    write("{ level: debug }");
    life.signal("SIGHUP");
    await until("the supervisor", () => linesOf(life, OF_SUPERVISOR).length === 1);
    await giveCause(life);
    await until("the workers", () => linesOf(life, OF_WORKER).length === CONNECTIONS);
    const spoken = linesOf(life, OF_THREAD).length;
    await until("the thread", () => linesOf(life, OF_THREAD).length > spoken);
    const lines = [OF_SUPERVISOR, OF_WORKER, OF_THREAD].map((event) => linesOf(life, event).at(-1));
    const levels = lines.map((line) => (JSON.parse(line ?? "") as { level: string }).level);
    assert.deepEqual(levels, ["info", "debug", "warn"]);

    write("{ level: error }");
    life.signal("SIGHUP");
    const reloads = 'sallyport_reloads_total{outcome="success"}';
    await until("a second reload", async () => (await life.metric(reloads)) === 2);
    const told = said(life).length;
    await giveCause(life);
    const tried = tries;
    await until("two further tries", () => tries > tried + 1);
    assert.deepEqual(said(life).slice(told), []);
    life.signal("SIGTERM");
    assert.equal(await life.ended, "exit code 0");
  },
);

test(
  "SALLYPORT_LOG_LEVEL goes before what the configuration says, and that is told",
  SLOW,
  async () => {
    write("{ level: debug }");
    const life = (running = await startLife(home, { SALLYPORT_LOG_LEVEL: "warn" }));
    await giveCause(life);
    await until("the thread", () => linesOf(life, OF_THREAD).length > 0);
    const lines = said(life).map((line) => JSON.parse(line) as { level: string; event: string });
    assert.deepEqual([...new Set(lines.map(({ level }) => level))], ["warn"]);
    // The supervisor, and each worker.
    const told = lines.filter(({ event }) =>
      event.startsWith("log: SALLYPORT_LOG_LEVEL goes before"),
    );
    assert.equal(told.length, 3);
    life.signal("SIGTERM");
    assert.equal(await life.ended, "exit code 0");
  },
);

function write(log: string): void {
  const { port } = receiver.address() as AddressInfo;
  const sink = `{ name: away, type: webhook, url: "http://127.0.0.1:${port}/" }`;
  home.write(`workers: 2\nlog: ${log}`, undefined, { durability: `batched, sinks: [${sink}]` });
}

/** The preface of HTTP/2, and a PING behind it where SETTINGS have to be; then a request, for the thread. */
async function giveCause(life: Life): Promise<void> {
  const bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\u0008\u0006\0\0\0\0\0\0\0\0\0\0\0\0\0";
  const each = Array.from({ length: CONNECTIONS }, async () => {
    const connection = await RawConnection.open(life.address("edge"));
    connection.write(bytes);
    assert.ok(await connection.until(() => connection.closed));
  });
  await Promise.all(each);
  assert.equal((await ask(life.address("edge"))).status, 200);
}

/** What the processes have said until now, without what is printed on standard output. */
function said(life: Life): readonly string[] {
  const lines = life.output().split("\n");
  return lines.filter((line) => line !== "" && !/^(running|listening) {2}/.test(line));
}

function linesOf(life: Life, event: string): readonly string[] {
  return said(life).filter((line) => line.includes(event));
}
