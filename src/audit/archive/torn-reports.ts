/**
 * Says once of each file that ended in a torn line that it did: in the log of the process, and as an
 * `event` record. Which were told is kept in a file, because every start sees their ends again.
 */
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../../model/errors.ts";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Counter, Log, Metrics } from "../../model/ports.ts";
import type { RecordBatch, SegmentEnd } from "../../model/record-feed.ts";
import { readFileBytes } from "../../platform/files.ts";
import { codeOf } from "../files.ts";
import { holds } from "./holds.ts";

/** In the folder of the log: a name a line. */
const FILE = "torn.list";

export interface TornDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
}

export class TornReports {
  readonly #path: string;
  readonly #deps: TornDeps;
  readonly #torn: Counter;
  readonly #told: Set<string>;
  /** Written down, and not yet read back. */
  readonly #waiting = new Set<string>();

  private constructor(path: string, told: Set<string>, deps: TornDeps) {
    this.#path = path;
    this.#told = told;
    this.#deps = deps;
    this.#torn = deps.metrics
      .counter(
        "sallyport_audit_torn_files",
        "Files of the log found to end in a torn line: their process died while it wrote.",
      )
      .with();
  }

  /** Throws SallyportError `audit-failed`. */
  static open(folder: string, deps: TornDeps): TornReports {
    const path = join(folder, FILE);
    return new TornReports(path, new Set(readOrEmpty(path).split("\n")), deps);
  }

  /** A segment that all have read to its end. */
  ended({ segment, tornBytes }: SegmentEnd): void {
    if (tornBytes === 0 || this.#told.has(segment) || this.#waiting.has(segment)) return;
    const { clock, log, events } = this.#deps;
    this.#torn.inc();
    this.#waiting.add(segment);
    log.warn("audit: a file of the log ends in a torn record: its process died while it wrote", {
      file: segment,
      bytes: tornBytes,
    });
    events.event({
      timeMs: clock.now(),
      event: "torn-record",
      detail: "its process died while it wrote",
      figures: { bytes: tornBytes, file: segment },
    });
  }

  /** Each piece that was read: what stands in it is told. */
  saw(batch: RecordBatch): void {
    if (this.#waiting.size === 0 || !holds(batch.bytes, '"event":"torn-record"')) return;
    for (const entry of batch.entries()) {
      if (entry.type !== "event" || entry.event !== "torn-record") continue;
      const file = String(entry.figures?.["file"]);
      if (this.#waiting.delete(file)) void this.#keep(file);
    }
  }

  async #keep(segment: string): Promise<void> {
    this.#told.add(segment);
    try {
      await appendFile(this.#path, `${segment}\n`, { mode: 0o600 });
    } catch (error) {
      // Then the next start tells it again.
      const fields = { error: error instanceof Error ? error : undefined };
      this.#deps.log.warn("audit: that a torn record was told could not be kept", fields);
    }
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileBytes(path).toString("utf8");
  } catch (error) {
    const code = codeOf(error) ?? "unknown";
    if (code === "ENOENT") return "";
    const remedy = "remove it, and torn ends are told once more";
    throw new SallyportError("audit-failed", `audit: ${path} cannot be read (${code}); ${remedy}`, {
      cause: error,
    });
  }
}
