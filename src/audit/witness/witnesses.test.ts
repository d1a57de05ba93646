import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile, appendFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createMetrics } from "../../../test/audit-kit.ts";
import { KeptLog } from "../../../test/keys/kit.ts";
import {
  checkpointOf,
  consistencyOf,
  createNoteKey,
  startWitness,
} from "../../../test/witness-server.ts";
import { SallyportError } from "../../model/errors.ts";
import type { EventRecord } from "../../model/events.ts";
import { ManualClock } from "../../platform/clock.ts";
import { exchange } from "../../platform/bounded-exchange.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { openWitnessJournal, parseWitnessLine } from "./witness-journal.ts";
import { createWitnesses } from "./witnesses.ts";
import type { Checkpoint, WitnessDeps } from "./witness.ts";

const log = createNoteKey("log.example/audit", 1);
const leaves = Array.from({ length: 40 }, (_, index) => `record ${index}`);
const at = (size: number, from: readonly string[] = leaves): Checkpoint =>
  checkpointOf(log, from.slice(0, size));
const NOW = Date.UTC(2026, 10, 24, 4, 5, 6, 123);

async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-witness-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

interface Given {
  readonly folder: string;
  readonly url?: string;
  readonly key?: string;
  readonly exchange?: WitnessDeps["exchange"];
  readonly newest?: Checkpoint | undefined;
  readonly records?: readonly string[];
}

async function open({ folder, url, key, exchange: send, newest, records = leaves }: Given) {
  const clock = new ManualClock(NOW);
  const timers = new ManualTimers();
  const kept = new KeptLog();
  const metrics = createMetrics();
  const events: EventRecord[] = [];
  const settled: (() => void)[] = [];
  const asked: string[] = [];
  const witnesses = await createWitnesses(
    key === undefined
      ? [
          {
            type: "webhook",
            name: "elsewhere",
            url: url ?? "https://hook.example",
            headers: { authorization: "Bearer canary-7f3a" },
            insecureHttp: false,
          },
        ]
      : [{ type: "tlog-witness", name: "elsewhere", url: url ?? "", key, insecureHttp: false }],
    folder,
    {
      clock,
      timers,
      log: kept,
      metrics,
      events: { event: (record) => void events.push(record) },
      random: () => 1,
      exchange: async (outgoing, limits) => {
        asked.push(typeof outgoing.body === "string" ? outgoing.body : "");
        try {
          return await (send ?? exchange)(outgoing, limits);
        } finally {
          setImmediate(() => {
            for (const done of settled.splice(0)) done();
          });
        }
      },
    },
  );
  witnesses.start({
    newest: () => newest,
    consistency: (from, to) => consistencyOf(records.slice(0, to), from),
  });
  return {
    witnesses,
    clock,
    timers,
    kept,
    events,
    asked,
    metric: (name: string) =>
      Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, "m").exec(metrics.render().body)?.[1]),
    /** After the next answer. */
    answered: () => new Promise<void>((resolve) => settled.push(resolve)),
  };
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, "what was waited for did not happen");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const journalOf = async (folder: string): Promise<string> => {
  try {
    return await readFile(join(folder, "witnesses.jsonl"), "utf8");
  } catch {
    return "";
  }
};

test("a checkpoint is witnessed at once, and what came back is kept", async (t) => {
  const server = await startWitness("witness.example", log.vkey);
  t.after(() => server.close());
  const folder = await tempFolder(t);
  const stage = await open({ folder, url: server.url, key: server.vkey, newest: at(3) });
  await until(() => server.size === 3);
  stage.witnesses.offer(at(9));
  await until(async () => (await journalOf(folder)).split("\n").length === 3);
  const lines = (await journalOf(folder)).trim().split("\n");
  const [first, second] = lines.map(parseWitnessLine);
  assert.deepEqual(
    { ...first, cosignatures: first?.cosignatures?.length },
    {
      cosignatures: 1,
      name: "elsewhere",
      place: new URL(server.url).origin,
      size: 3,
      status: 200,
      time: "2026-11-24T04:05:06.123Z",
      type: "tlog-witness",
    },
  );
  assert.equal(second?.size, 9);
  const names = Object.keys(JSON.parse(lines[0] ?? "") as object);
  assert.deepEqual(names, names.toSorted());
  assert.equal((await stat(join(folder, "witnesses.jsonl"))).mode & 0o777, 0o600);
  assert.equal(stage.metric("sallyport_audit_witnessed_records"), 9);
  assert.equal(stage.metric("sallyport_audit_witness_lag_records"), 0);
  stage.clock.advance(5000);
  assert.equal(stage.metric("sallyport_audit_witness_success_age_seconds"), 5);
  await stage.witnesses.close();
});

test("after a start only what is not witnessed yet goes out", async (t) => {
  const server = await startWitness("witness.example", log.vkey);
  t.after(() => server.close());
  const folder = await tempFolder(t);
  const given = { folder, url: server.url, key: server.vkey };
  const first = await open({ ...given, newest: at(5) });
  await until(async () => (await journalOf(folder)) !== "");
  await first.witnesses.close();
  const second = await open({ ...given, newest: at(5) });
  await second.witnesses.close();
  assert.deepEqual(server.answers, [200]);
  const third = await open({ ...given, newest: at(8) });
  await until(() => server.size === 8);
  await third.witnesses.close();
  // It was known where the witness stood, so nothing was tried in vain.
  assert.deepEqual(server.answers, [200, 200]);
});

test("a dead witness keeps one checkpoint waiting, is tried later and later, and stalls nobody", async (t) => {
  const folder = await tempFolder(t);
  let status = 503;
  const stage = await open({
    folder,
    exchange: () => Promise.resolve({ status, headers: {}, body: Buffer.alloc(0) }),
    newest: at(1),
  });
  await stage.answered();
  const pauses: (number | undefined)[] = [];
  for (let size = 2; size < 14; size += 1) {
    // Any number of checkpoints meanwhile.
    for (let more = 0; more < 3; more += 1) stage.witnesses.offer(at(size));
    await until(() => stage.timers.delays.length === 1);
    pauses.push(stage.timers.delays[0]);
    const answered = stage.answered();
    stage.timers.runAll();
    await answered;
  }
  assert.deepEqual(pauses.slice(0, 4), [1000, 2000, 4000, 8000]);
  assert.ok(pauses.every((pause) => (pause ?? Infinity) <= 300_000));
  assert.equal(pauses.at(-1), 300_000);
  // Each try was of the newest one.
  assert.deepEqual(
    stage.asked.slice(1),
    Array.from({ length: 12 }, (_, index) => at(index + 2).note),
  );
  assert.equal(stage.metric("sallyport_audit_witness_lag_records"), 13);
  assert.equal(stage.metric("sallyport_audit_witness_failures_total"), 13);
  assert.equal(stage.kept.lines.length, 1);
  status = 200;
  await until(() => stage.timers.delays.length === 1);
  stage.timers.runAll();
  await until(() => stage.kept.lines.length === 2);
  assert.equal(stage.metric("sallyport_audit_witness_lag_records"), 0);
  assert.equal(stage.events.length, 0);
  const everything = JSON.stringify(stage.kept.lines) + (await journalOf(folder));
  assert.doesNotMatch(everything, /canary-7f3a/);
});

test("a rebuilt log is refused by the witness, which is logged and on record, once", async (t) => {
  const server = await startWitness("witness.example", log.vkey);
  t.after(() => server.close());
  const folder = await tempFolder(t);
  const given = { folder, url: server.url, key: server.vkey };
  const honest = await open({ ...given, newest: at(12) });
  await until(() => server.size === 12);
  await honest.witnesses.close();
  const forged = leaves.map((text, index) => (index === 7 ? "altered" : text));
  const stage = await open({ ...given, newest: at(20, forged), records: forged });
  await until(() => stage.events.length === 1);
  assert.deepEqual(stage.events[0], {
    timeMs: NOW,
    event: "forked-log",
    detail: `${new URL(server.url).origin}: the checkpoint does not lead on from the one that it holds`,
    figures: { size: 20, witness: "elsewhere" },
  });
  await until(() => stage.timers.delays.length === 1);
  stage.timers.runAll();
  await until(() => stage.kept.lines.length === 2);
  assert.equal(stage.events.length, 1);
  assert.ok(stage.kept.lines.every(({ level }) => level === "error"));
  assert.equal(server.size, 12);
  await stage.witnesses.close();
});

test("a log that is shorter than what a witness has seen is not gone on with", async (t) => {
  const server = await startWitness("witness.example", log.vkey);
  t.after(() => server.close());
  const folder = await tempFolder(t);
  const given = { folder, url: server.url, key: server.vkey };
  const honest = await open({ ...given, newest: at(12) });
  await until(async () => (await journalOf(folder)) !== "");
  await honest.witnesses.close();
  await assert.rejects(
    open({ ...given, newest: at(10) }),
    (error) =>
      error instanceof SallyportError &&
      error.code === "audit-failed" &&
      /up to 10 records, and the witness \S+ has seen 12/.test(error.message),
  );
});

test("a log that got shorter, and lost what witnesses had said too, is noticed at the start", async (t) => {
  const server = await startWitness("witness.example", log.vkey);
  t.after(() => server.close());
  const folder = await tempFolder(t);
  const given = { folder, url: server.url, key: server.vkey };
  const honest = await open({ ...given, newest: at(12) });
  await until(async () => (await journalOf(folder)) !== "");
  await honest.witnesses.close();
  await rm(join(folder, "witnesses.jsonl"));
  const stage = await open({ ...given, newest: at(10) });
  await until(() => stage.events.length === 1);
  assert.match(stage.events[0]?.detail ?? "", /holds a checkpoint of 12 records, this log has 10/);
  await stage.witnesses.close();
});

test("close() tries once more, and gives up on a witness that hangs", async (t) => {
  const folder = await tempFolder(t);
  const failing = await open({
    folder,
    exchange: () => Promise.resolve({ status: 500, headers: {}, body: Buffer.alloc(0) }),
    newest: at(1),
  });
  await until(() => failing.timers.delays.length === 1);
  await failing.witnesses.close();
  assert.equal(failing.asked.length, 2);
  const hanging = await open({
    folder,
    exchange: () => new Promise(() => undefined),
    newest: at(1),
  });
  const closed = hanging.witnesses.close();
  await until(() => hanging.timers.delays.includes(3000));
  hanging.clock.advance(3000);
  hanging.timers.runFirst((ms) => ms === 3000);
  await closed;
  hanging.witnesses.offer(at(9));
  assert.equal(hanging.asked.length, 1);
});

test("openWitnessJournal() goes on behind a torn line, and passes over what is none", async (t) => {
  const folder = await tempFolder(t);
  const line = {
    name: "a",
    place: "https://a.example",
    size: 5,
    status: 200,
    time: "2026-11-24T04:05:06.123Z",
    type: "webhook",
  } as const;
  await writeFile(join(folder, "witnesses.jsonl"), "not a line\n");
  const first = await openWitnessJournal(folder);
  assert.equal(first.sizes.size, 0);
  await first.append(line);
  await first.append({ ...line, size: 4 });
  await appendFile(join(folder, "witnesses.jsonl"), '{"name":"a","si');
  const second = await openWitnessJournal(folder);
  assert.deepEqual([...second.sizes], [["a", 5]]);
  await second.append({ ...line, size: 6 });
  const texts = (await journalOf(folder)).split("\n");
  assert.deepEqual(
    texts.map((text) => parseWitnessLine(text)?.size),
    [undefined, 5, 4, undefined, 6, undefined],
  );
});
