/** Everything that reads the log reads it as well once all of its files are compressed, in several members. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { compressSegment } from "../src/audit/archive/compress.ts";
import { findDecision } from "../src/audit/find-decision.ts";
import { createFollower } from "../src/audit/follow/follower.ts";
import { createWriters } from "../src/audit/follow/writers.ts";
import { logFiles, readLines } from "../src/audit/read-log.ts";
import { exportLog } from "../src/audit/search/export-log.ts";
import { EVERYTHING } from "../src/audit/search/filter.ts";
import { LogTail } from "../src/audit/search/tail-log.ts";
import { FolderSource } from "../src/audit/sinks/folder-source.ts";
import { openSource } from "../src/audit/segment-source.ts";
import { packEnd } from "../src/audit/packed-segment.ts";
import { proveDecision } from "../src/audit/tree/prove.ts";
import { ManualClock } from "../src/platform/clock.ts";
import { keepingLog, NOW_MS, temporaryFolder } from "./audit-kit.ts";
import { verified } from "./kept-log.ts";
import { createMetrics, KeepingConsumer } from "./segment-kit.ts";
import { generatedRecord, generateLog } from "./tree-log.ts";

const VERIFIER = fileURLToPath(new URL("../examples/verify/verify.py", import.meta.url));
const hasPython = spawnSync("python3", ["--version"]).status === 0;

interface PackedLog {
  readonly folder: string;
  /** What each segment held before it was compressed. */
  readonly plain: ReadonlyMap<string, Buffer>;
}

async function packedLog(context: TestContext): Promise<PackedLog> {
  const folder = join(await temporaryFolder(context), "audit");
  const { segments } = await generateLog(folder, {
    records: 20_000,
    perSegment: 5000,
    every: 3000,
  });
  const plain = new Map(segments.map((name) => [name, readFileSync(join(folder, name))]));
  for (const name of segments) await compressSegment(folder, name);
  assert.ok(readdirSync(folder).every((name) => name === "tree" || name.endsWith(".jsonl.gz")));
  return { folder, plain };
}

/** The same name, with the members before the last one: any gzip finds nothing wrong with it. */
function cutBetweenMembers(path: string): void {
  const bytes = readFileSync(path);
  const members = bytes.readUInt32LE(bytes.length - 14);
  assert.ok(members > 2);
  const end = packEnd([]).length + 8 * members;
  const table = bytes.length - end + 16;
  const last = bytes.readUInt32LE(table + 8 * (members - 1));
  writeFileSync(path, bytes.subarray(0, bytes.length - end - last));
}

test("verify, prove, explain and the Python verifier find a compressed log whole", async (context) => {
  const { folder } = await packedLog(context);
  const { faults, records } = await verified(folder);
  assert.deepEqual([faults, records], [[], 20_000]);
  const [segment = ""] = readdirSync(folder).toSorted();
  const id = "01KAT9T5KV0000000000000000";
  const proven = await proveDecision(folder, { segment: segment.replace(".gz", ""), id });
  assert.equal(proven?.record, generatedRecord(0));
  const far = "01KAT9T5KV0000000000009990";
  const decision = await findDecision(folder, far);
  assert.equal(decision?.decision.decisionId, far);
  assert.equal(decision?.completion?.decisionId, far);
  if (!hasPython) return;
  const key = readFileSync(join(folder, "tree/checkpoint.pub"), "utf8").trim();
  const python = spawnSync("python3", [VERIFIER, "log", folder, key], { encoding: "utf8" });
  assert.equal(python.status, 0, python.stdout + python.stderr);
});

test(
  "the example's verifier says in one line that a damaged log does not hold",
  { skip: !hasPython && "there is no python3" },
  async (context) => {
    const { folder } = await packedLog(context);
    const key = readFileSync(join(folder, "tree/checkpoint.pub"), "utf8").trim();
    const says = () => {
      const { status, stdout, stderr } = spawnSync("python3", [VERIFIER, "log", folder, key], {
        encoding: "utf8",
      });
      return [status, stderr, stdout.split(":")[0], stdout.split("\n").length];
    };
    const held = [1, "", "DOES NOT HOLD", 2];
    const [name = ""] = readdirSync(folder).toSorted();
    const path = join(folder, name);
    const whole = readFileSync(path);
    writeFileSync(path, whole.fill(0x55, 1000, 1010));
    assert.deepEqual(says(), held);
    writeFileSync(path, whole.subarray(0, 1000));
    assert.deepEqual(says(), held);
    writeFileSync(join(folder, "tree/checkpoints.jsonl"), "");
    assert.deepEqual(says(), held);
  },
);

test(
  "the example's verifier takes a log of more files than it may open",
  { skip: !hasPython && "there is no python3" },
  async (context) => {
    const folder = join(await temporaryFolder(context), "audit");
    await generateLog(folder, { records: 12_000, perSegment: 100, every: 300 });
    const key = readFileSync(join(folder, "tree/checkpoint.pub"), "utf8").trim();
    const few = 'ulimit -n 90; exec python3 "$@"';
    const words = ["-c", few, "sh", VERIFIER, "log", folder, key];
    const { stdout, stderr } = spawnSync("sh", words, { encoding: "utf8" });
    assert.match(stdout + stderr, /^12000 records under \d+ checkpoints\n$/);
  },
);

test("verify tells of a compressed file that was cut between two members, or damaged", async (context) => {
  const { folder } = await packedLog(context);
  const [name = ""] = readdirSync(folder).toSorted();
  const path = join(folder, name);
  const whole = readFileSync(path);
  cutBetweenMembers(path);
  const [cut, ...more] = (await verified(folder)).faults;
  assert.deepEqual([cut?.kind, cut?.segment, more], ["unreadable", name.replace(".gz", ""), []]);
  assert.match(cut?.detail ?? "", /cut or changed/);
  const damaged = Buffer.from(whole);
  damaged[1000] = (damaged[1000] ?? 0) ^ 0x55;
  writeFileSync(path, damaged);
  const { faults } = await verified(folder);
  assert.deepEqual(
    faults.map(({ kind, detail }) => [kind, detail]),
    [["unreadable", "damaged at byte 0"]],
  );
});

test("export, tail and what reads for replay and reports give each record of a compressed log", async (context) => {
  const { folder, plain } = await packedLog(context);
  const inOrder = [...plain].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const all = Buffer.concat(inOrder.map(([, bytes]) => bytes)).toString("utf8");
  const exported: string[] = [];
  const write = (text: string) => {
    exported.push(text);
    return Promise.resolve();
  };
  const result = await exportLog(folder, { filter: EVERYTHING, format: "jsonl", write });
  assert.deepEqual([result.records, result.faults], [20_000, 0]);
  assert.equal(exported.join(""), all);
  const read: string[] = [];
  for (const file of await logFiles(folder)) {
    for await (const { lines } of readLines(file)) read.push(...lines);
  }
  assert.equal(`${read.join("\n")}\n`, all);
  const tail = new LogTail(folder, { filter: EVERYTHING, lines: 20_000 });
  const last = (await tail.last()).map(({ line }) => line);
  assert.ok(last.length > 5000 && last.length < 20_000, "a stretch of each file");
  const ends = [...plain.values()].map((bytes) => bytes.toString("utf8").split("\n").at(-2) ?? "");
  for (const end of ends) assert.ok(last.includes(end), "the end of each file");
  const [name = ""] = readdirSync(folder).toSorted();
  cutBetweenMembers(join(folder, name));
  await assert.rejects(
    exportLog(folder, { filter: EVERYTHING, format: "jsonl", write }),
    /jsonl\.gz cannot be read \(cut or changed/,
  );
});

test("the follower and sinks go on in compressed files from where they stood", async (context) => {
  const { folder, plain } = await packedLog(context);
  const consumer = new KeepingConsumer("one");
  const starts = new Map<string, number>();
  for (const [name, bytes] of plain) {
    const start = bytes.indexOf("\n", 1_500_000) + 1;
    starts.set(name, start);
    consumer.positions.set(name, start);
  }
  const deps = { clock: new ManualClock(NOW_MS), log: keepingLog(), metrics: createMetrics() };
  const writers = createWriters(folder, {
    now: () => 0,
    alive: () => false,
    openFiles: () => undefined,
  });
  const follower = createFollower({ folder, consumers: [consumer] }, { ...deps, writers });
  context.after(() => follower.close());
  // As consumers do, it knows what it has taken.
  const take = consumer.take.bind(consumer);
  consumer.take = (batch) => {
    take(batch);
    consumer.positions.set(batch.segment, batch.offset + batch.bytes.length);
  };
  while (await follower.look());
  const sinks = new FolderSource(folder, deps);
  context.after(() => sinks.close());
  await sinks.list(new Set());
  for (const [name, bytes] of plain) {
    const rest = bytes.subarray(starts.get(name)).toString("utf8");
    assert.equal(consumer.taken.get(name), rest);
    const sink = await sinks.read(name, starts.get(name) ?? 0, 500_000);
    assert.ok(sink.length > 400_000 && rest.startsWith(Buffer.from(sink).toString("utf8")));
    const path = join(folder, `${name}.gz`);
    const source = await openSource(path, { compressed: true, position: starts.get(name) ?? 0 });
    const some = Buffer.alloc(300_000);
    assert.equal(await source.fill(some), some.length);
    assert.ok(some.equals(bytes.subarray(starts.get(name)).subarray(0, some.length)));
    await source.close();
    // Beyond its end, as one asks who wants nothing of it.
    const beyond = await openSource(path, { compressed: true, position: Number.MAX_SAFE_INTEGER });
    assert.deepEqual([beyond.position, await beyond.fill(some)], [bytes.length, 0]);
    await beyond.close();
  }
});
