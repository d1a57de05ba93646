/**
 * The access log: reads the records back from the audit log, joins each decision with its completion,
 * and writes a line for every request that ended. It is a view: it never holds up a request, and what it
 * loses (a full disk, a slow reader of standard output) is counted.
 */
import { join } from "node:path";
import type { Clock, Counter, Log, Metrics } from "../../model/ports.ts";
import type { RecordBatch, RecordConsumer, RecordLine } from "../../model/record-feed.ts";
import { accessDecision, accessEntry } from "./access-entry.ts";
import { type AccessTarget, openAccessFile } from "./access-file.ts";
import { type AccessFormat, accessFormat } from "./access-formats.ts";
import type { AccessLogOptions } from "./access-log-options.ts";
import { type AccessState, readAccessState, writeAccessState } from "./access-state.ts";
import { openAccessOutput } from "./access-output.ts";
import { Pending } from "./pending.ts";

const STATE_FILE = "access-log.json";

export interface AccessLogDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Of the audit log: its folder, and the segments that are there, with their bytes. */
  readonly folder: string;
  readonly segments: () => Promise<Readonly<Record<string, number>>>;
  /** Decisions that wait at once; for tests. */
  readonly most?: number;
}

/** Rejects with SallyportError `io-failed` where its file cannot be written. */
export async function openAccessLog(
  options: AccessLogOptions,
  deps: AccessLogDeps,
): Promise<RecordConsumer> {
  const path = join(deps.folder, STATE_FILE);
  const kept = readAccessState(path, deps.log);
  // The first time it begins with what comes: nobody wants a year of lines at once.
  const state = kept ?? { offsets: await deps.segments(), pending: [] };
  const target =
    options.to === "stdout" ? openAccessOutput() : openAccessFile(options.to, options.rotate);
  return new AccessLog({ options, target, state, path }, deps);
}

interface Parts {
  readonly options: AccessLogOptions;
  readonly target: AccessTarget;
  readonly state: AccessState;
  readonly path: string;
}

class AccessLog implements RecordConsumer {
  readonly name = "access-log";
  readonly #parts: Parts;
  readonly #deps: AccessLogDeps;
  readonly #format: AccessFormat;
  readonly #offsets: Map<string, number>;
  readonly #pending: Pending;
  readonly #written: Counter;
  readonly #lost: Counter;
  #lines: string[] = [];
  #dirty = true;

  constructor(parts: Parts, deps: AccessLogDeps) {
    this.#parts = parts;
    this.#deps = deps;
    const { format, fields } = parts.options;
    this.#format = accessFormat(format, fields);
    this.#offsets = new Map(Object.entries(parts.state.offsets));
    this.#pending = new Pending(deps.most);
    for (const decision of parts.state.pending) this.#pending.add(decision, deps.clock.now());
    const { metrics } = deps;
    this.#written = metrics
      .counter("sallyport_access_log_lines", "Lines of the access log that were written.")
      .with();
    this.#lost = metrics
      .counter(
        "sallyport_access_log_lost_lines",
        "Lines of the access log that its disk or its reader did not take.",
      )
      .with();
    metrics.sampled(
      "sallyport_access_log_waiting",
      "Decisions of which the access log waits for the end of the request.",
      () => this.#pending.size,
    );
  }

  position(segment: string): number {
    return this.#offsets.get(segment) ?? 0;
  }

  take(batch: RecordBatch): void {
    for (const line of batch.entries()) this.#takeLine(line);
    this.#offsets.set(batch.segment, batch.offset + batch.bytes.length);
    this.#dirty = true;
    this.#flush();
  }

  tick(nowMs: number): void {
    for (const decision of this.#pending.before(nowMs - this.#parts.options.wait)) {
      this.#lines.push(this.#format(accessEntry(decision, undefined)));
      this.#dirty = true;
    }
    this.#flush();
    this.#parts.target.tick();
  }

  async commit(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    const there = await this.#deps.segments();
    for (const segment of this.#offsets.keys()) {
      if (there[segment] === undefined) this.#offsets.delete(segment);
    }
    const offsets = Object.fromEntries(this.#offsets);
    try {
      await writeAccessState(this.#parts.path, { offsets, pending: this.#pending.decisions() });
    } catch (error) {
      this.#dirty = true;
      // Lines may come twice after a crash; that is no reason to write none.
      const fault = error instanceof Error ? error : new Error("unknown");
      this.#deps.log.warn("access log: its position cannot be kept", { error: fault });
    }
  }

  async close(): Promise<void> {
    this.#flush();
    await this.commit();
    await this.#parts.target.close();
  }

  #takeLine(line: RecordLine): void {
    if (line.type === "decision") {
      const decision = accessDecision(line);
      if (decision === undefined) return;
      const pushedOut = this.#pending.add(decision, this.#deps.clock.now());
      if (pushedOut !== undefined)
        this.#lines.push(this.#format(accessEntry(pushedOut, undefined)));
    } else if (line.type === "completion") {
      const decision = this.#pending.take(line.decisionId);
      this.#lines.push(this.#format(accessEntry(decision, line)));
    }
  }

  #flush(): void {
    const count = this.#lines.length;
    if (count === 0) return;
    const text = this.#lines.join("");
    this.#lines = [];
    if (this.#parts.target.write(text)) {
      this.#written.inc(count);
      return;
    }
    this.#lost.inc(count);
    this.#deps.log.error("access log: lines are lost", {
      lines: count,
      to: this.#parts.options.to,
    });
  }
}
