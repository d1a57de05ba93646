/** What the tests of the audit log share: records, hand-turned time, disks that fail when told to. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { auditSchema, type AuditInput } from "../src/audit/audit-options.ts";
import { systemFiles, type AuditFile, type AuditFiles } from "../src/audit/files.ts";
import { createAuditLog, type AuditDeps, type RunningAuditLog } from "../src/audit/log.ts";
import { isRecordFault, parseRecord, type RecordedEntry } from "../src/audit/record-schema.ts";
import type { Log, LogFields, Timers } from "../src/model/ports.ts";
import type { CompletionRecord, DecisionRecord } from "../src/model/records.ts";
import { ManualClock } from "../src/platform/clock.ts";
import { createMetrics, type RunningMetrics } from "../src/telemetry/metrics.ts";

/** For tests of the log, which lies beside the metrics and not above them. */
export { createMetrics };

export const NOW_MS = Date.UTC(2026, 10, 24, 4, 5, 6, 123);

export function permit(changes: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    timeMs: NOW_MS,
    decisionId: "01KAT9T5KVH7Q2M4X8Z0R3B6CD",
    listener: "edge",
    peerAddress: "192.0.2.7",
    peerPort: 50_114,
    clientAddress: undefined,
    requestId: "5f0c9d5e",
    principal: {
      kind: "workload",
      authenticator: "corp",
      subject: "payments",
      roles: ["AdminService", "corp/batch"],
      groups: [],
      attributes: { tenant: "acme", external: false },
    },
    scopes: ["billing.read"],
    authn: {
      kind: "jwt",
      authenticator: "corp",
      ageSeconds: 12,
      acr: "aal2",
      amr: [],
      bound: false,
    },
    credentials: [
      { kind: "bearer", hash: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg", outcome: "used" },
    ],
    method: "GET",
    host: "api.example.com",
    httpVersion: "2",
    path: "/billing/records/17",
    query: "page=2&token=abc",
    params: {},
    route: "billing",
    service: "billing",
    decision: "permit",
    reason: "permitted",
    detail: undefined,
    determining: ["billing-admins"],
    erroring: [],
    reads: [{ kind: "header", name: "x-tenant", values: ["acme"] }],
    bundle: "sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    ...changes,
  };
}

/** A denial of a caller without an identity. */
export function strangerDenial(changes: Partial<DecisionRecord> = {}): DecisionRecord {
  return permit({
    principal: undefined,
    authn: undefined,
    scopes: [],
    credentials: [],
    determining: [],
    reads: [],
    decision: "deny",
    reason: "missing-credential",
    ...changes,
  });
}

export function completion(changes: Partial<CompletionRecord> = {}): CompletionRecord {
  return {
    timeMs: NOW_MS + 7,
    decisionId: "01KAT9T5KVH7Q2M4X8Z0R3B6CD",
    upstream: "127.0.0.1:9001",
    status: 200,
    requestBytes: 0,
    responseBytes: 1834,
    durationMs: 6.4375,
    upstreamMs: 5.9,
    end: "complete",
    ...changes,
  };
}

/** A folder that goes when the test ends. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-audit-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface LoggedEvent {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: LogFields;
}

/** A log that keeps what it is told. */
export function keepingLog(): Log & { readonly events: LoggedEvent[] } {
  const events: LoggedEvent[] = [];
  const keep =
    (level: keyof Log) =>
    (event: string, fields: LogFields = {}) => {
      events.push({ level, event, fields });
    };
  return {
    events,
    debug: keep("debug"),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
  };
}

/** Timers that a test turns: `run` lets those that are due by then go off, in order. */
export class ManualTimers implements Timers {
  readonly #clock: ManualClock;
  #waiting: { readonly at: number; readonly run: () => void }[] = [];

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.#clock.monotonic() + ms, run };
    this.#waiting.push(entry);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== entry);
    };
  }

  advance(ms: number): void {
    const end = this.#clock.monotonic() + ms;
    for (;;) {
      const [next] = this.#waiting
        .filter((entry) => entry.at <= end)
        .toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.#clock.advance(Math.max(0, next.at - this.#clock.monotonic()));
      next.run();
    }
    this.#clock.advance(end - this.#clock.monotonic());
  }
}

/** The system's files, with faults put in front of them. */
export class FaultyFiles implements AuditFiles {
  /** Errors by verb; one is thrown for as long as it stands. */
  readonly faults = new Map<"create" | "write" | "datasync" | "free", Error>();
  /** Most bytes of one write, or undefined. */
  shortWrite: number | undefined;
  /** Bytes that still fit, or undefined for no bound. */
  room: number | undefined;
  /** What `free` answers, or undefined for what the disk says. */
  freeBytes: number | undefined;
  /** Writes wait for this. */
  gate: Promise<void> = Promise.resolve();
  /** After this many writes one write fails with `lateFault`. */
  failAfterWrites: number | undefined;
  lateFault: Error | undefined;
  syncs = 0;
  writes = 0;
  readonly #inner = new WeakMap<AuditFile, AuditFile>();

  async create(folder: string, name: string): Promise<AuditFile> {
    this.#check("create");
    const inner = await systemFiles.create(folder, name);
    const file: AuditFile = {
      write: (data, offset) => this.#write(inner, data, offset),
      datasync: async () => {
        this.#check("datasync");
        this.syncs += 1;
        await inner.datasync();
      },
      size: () => inner.size(),
      close: () => inner.close(),
    };
    this.#inner.set(file, inner);
    return file;
  }

  at(path: string, file: AuditFile): Promise<boolean> {
    return systemFiles.at(path, this.#inner.get(file) ?? file);
  }

  async free(folder: string): Promise<number> {
    this.#check("free");
    return this.freeBytes ?? (await systemFiles.free(folder));
  }

  remove(path: string): Promise<void> {
    return systemFiles.remove(path);
  }

  async #write(inner: AuditFile, data: Uint8Array, offset: number): Promise<number> {
    await this.gate;
    this.#check("write");
    if (this.writes === this.failAfterWrites && this.lateFault !== undefined) {
      this.failAfterWrites = undefined;
      throw this.lateFault;
    }
    this.writes += 1;
    const most = Math.min(this.shortWrite ?? Infinity, this.room ?? Infinity);
    if (most === 0) throw systemError("ENOSPC");
    const end = Math.min(data.length, offset + most);
    const taken = await inner.write(data.subarray(0, end), offset);
    if (this.room !== undefined) this.room -= taken;
    return taken;
  }

  #check(verb: "create" | "write" | "datasync" | "free"): void {
    const fault = this.faults.get(verb);
    if (fault !== undefined) throw fault;
  }
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export interface Bench {
  readonly log: RunningAuditLog;
  readonly folder: string;
  readonly events: LoggedEvent[];
  readonly metrics: RunningMetrics;
  readonly clock: ManualClock;
}

/** An open log in a temporary folder, closed when the test ends. */
export async function openLog(
  context: TestContext,
  input: Partial<AuditInput> = {},
  deps: Partial<AuditDeps> & { readonly folder?: string } = {},
): Promise<Bench> {
  const folder = deps.folder ?? join(await temporaryFolder(context), "audit");
  const clock = deps.clock instanceof ManualClock ? deps.clock : new ManualClock(NOW_MS);
  const keeping = keepingLog();
  const metrics = createMetrics();
  const options = auditSchema.parse({ path: folder, reserve: "0B", ...input });
  const log = await createAuditLog(options, { clock, log: keeping, metrics, ...deps });
  context.after(() => log.close().catch(() => undefined));
  return { log, folder, events: keeping.events, metrics, clock };
}

/** The text of all segments, in the order of their names. */
export async function readSegments(folder: string): Promise<{ name: string; text: string }[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".jsonl")).toSorted();
  return Promise.all(
    names.map(async (name) => ({ name, text: await readFile(join(folder, name), "utf8") })),
  );
}

/** All records of a folder; throws at the first line that is none. */
export async function readRecords(folder: string): Promise<RecordedEntry[]> {
  const segments = await readSegments(folder);
  return segments.flatMap(({ name, text }) => {
    if (text !== "" && !text.endsWith("\n")) throw new Error(`${name} has a torn end`);
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => checkedRecord(line));
  });
}

export function checkedRecord(line: string): RecordedEntry {
  const entry = parseRecord(line);
  if (isRecordFault(entry)) throw new Error(`${entry.fault}: ${line}`);
  return entry;
}

/** Polls, because what is waited for happens in another thread or process. Fails after ten seconds. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** RFC 8785, the plain way: the oracle of the hand-written serialisation. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}
