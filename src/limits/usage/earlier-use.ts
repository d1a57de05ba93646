/**
 * What processes let through before they ended, read from the log after the quotas of this process began
 * with what the book said: after a crash the book lacks the last seconds of it. What processes that run let
 * through, they count themselves.
 */
import type { Clock } from "../../model/ports.ts";
import type { QuotaStep } from "../../model/quota-steps.ts";
import { type Period, periodEnd, periodStart } from "./periods.ts";
import type { SumOf, Used } from "./usage-book.ts";

export interface EarlierUseOptions {
  readonly periods: readonly Period[];
  readonly tell: (steps: readonly QuotaStep[]) => void;
  readonly clock: Clock;
  /** Whether a process runs. */
  readonly alive?: (pid: number) => boolean;
}

/** Of a file of the log, `audit-<start>-<process id>…`. */
const WRITER = /^audit-[0-9TZ.]+-(\d+)[A-Za-z0-9-]*\.jsonl(?:\.gz)?$/;

export class EarlierUse {
  readonly #options: EarlierUseOptions;
  /** Files that were there at the beginning and whose process was gone. */
  readonly #segments: ReadonlySet<string>;
  #steps: Map<string, QuotaStep> | undefined;

  /** `files`: names in the folder of the log. */
  constructor(files: readonly string[], options: EarlierUseOptions) {
    this.#options = options;
    const { alive = isAlive } = options;
    const gone = files.filter((file) => {
      const [, pid] = WRITER.exec(file) ?? [];
      return pid !== undefined && !alive(Number(pid));
    });
    this.#segments = new Set(gone.map((file) => file.replace(/\.gz$/, "")));
  }

  /** What is counted until `end` is of this file. */
  begin(segment: string): void {
    this.#steps = this.#segments.has(segment) ? new Map() : undefined;
  }

  counted({ key, hourMs }: SumOf, { requests, bytesIn, bytesOut, cost }: Used): void {
    if (this.#steps === undefined || key.plan === "") return;
    const now = this.#options.clock.now();
    for (const period of this.#options.periods) {
      const start = periodStart(period, hourMs);
      if (periodEnd(period, start) <= now) continue;
      const name = `${period} ${start} ${key.principal}`;
      const [, , , r, b, c] = this.#steps.get(name) ?? [key.principal, period, start, 0, 0, 0];
      const bytes = b + bytesIn + bytesOut;
      this.#steps.set(name, [key.principal, period, start, r + requests, bytes, c + cost]);
    }
  }

  end(): void {
    const steps = this.#steps;
    this.#steps = undefined;
    if (steps !== undefined && steps.size > 0) this.#options.tell([...steps.values()]);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process runs.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
