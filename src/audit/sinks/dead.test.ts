/**
 * Receivers that are not there, in every way: nobody listens, nobody answers, it breaks off, it fails
 * for ever. The log goes on, memory does not grow, and once there is somebody again all of it arrives,
 * once and in order.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  decisionLine,
  growingLog,
  type Receiver,
  receiver,
  runSinks,
  SEGMENT,
  until,
} from "../../../test/sink-kit.ts";

/** Of a process that there cannot be. */
const ENDED = "audit-20261123T000000.000Z-999999999.jsonl";

const HOOK = 'sink="hook"';

function hook(url: string, more: object = {}) {
  const batch = { wait: "0ms", records: 7, ...("batch" in more ? (more.batch as object) : {}) };
  return [{ name: "hook", type: "webhook" as const, url, timeout: "300ms", ...more, batch }];
}

function ids({ received }: Pick<Receiver, "received">): string[] {
  return received
    .flatMap(({ body }) => body.toString().split("\n"))
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as { record: { decisionId: string } }).record.decisionId);
}

/** A server of plain connections; `use` is given each. */
async function connections(t: TestContext, use: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    use(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): void => {
    for (const socket of open) socket.destroy();
    server.close();
  };
  t.after(close);
  closers.set((server.address() as AddressInfo).port, close);
  return (server.address() as AddressInfo).port;
}

const closers = new Map<number, () => void>();

const DEAD: Readonly<Record<string, (socket: Socket) => void>> = {
  "that closes at once": (socket) => socket.destroy(),
  "that takes nothing": (socket) => socket.pause(),
  "that takes all and never answers": (socket) => socket.resume(),
  "that closes half-way through its answer": (socket) => {
    socket.once("data", () => {
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    });
  },
  "that fails for ever": (socket) => {
    socket.once("data", () => {
      socket.end("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    });
  },
  "that answers something else": (socket) => {
    socket.once("data", () => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
  },
};

for (const [what, use] of Object.entries(DEAD)) {
  test(`a receiver ${what} is tried again, and gets all of it, once and in order, when it is well`, async (t) => {
    const log = growingLog(t);
    const port = await connections(t, use);
    const sinks = await runSinks(t, log.folder, hook(`http://127.0.0.1:${port}`));
    const all = Array.from({ length: 40 }, (_, index) => index);
    log.append(all.slice(0, 20).map((index) => decisionLine(index)));
    await until(() => (sinks.metric(`failures_total{${HOOK}}`) ?? 0) >= 2);
    log.append(all.slice(20).map((index) => decisionLine(index)));
    closers.get(port)?.();
    const well = await receiver(t, port);
    await until(
      () => ids(well).length >= 40,
      () => JSON.stringify(sinks.said.slice(-3)),
    );
    assert.deepEqual(
      ids(well),
      all.map((index) => `d${index}`),
    );
    await until(() => sinks.metric(`lag_bytes{${HOOK}}`) === 0);
    assert.equal(sinks.metric(`delivered_records_total{${HOOK}}`), 40);
  });
}

test("a sink goes on from its position, which others cannot read", async (t) => {
  const log = growingLog(t);
  const well = await receiver(t);
  const first = await runSinks(t, log.folder, hook(well.url));
  log.append([decisionLine(1), decisionLine(2)]);
  await until(() => ids(well).length === 2);
  await first.consumer.close?.();
  const file = join(log.folder, "sinks", "hook.json");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { size } = statSync(join(log.folder, SEGMENT));
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), {
    done: [],
    offsets: { [SEGMENT]: size },
    v: 1,
  });
  log.append([decisionLine(3)]);
  await runSinks(t, log.folder, hook(well.url));
  await until(() => ids(well).length === 3);
  assert.deepEqual(ids(well), ["d1", "d2", "d3"]);
});

test("the end delivers what is left", async (t) => {
  const log = growingLog(t);
  const well = await receiver(t);
  const sinks = await runSinks(t, log.folder, hook(well.url, { batch: { wait: "60s" } }));
  log.append([decisionLine(1), decisionLine(2)]);
  await sinks.consumer.close?.();
  assert.deepEqual(ids(well), ["d1", "d2"]);
});

test("the end does not wait for a receiver that is not there", async (t) => {
  const log = growingLog(t);
  const port = await connections(t, (socket) => socket.pause());
  const sinks = await runSinks(t, log.folder, hook(`http://127.0.0.1:${port}`, { timeout: "5m" }));
  log.append([decisionLine(1)]);
  await new Promise(setImmediate);
  const from = performance.now();
  await sinks.consumer.close?.();
  assert.ok(performance.now() - from < 10_000);
});

test("a file of positions that others can read, or that is none, is refused", async (t) => {
  const log = growingLog(t);
  const first = await runSinks(t, log.folder, hook("http://127.0.0.1:1"));
  await first.consumer.close?.();
  const file = join(log.folder, "sinks", "hook.json");
  const good = readFileSync(file);
  rmSync(file);
  writeFileSync(file, good, { mode: 0o644 });
  await assert.rejects(runSinks(t, log.folder, hook("http://127.0.0.1:1")), {
    code: "audit-failed",
    message: /chmod it to 0600/,
  });
  rmSync(file);
  writeFileSync(file, '{"v":2}', { mode: 0o600 });
  await assert.rejects(runSinks(t, log.folder, hook("http://127.0.0.1:1")), {
    code: "audit-failed",
    message: /is not a file of positions/,
  });
  rmSync(file);
  assert.equal(spawnSync("mkfifo", ["-m", "600", file]).status, 0);
  await assert.rejects(runSinks(t, log.folder, hook("http://127.0.0.1:1")), {
    code: "audit-failed",
    message: /cannot be read \(not a regular file\)/,
  });
});

for (const [from, wanted] of [
  ["now", ["d3"]],
  ["beginning", ["d1", "d2", "d3"]],
] as const) {
  test(`a new sink begins with from: ${from}`, async (t) => {
    const log = growingLog(t);
    const well = await receiver(t);
    log.append([decisionLine(1)], ENDED);
    log.append([decisionLine(2)]);
    await runSinks(t, log.folder, hook(well.url, { from }));
    log.append([decisionLine(3)]);
    await until(() => ids(well).includes("d3"));
    assert.deepEqual(ids(well), wanted);
  });
}

test("a record that is not yet whole is waited for", async (t) => {
  const log = growingLog(t);
  const well = await receiver(t);
  await runSinks(t, log.folder, hook(well.url));
  const line = decisionLine(2);
  writeFileSync(join(log.folder, SEGMENT), `${decisionLine(1)}\n${line.slice(0, 30)}`);
  await until(() => ids(well).length === 1);
  writeFileSync(join(log.folder, SEGMENT), `${line.slice(30)}\n`, { flag: "a" });
  await until(() => ids(well).length === 2);
  assert.deepEqual(ids(well), ["d1", "d2"]);
});

test("a line that is no record is passed over, and counted", async (t) => {
  const log = growingLog(t);
  const well = await receiver(t);
  const sinks = await runSinks(t, log.folder, hook(well.url));
  log.append([decisionLine(1), "\0\0\0", '{"no":"type"}', decisionLine(2)]);
  await until(() => ids(well).length === 2);
  await until(() => sinks.metric(`unreadable_lines_total{${HOOK}}`) === 2);
});

test("beyond maxLag the oldest records are skipped, said, counted and on record; the next ones arrive whole", async (t) => {
  const log = growingLog(t);
  const port = await connections(t, (socket) => socket.destroy());
  const sinks = await runSinks(
    t,
    log.folder,
    hook(`http://127.0.0.1:${port}`, { maxLag: "1MiB", batch: { records: 1000 } }),
  );
  const padding = "x".repeat(800);
  const all = Array.from({ length: 3000 }, (_, index) => index);
  log.append(all.map((index) => decisionLine(index, { detail: padding })));
  const skipped = (): number => sinks.metric(`skipped_bytes_total{${HOOK},cause="lag"}`) ?? 0;
  await until(() => skipped() > 0);
  assert.ok(sinks.said.some(({ event }) => event === "audit sink: records are skipped"));
  sinks.consumer.tick?.(0);
  assert.equal(sinks.events[0]?.event, "sink-skipped");
  assert.equal(sinks.events[0]?.figures?.["skippedBytes"], skipped());
  assert.ok((sinks.metric(`lag_bytes{${HOOK}}`) ?? Infinity) <= 1024 * 1024);
  closers.get(port)?.();
  const well = await receiver(t, port);
  await until(() => ids(well).includes("d2999"));
  const got = ids(well);
  const first = Number(got[0]?.slice(1));
  assert.ok(first > 1500 && first < 2700, String(first));
  assert.deepEqual(
    got,
    all.slice(first).map((index) => `d${index}`),
  );
});

test("records that were removed before they were delivered are told of", async (t) => {
  const log = growingLog(t);
  const port = await connections(t, (socket) => socket.destroy());
  const sinks = await runSinks(
    t,
    log.folder,
    hook(`http://127.0.0.1:${port}`, { from: "beginning" }),
  );
  log.append([decisionLine(1)], ENDED);
  const { size } = statSync(join(log.folder, ENDED));
  await until(() => (sinks.metric(`failures_total{${HOOK}}`) ?? 0) >= 1);
  rmSync(join(log.folder, ENDED));
  await until(() => sinks.metric(`skipped_bytes_total{${HOOK},cause="removed"}`) === size);
});
