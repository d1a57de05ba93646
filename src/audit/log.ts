/**
 * The audit log: every decision and every completion, as files in a folder that is ours alone.
 *
 * It is the record (design section 5, rule 6): while it cannot be written, `writable` is false and
 * `decision` refuses, so that no request is forwarded that nobody would know of. It refuses a folder
 * that others can enter. Denials of strangers beyond a rate are only counted (rule 5).
 */
import type { EventLog, EventRecord } from "../model/events.ts";
import type { Clock, Log, Metrics, Timers } from "../model/ports.ts";
import type { AuditLog, CompletionRecord, DecisionRecord, Taken } from "../model/records.ts";
import { systemTimers } from "../platform/timers.ts";
import type { AuditOptions } from "./audit-options.ts";
import { systemFiles, type AuditFiles } from "./files.ts";
import { registerFigures, type Figures } from "./figures.ts";
import { type AuditFolder, openAuditFolder, type TornFile } from "./folder.ts";
import { createQueryMask } from "./query-mask.ts";
import { PersonKeys } from "./redact/person-keys.ts";
import { createRedaction, type Redaction } from "./redact/redact-record.ts";
import { Serializer, type SummaryCount } from "./serialize.ts";
import { watchSpace, type SpaceWatch } from "./space.ts";
import { Summaries } from "./summaries.ts";
import { createTokenBucket } from "./token-bucket.ts";
import { createValueHash } from "./value-hash.ts";
import { RecordWriter } from "./writer.ts";

const LIMITS = {
  /**
   * Bytes that wait for the disk. Beyond it the disk is slower than the traffic, which is then
   * refused until half of it is written. At full speed it is most of a second.
   */
  pending: 16 * 1024 * 1024,
} as const;

export interface AuditDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Tells apart the files of several writers: the process id, then letters, digits and `-`. Default: the process id. */
  readonly instance?: string;
  readonly files?: AuditFiles;
  readonly timers?: Timers;
  /** Bytes that may wait for the disk; for tests. */
  readonly maxPending?: number;
}

/** An open audit log. */
export interface RunningAuditLog extends AuditLog, EventLog {
  /** Files that an earlier crash left with a torn last line. Left as they are. */
  readonly torn: readonly TornFile[];
  /** Writes and syncs all that was taken. Rejects with `audit-failed` when records are lost. */
  close(): Promise<void>;
}

/** Opens the log. Rejects with SallyportError `audit-failed`. */
export async function createAuditLog(
  options: AuditOptions,
  deps: AuditDeps,
): Promise<RunningAuditLog> {
  const { clock, log } = deps;
  const files = deps.files ?? systemFiles;
  const timers = deps.timers ?? systemTimers;
  const instance = checkInstance(deps.instance ?? String(process.pid));
  const folder = await openAuditFolder(options.path);
  for (const { file, bytes } of folder.torn) {
    log.warn("audit: an earlier file ends in a torn record", { file, bytes });
  }
  const figures = registerFigures(deps.metrics);
  const writer = await RecordWriter.open(
    {
      folder: folder.path,
      instance,
      strict: options.durability === "strict",
      flushIntervalMs: options.flushInterval,
      segmentBytes: options.segment,
    },
    { clock, log, files, timers, ...figures },
  );
  const space = await watchSpace(options.reserve, {
    free: () => files.free(folder.path),
    timers,
    log,
  });
  const maskQuery = createQueryMask(options.query);
  const serializer = new Serializer({
    maskQuery,
    hash: createValueHash(folder.key),
  });
  const running = new FileAuditLog(options, {
    clock,
    log,
    timers,
    figures,
    writer,
    space,
    serializer,
    redaction: redactionOf(options, { folder, clock, maskQuery }),
    maxPending: deps.maxPending ?? LIMITS.pending,
    torn: folder.torn,
  });
  deps.metrics.sampled(
    "sallyport_audit_pending_bytes",
    "Records that wait for the disk.",
    () => writer.pendingSize,
  );
  deps.metrics.sampled(
    "sallyport_audit_free_bytes",
    "Free space of the audit log's disk.",
    () => space.freeBytes,
  );
  deps.metrics.sampled(
    "sallyport_audit_writable",
    "1 while the audit log takes decisions, else 0 and traffic is refused.",
    () => (running.writable() ? 1 : 0),
  );
  return running;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly timers: Timers;
  readonly figures: Figures;
  readonly writer: RecordWriter;
  readonly space: SpaceWatch;
  readonly serializer: Serializer;
  /** Undefined: records are written as they are. */
  readonly redaction: Redaction | undefined;
  readonly maxPending: number;
  readonly torn: readonly TornFile[];
}

class FileAuditLog implements RunningAuditLog {
  readonly torn: readonly TornFile[];
  readonly #parts: Parts;
  readonly #strict: boolean;
  readonly #summaryMs: number;
  readonly #summaries: Summaries;
  readonly #takeStranger: () => boolean;
  #overfull = false;
  #closing: Promise<void> | undefined;
  #cancelSummary: () => void;

  constructor(options: AuditOptions, parts: Parts) {
    this.#parts = parts;
    this.torn = parts.torn;
    this.#strict = options.durability === "strict";
    this.#summaryMs = options.summaryInterval;
    this.#summaries = new Summaries(parts.clock.now());
    this.#takeStranger = createTokenBucket(options.unidentified, parts.clock);
    this.#cancelSummary = parts.timers.after(this.#summaryMs, () => this.#onSummaryTime());
  }

  writable(): boolean {
    if (this.#closing !== undefined || this.#parts.writer.failing) return false;
    return this.#parts.space.space !== "none" && !this.#isOverfull();
  }

  decision(record: DecisionRecord): Taken {
    const denied = record.decision === "deny";
    const stranger = record.principal === undefined || record.principal.kind === "anonymous";
    const cause = !this.writable()
      ? "unwritable"
      : denied
        ? this.#whyOnlyCounted(stranger)
        : undefined;
    if (cause === undefined) return this.#write(record, stranger);
    return denied ? this.#count(record, cause) : this.#refuse(record);
  }

  completion(record: CompletionRecord): void {
    // Taken even while the log cannot be written: each one belongs to a decision that was taken
    // before, so there are no more of them than requests under way.
    try {
      const { writer, serializer } = this.#parts;
      writer.append((lines) => serializer.completion(lines, record));
      this.#parts.figures.completions.inc();
    } catch (error) {
      this.#parts.figures.lost.inc();
      this.#parts.log.error("audit: a completion could not be recorded", {
        decisionId: record.decisionId,
        error: error instanceof Error ? error : undefined,
      });
    }
  }

  event(record: EventRecord): void {
    // There are few of them, and what they tell is worth the space that is kept for permits.
    try {
      const { writer, serializer, redaction } = this.#parts;
      const written = redaction === undefined ? record : redaction.event(record);
      writer.append((lines) => serializer.event(lines, written));
      this.#parts.figures.events.inc();
    } catch (error) {
      this.#parts.figures.lost.inc();
      this.#parts.log.error("audit: an event could not be recorded", {
        event: record.event,
        error: error instanceof Error ? error : undefined,
      });
    }
  }

  durable(atLeast?: "written"): Promise<void> | undefined {
    return this.#strict || atLeast === "written" ? this.#parts.writer.durable() : undefined;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Permits always get their record; denials only while there is room for them. */
  #whyOnlyCounted(stranger: boolean): "space" | "rate" | undefined {
    const { space } = this.#parts.space;
    if (space !== "plenty" && (stranger || space !== "strangers")) return "space";
    return stranger && !this.#takeStranger() ? "rate" : undefined;
  }

  #write(record: DecisionRecord, stranger: boolean): Taken {
    try {
      const { writer, serializer, redaction } = this.#parts;
      const written = redaction === undefined ? record : redaction.decision(record);
      writer.append((lines) => serializer.decision(lines, written, stranger));
    } catch (error) {
      this.#parts.log.error("audit: a decision could not be recorded", {
        decisionId: record.decisionId,
        error: error instanceof Error ? error : undefined,
      });
      return record.decision === "permit"
        ? this.#refuse(record)
        : this.#count(record, "unwritable");
    }
    this.#parts.figures.decisions.inc();
    return "recorded";
  }

  #refuse(record: DecisionRecord): Taken {
    this.#summaries.count(record.listener, "audit-unavailable", "unwritable");
    this.#parts.figures.refused.inc();
    return "refused";
  }

  #count(record: DecisionRecord, cause: SummaryCount["cause"]): Taken {
    this.#summaries.count(record.listener, record.reason, cause);
    this.#parts.figures.counted[cause].inc();
    return "summarised";
  }

  /** With a gap between on and off, so that it does not change with every record. */
  #isOverfull(): boolean {
    const pending = this.#parts.writer.pendingSize;
    const { maxPending, log } = this.#parts;
    if (this.#overfull && pending <= maxPending / 2) {
      this.#overfull = false;
      log.info("audit: the disk keeps up again", { pendingBytes: pending });
    } else if (!this.#overfull && pending > maxPending) {
      this.#overfull = true;
      log.error("audit: the disk is slower than the traffic, which is refused", {
        pendingBytes: pending,
      });
    }
    return this.#overfull;
  }

  #onSummaryTime(): void {
    // What was counted while the disk fails stays counted until it works again.
    if (!this.#parts.writer.failing) this.#writeSummaries();
    this.#cancelSummary = this.#parts.timers.after(this.#summaryMs, () => this.#onSummaryTime());
  }

  #writeSummaries(): void {
    const { clock, writer, serializer } = this.#parts;
    for (const summary of this.#summaries.take(clock.now())) {
      writer.append((lines) => serializer.summary(lines, summary));
      this.#parts.figures.summaries.inc();
    }
  }

  async #close(): Promise<void> {
    this.#cancelSummary();
    this.#parts.space.stop();
    this.#writeSummaries();
    await this.#parts.writer.close();
  }
}

interface RedactionParts {
  readonly folder: AuditFolder;
  readonly clock: Clock;
  readonly maskQuery: (query: string) => string;
}

function redactionOf(
  { redact }: AuditOptions,
  { folder, clock, maskQuery }: RedactionParts,
): Redaction | undefined {
  if (redact.length === 0) return undefined;
  const keys = new PersonKeys(folder.path, folder.key, clock);
  return createRedaction(redact, { keys, valuesKey: folder.key, maskQuery });
}

function checkInstance(instance: string): string {
  if (!/^\d+[A-Za-z0-9-]{0,40}$/.test(instance)) {
    throw new TypeError("an instance is a process id, then at most 40 letters, digits and '-'");
  }
  return instance;
}
