/**
 * Searching a log of ten million records: how long the index takes to build, how large it is, and how
 * long each kind of question takes, by the command line and without its start.
 *
 * `tools/with-runtime node bench/audit-search.ts [--records 10000000] [--keep FOLDER] [--compressed]` and
 * the same with `bun`. With `--keep` the log is made in that folder, left there, and found again the next time.
 * With `--compressed` all of its segments are compressed first, as `audit.compressAfter` has it. Ten million
 * records are some six gigabytes. Seconds are by the clock, with those of the processor beside them.
 *
 * With ten million records on a quiet machine: 5 µs of CPU a record to build, 24 bytes a record; no question
 * above 0.30 s on Bun (a network) and 0.13 s on Node. With a million in compressed segments (CPU): 0.18 s at
 * most on Node and 0.07 s
 * on Bun, an id 0.04 and 0.01 s; in segments of one gzip member, as they were before, 1.05 s for an id on Node.
 * With ten million in compressed segments on Node (CPU): 0.31 s at most, an id 0.08 s.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compressSegment } from "../src/audit/archive/compress.ts";
import { Lines } from "../src/audit/lines.ts";
import { createQueryMask } from "../src/audit/query-mask.ts";
import { listSegments, readSegment } from "../src/audit/search/segment-reader.ts";
import { readFilter, type FilterInput } from "../src/audit/search/read-filter.ts";
import { searchLog } from "../src/audit/search/search-log.ts";
import { Serializer } from "../src/audit/serialize.ts";
import { createValueHash } from "../src/audit/value-hash.ts";
import { createDecisionIds } from "../src/platform/decision-id.ts";
import { ManualClock } from "../src/platform/clock.ts";
import { completion, NOW_MS, permit } from "../test/audit-kit.ts";

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "10000000" },
    keep: { type: "string" },
    compressed: { type: "boolean", default: false },
  },
});
const RECORDS = Number(values.records);
/** As many segments as a day of two workers leaves. */
const SEGMENT = 256 * 1024 * 1024;
const WORKERS = 2;
const PRINCIPALS = 20_000;
/** Milliseconds between two requests. */
const STEP = 5;

class SegmentWriter {
  readonly #instance: number;
  readonly #lines = new Lines();
  #file: number | undefined;
  #size = 0;

  constructor(instance: number) {
    this.#instance = instance;
  }

  write(timeMs: number, add: (lines: Lines) => void): void {
    if (this.#file === undefined) {
      const start = new Date(timeMs).toISOString().replaceAll(/[-:]/g, "");
      const name = `audit-${start}-${this.#instance}.jsonl`;
      this.#file = openSync(join(folder, name), "wx", 0o600);
    }
    add(this.#lines);
    this.#lines.end();
    if (this.#lines.size > 250_000) this.#flush();
  }

  close(): void {
    this.#flush();
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #flush(): void {
    if (this.#file === undefined) return;
    this.#size += writeSync(this.#file, this.#lines.copy());
    this.#lines.rollback(0);
    if (this.#size < SEGMENT) return;
    closeSync(this.#file);
    this.#file = undefined;
    this.#size = 0;
  }
}

const runtime = process.versions["bun"] === undefined ? "node" : "bun";
const folder = values.keep ?? mkdtempSync(join(tmpdir(), "sallyport-bench-"));
try {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if ((await listSegments(folder)).length === 0) generate();
  const bytes = (await listSegments(folder)).reduce((sum, { size }) => sum + size, 0);
  console.log(`${RECORDS} records, ${megabytes(bytes)}`);
  if (values.compressed) await compressAll();
  await measure();
} finally {
  if (values.keep === undefined) rmSync(folder, { recursive: true });
}

async function measure(): Promise<void> {
  rmSync(join(folder, "index"), { recursive: true, force: true });
  const id = await middleId();
  const built = await searched({});
  const perRecord = ((built.cpuMs * 1000) / RECORDS).toFixed(2);
  console.log(`${runtime} build: ${seconds(built)}, ${perRecord} µs CPU a record`);
  const size = ["", "-wal"].reduce(
    (sum, end) => sum + sizeOf(join(folder, `index/index.db${end}`)),
    0,
  );
  console.log(
    `${runtime} index: ${megabytes(size)}, ${(size / RECORDS).toFixed(1)} bytes a record`,
  );
  const questions: Readonly<Record<string, FilterInput>> = {
    "nothing but the newest": {},
    "a principal": { principal: ["corp/payments-777"] },
    "a principal that is not there": { principal: ["corp/nobody"] },
    "a rare reason": { reason: ["step-up-required"] },
    "a common reason": { reason: ["permitted"] },
    "a route and denied": { route: ["billing-7"], decision: "deny" },
    "an address": { address: ["192.0.2.77"] },
    "a network": { address: ["192.0.2.0/28"], decision: "deny" },
    "an id": { id: [id] },
    "an hour in the middle": {
      from: new Date(NOW_MS + (RECORDS / 4) * STEP).toISOString(),
      to: new Date(NOW_MS + (RECORDS / 4) * STEP + 3_600_000).toISOString(),
      principal: ["corp/payments-777"],
    },
  };
  for (const [name, input] of Object.entries(questions)) {
    const times: Took[] = [];
    for (let round = 0; round < 5; round++) times.push(await searched(input));
    console.log(`${runtime} ${name}: ${seconds(worst(times))}, worst of 5`);
  }
  const whole = Math.max(...[0, 1, 2].map(() => commandLine("--principal", "corp/payments-777")));
  console.log(`${runtime} the whole command: ${(whole / 1000).toFixed(3)} s, worst of 3`);
}

/** Segments that are not yet. */
async function compressAll(): Promise<void> {
  let [bytes, compressedBytes] = [0, 0];
  const took = await timed(async () => {
    for (const { name, packed } of await listSegments(folder)) {
      if (packed) continue;
      const done = await compressSegment(folder, name);
      bytes += done.bytes;
      compressedBytes += done.compressedBytes;
    }
  });
  if (bytes === 0) return;
  const perRecord = ((took.cpuMs * 1000) / RECORDS).toFixed(2);
  const part = (compressedBytes / bytes).toFixed(3);
  console.log(`${runtime} compressed: ${seconds(took)}, ${perRecord} µs CPU a record, to ${part}`);
}

interface Took {
  readonly ms: number;
  readonly cpuMs: number;
}

async function timed(run: () => Promise<unknown>): Promise<Took> {
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  await run();
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - started, cpuMs: (user + system) / 1000 };
}

/** The longest by the clock, and the longest by the processor. */
function worst(times: readonly Took[]): Took {
  const longest = (of: (took: Took) => number): number => Math.max(...times.map(of));
  return { ms: longest(({ ms }) => ms), cpuMs: longest(({ cpuMs }) => cpuMs) };
}

async function searched(input: FilterInput): Promise<Took> {
  const filter = readFilter(input, NOW_MS);
  const deps = { monotonic: () => performance.now(), said: () => undefined };
  return await timed(() => searchLog(folder, { filter, limit: 20 }, deps));
}

function commandLine(...args: readonly string[]): number {
  const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
  const started = performance.now();
  const words = [main, "audit", "search", "--audit", folder, ...args];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - started;
}

/** Two workers, each with its own segments; half decisions, half completions. */
function generate(): void {
  const clock = new ManualClock(NOW_MS);
  const nextId = createDecisionIds(clock);
  const serializer = new Serializer({
    maskQuery: createQueryMask({ values: "masked", keep: [] }),
    hash: createValueHash(new Uint8Array(32)),
  });
  const writers = Array.from({ length: WORKERS }, (_, index) => new SegmentWriter(index + 1));
  const base = permit();
  const principals = Array.from({ length: PRINCIPALS }, (_, index) => ({
    ...(base.principal ?? { kind: "workload" as const, authenticator: "corp" }),
    subject: `payments-${index}`,
    roles: ["AdminService"],
    groups: [],
    attributes: { tenant: "acme", external: false },
  }));
  for (let index = 0; index * 2 < RECORDS; index++) {
    clock.advance(STEP);
    const timeMs = clock.now();
    const writer = writers[index % WORKERS];
    const denied = index % 50 === 0;
    const decisionId = nextId();
    const record = permit({
      timeMs,
      decisionId,
      // What shrinks least: no record has that of another.
      requestId: randomBytes(8).toString("hex"),
      trace: randomBytes(16).toString("hex"),
      path: `/billing/records/${index}`,
      peerAddress: `192.0.${index % 7}.${index % 251}`,
      principal: principals[(index * 7919) % PRINCIPALS],
      route: `billing-${index % 40}`,
      service: `service-${index % 10}`,
      ...(denied
        ? {
            decision: "deny" as const,
            reason:
              index % 1_000_000 === 0 ? ("step-up-required" as const) : ("no-permit" as const),
          }
        : {}),
    });
    writer?.write(timeMs, (lines) => serializer.decision(lines, record, false));
    writer?.write(timeMs, (lines) =>
      serializer.completion(lines, completion({ timeMs: timeMs + 7, decisionId })),
    );
  }
  for (const writer of writers) writer.close();
}

/** Of a decision in the middle of the log. */
async function middleId(): Promise<string> {
  const segments = await listSegments(folder);
  const segment = segments[Math.floor(segments.length / 2)];

  if (segment === undefined) throw new Error("no segments");
  for await (const { bytes } of readSegment(segment, 0)) {
    const line = bytes.toString("utf8", 0, bytes.indexOf(0x0a));
    return (JSON.parse(line) as { readonly decisionId: string }).decisionId;
  }
  throw new Error("no records");
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function seconds({ ms, cpuMs }: Took): string {
  return `${(ms / 1000).toFixed(3)} s (CPU ${(cpuMs / 1000).toFixed(3)} s)`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
