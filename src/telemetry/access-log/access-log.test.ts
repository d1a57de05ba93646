import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { RecordConsumer, RecordLine } from "../../model/record-feed.ts";
import { completionLine, decisionLine } from "../../../test/sink-kit.ts";
import { ManualClock } from "../../platform/clock.ts";
import { createMetrics } from "../metrics.ts";
import { openAccessLog } from "./access-log.ts";
import { accessLogSchema } from "./access-log-options.ts";

interface Ground {
  readonly folder: string;
  readonly file: string;
  readonly clock: ManualClock;
  readonly said: string[];
  readonly open: (options?: object, most?: number) => Promise<RecordConsumer>;
  /** Gives it lines of a segment that grows. */
  readonly feed: (consumer: RecordConsumer, ...lines: readonly string[]) => void;
  readonly lines: () => readonly Readonly<Record<string, unknown>>[];
  readonly metric: (name: string) => number;
}

function ground(t: TestContext): Ground {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-access-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "access.log");
  const clock = new ManualClock(Date.UTC(2026, 10, 24));
  const metrics = createMetrics();
  const said: string[] = [];
  const say = (event: string): void => void said.push(event);
  const log = { debug: say, info: say, warn: say, error: say };
  let offset = 0;
  return {
    folder,
    file,
    clock,
    said,
    open: async (options = {}, most) => {
      const parsed = accessLogSchema.parse({ to: file, ...options });
      const segments = (): Promise<Record<string, number>> => Promise.resolve({ s: offset });
      const deps = { clock, log, metrics, folder, segments };
      return await openAccessLog(parsed, most === undefined ? deps : { ...deps, most });
    },
    feed(consumer, ...lines) {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
      consumer.take({
        segment: "s",
        offset,
        bytes,
        count: lines.length,
        entries: () => lines.map((line) => JSON.parse(line) as RecordLine),
      });
      offset += bytes.length;
    },
    lines: () => {
      const text = readFileSync(file, "utf8").split("\n").slice(0, -1);
      return text.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    metric: (name) => {
      const line = metrics
        .render()
        .body.split("\n")
        .find((one) => one.startsWith(`${name} `));
      return Number(line?.split(" ")[1]);
    },
  };
}

test("a request has one line, when it ended, with what its decision said", async (t) => {
  const { open, feed, lines, file, metric } = ground(t);
  const consumer = await open();
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  feed(consumer, decisionLine(1, { trace, service: "billing", httpVersion: "2" }), decisionLine(9));
  assert.deepEqual(lines(), []);
  feed(consumer, completionLine(9, { status: 403, upstream: undefined, upstreamMs: undefined }));
  feed(consumer, completionLine(1));
  const [denied, permitted] = lines();
  assert.deepEqual(
    [denied?.["decision"], denied?.["status"], denied?.["reason"], denied?.["upstream"]],
    ["deny", 403, "no-permit", undefined],
  );
  assert.deepEqual(permitted, {
    time: "2026-11-24T04:05:06.123Z",
    status: 200,
    decision: "permit",
    reason: "permitted",
    end: "complete",
    method: "GET",
    path: "/things/1",
    httpVersion: "2",
    principal: "corp/payments",
    clientAddress: "192.0.2.7",
    listener: "edge",
    route: "things",
    service: "billing",
    upstream: "http://127.0.0.1:9001",
    requestBytes: 0,
    responseBytes: 130,
    durationMs: 12.5,
    upstreamMs: 11.25,
    decisionId: "d1",
    requestId: "r",
    trace,
  });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(metric("sallyport_access_log_lines_total"), 2);
  assert.equal(metric("sallyport_access_log_waiting"), 0);
});

test("decisions that are no request's end have no line", async (t) => {
  const { open, feed, lines, metric } = ground(t);
  const consumer = await open();
  feed(consumer, decisionLine(1, { stream: "d0" }), decisionLine(2, { asked: { by: "x" } }));
  feed(consumer, JSON.stringify({ type: "event", event: "torn-record", time: "", detail: "" }));
  consumer.tick?.(Number.MAX_SAFE_INTEGER);
  assert.deepEqual(lines(), []);
  assert.equal(metric("sallyport_access_log_waiting"), 0);
});

test("a request whose end does not come has a line after the wait, and its end one of its own", async (t) => {
  const { open, feed, lines, clock } = ground(t);
  const consumer = await open({ wait: "1m" });
  feed(consumer, decisionLine(1));
  clock.advance(30_000);
  feed(consumer, decisionLine(2));
  consumer.tick?.(clock.now());
  assert.deepEqual(lines(), []);
  clock.advance(30_001);
  consumer.tick?.(clock.now());
  assert.deepEqual(
    lines().map(({ decisionId, status }) => [decisionId, status]),
    [["d1", "-"]],
  );
  feed(consumer, completionLine(1));
  assert.deepEqual(
    lines().map(({ decisionId, status, route }) => [decisionId, status, route]),
    [
      ["d1", "-", "things"],
      ["d1", 200, undefined],
    ],
  );
});

test("what waits is bounded: the oldest makes room and has its line", async (t) => {
  const { open, feed, lines, metric } = ground(t);
  const consumer = await open({}, 2);
  feed(consumer, decisionLine(1), decisionLine(2), decisionLine(3));
  assert.deepEqual(
    lines().map(({ decisionId, status }) => [decisionId, status]),
    [["d1", "-"]],
  );
  assert.equal(metric("sallyport_access_log_waiting"), 2);
});

test("after a restart it goes on where it was, with the decisions that wait", async (t) => {
  const { open, feed, lines, folder } = ground(t);
  const first = await open();
  feed(first, decisionLine(1), decisionLine(2), completionLine(2));
  const position = first.position("s");
  await first.commit?.();
  await first.close?.();
  assert.equal(statSync(join(folder, "access-log.json")).mode & 0o777, 0o600);
  const second = await open();
  assert.equal(second.position("s"), position);
  feed(second, completionLine(1));
  assert.deepEqual(
    lines().map(({ decisionId, route }) => [decisionId, route]),
    [
      ["d2", "things"],
      ["d1", "things"],
    ],
  );
});

test("at its first start it begins with what comes then", async (t) => {
  const { open, feed } = ground(t);
  const scratch = await open();
  feed(scratch, decisionLine(1));
  const consumer = await open();
  assert.ok(consumer.position("s") > 0);
});

test("what it had kept and is none of its own is said, a pipe is not waited for", async (t) => {
  const { open, feed, said, folder } = ground(t);
  const path = join(folder, "access-log.json");
  feed(await open(), decisionLine(1));
  assert.deepEqual(said, []);
  writeFileSync(path, '{"offsets":{}', { mode: 0o600 });
  assert.ok((await open()).position("s") > 0);
  rmSync(path);
  assert.equal(spawnSync("mkfifo", [path]).status, 0);
  assert.ok((await open()).position("s") > 0);
  const told = "how far the access log had read cannot be read; it goes on with what comes";
  assert.deepEqual(said, [told, told]);
});

test("a full file is renamed, and so many are kept", async (t) => {
  const { open, feed, folder } = ground(t);
  const consumer = await open({ rotate: { bytes: "4KiB", keep: 2 } });
  for (let index = 0; index < 100; index++) {
    feed(consumer, decisionLine(index), completionLine(index));
  }
  const names = readdirSync(folder).filter((name) => name.startsWith("access.log"));
  assert.deepEqual(names.toSorted(), ["access.log", "access.log.1", "access.log.2"]);
  const ids = ["access.log.2", "access.log.1", "access.log"]
    .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1))
    .map((line) => (JSON.parse(line) as { decisionId: string }).decisionId);
  assert.equal(ids.at(-1), "d99");
  assert.deepEqual(
    ids,
    ids.map((_, index) => `d${100 - ids.length + index}`),
  );
});

test("a file that others renamed is begun anew", async (t) => {
  const { open, feed, file, lines } = ground(t);
  const consumer = await open();
  feed(consumer, decisionLine(1), completionLine(1));
  renameSync(file, `${file}.old`);
  consumer.tick?.(0);
  assert.ok(existsSync(file));
  feed(consumer, decisionLine(2), completionLine(2));
  assert.deepEqual(
    lines().map(({ decisionId }) => decisionId),
    ["d2"],
  );
});

test("lines that cannot be written are lost, counted and said; the next ones come", async (t) => {
  const { open, feed, folder, metric, said } = ground(t);
  mkdirSync(join(folder, "logs"));
  const consumer = await open({ to: join(folder, "logs", "access.log") });
  rmSync(join(folder, "logs"), { recursive: true });
  consumer.tick?.(0);
  feed(consumer, decisionLine(1), completionLine(1));
  mkdirSync(join(folder, "logs"));
  assert.equal(metric("sallyport_access_log_lost_lines_total"), 1);
  assert.ok(said.includes("access log: lines are lost"));
  feed(consumer, decisionLine(2), completionLine(2));
  assert.match(readFileSync(join(folder, "logs", "access.log"), "utf8"), /^\{.*"d2".*\}\n$/);
});

test("a folder that is missing is made, for its owner only", async (t) => {
  const { open, feed, folder } = ground(t);
  const consumer = await open({ to: join(folder, "var", "logs", "access.log") });
  feed(consumer, decisionLine(1), completionLine(1));
  assert.equal(statSync(join(folder, "var", "logs")).mode & 0o777, 0o700);
  assert.match(readFileSync(join(folder, "var", "logs", "access.log"), "utf8"), /"d1"/);
});

test("a file that cannot be made is refused, with its name", async (t) => {
  const { open, folder } = ground(t);
  writeFileSync(join(folder, "file"), "");
  await assert.rejects(open({ to: join(folder, "file", "access.log") }), {
    code: "io-failed",
    message: /file\/access\.log cannot be written \(EEXIST\)/,
  });
});

test("accessLogSchema refuses what would do nothing", () => {
  const wrong = (options: object): string[] => {
    const parsed = accessLogSchema.safeParse(options);
    return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join("."));
  };
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ format: "common", fields: ["status"] }), ["fields"]);
  assert.deepEqual(wrong({ rotate: { keep: 1 } }), ["rotate"]);
  assert.deepEqual(wrong({ to: "access.log", rotate: { keep: 1 } }), []);
  assert.deepEqual(wrong({ fields: ["password"] }), ["fields.0"]);
});
