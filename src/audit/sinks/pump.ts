/**
 * Feeds one sink from the log, at the sink's own pace: reads what comes next, delivers it, remembers
 * where it stands. One batch is in memory, one delivery under way. A receiver that is not there costs
 * nothing but its lag, which is bounded by `maxLag`: what lies beyond is skipped, and that is said.
 *
 * A record is delivered at least once: what was delivered right before a crash comes again, with the
 * same id.
 */
import type { EventLog } from "../../model/events.ts";
import type { Clock, Log, Timers } from "../../model/ports.ts";
import { createFilter, type Filter, gather, type Gathered } from "./gather.ts";
import { type Positions, writePositions } from "./positions.ts";
import type { RecordSource, SegmentFigures } from "./record-source.ts";
import type { Delivery, Sink } from "./sink.ts";
import type { SinkMetrics } from "./sink-metrics.ts";
import type { SinkOptions } from "./sink-options.ts";
import { Shortfall } from "./shortfall.ts";
import { backOffMs, Pauses } from "./waiting.ts";

const LIMITS = {
  /** Milliseconds between looks at a log that had nothing new. */
  idleMs: 500,
  /** Milliseconds between writes of the position. What was delivered since comes again after a crash. */
  saveMs: 500,
  /** Milliseconds until a log that could not be read is read again. */
  faultMs: 5000,
  /** Milliseconds that the end waits for what is left to be delivered. */
  closeMs: 2000,
  /** Of `maxLag`, what is left after a skip, so that it does not skip a little each second. */
  kept: 0.75,
} as const;

export interface PumpParts {
  readonly options: SinkOptions;
  readonly sink: Sink;
  readonly source: RecordSource;
  readonly positions: Positions;
  /** Where they are kept. */
  readonly path: string;
}

export interface PumpDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly events: EventLog;
  readonly metrics: SinkMetrics;
  /** From 0 to 1. */
  readonly random: () => number;
}

export class Pump {
  readonly #parts: PumpParts;
  readonly #deps: PumpDeps;
  readonly #filter: Filter;
  readonly #pauses: Pauses;
  readonly #shortfall: Shortfall;
  readonly #abort = new AbortController();
  /** Records that go at once: fewer for a time, where a receiver said that they were too many. */
  #most: number;
  /** Whether what there is has waited for others. */
  #waited = false;
  #closing = false;
  #skips = 0;
  #turn = 0;
  /** As the log was last looked at. */
  #seen: readonly SegmentFigures[] = [];
  #oldestMs: number | undefined;
  #dirty = true;
  #savedAtMs: number;
  #running: Promise<void> | undefined;

  constructor(parts: PumpParts, deps: PumpDeps) {
    this.#parts = parts;
    this.#deps = deps;
    this.#filter = createFilter(parts.options);
    this.#pauses = new Pauses(deps.timers);
    this.#shortfall = new Shortfall(parts.options.name, deps);
    this.#most = parts.options.batch.records;
    this.#savedAtMs = deps.clock.monotonic();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Time passes. */
  tick(): void {
    this.#measure();
    this.#shortfall.tell();
  }

  /** Delivers what is left, for a moment; remembers where it stands. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#pauses.end();
    const cancel = this.#deps.timers.after(LIMITS.closeMs, () => this.#abort.abort());
    await this.#running;
    cancel();
    await this.#save();
    this.#shortfall.tell();
    this.#parts.sink.close?.();
    await this.#parts.source.close();
  }

  async #run(): Promise<void> {
    let more = true;
    while (more && !this.#abort.signal.aborted) {
      try {
        more = (await this.#round()) || !this.#closing;
      } catch (error) {
        const fault = error instanceof Error ? error : new Error("unknown");
        this.#say("audit sink: the log cannot be read", { error: fault });
        more = !this.#closing;
        await this.#pauses.wait(LIMITS.faultMs);
      }
    }
  }

  /** Whether it came further. */
  async #round(): Promise<boolean> {
    const { options, source, positions } = this.#parts;
    const { bytes, wait } = options.batch;
    const segments = await this.#look();
    const limits = { filter: this.#filter, maxRecords: this.#most, maxBytes: bytes };
    const gathered = await gather(source, { segments, positions }, limits);
    const [first] = gathered.records;
    if (first === undefined) {
      this.#advance(gathered);
      this.#oldestMs = undefined;
      this.#waited = false;
      this.#measure();
      await this.#saveWhereDue();
      if (!gathered.full) await this.#pauses.wait(LIMITS.idleMs);
      return gathered.full;
    }
    this.#oldestMs = Date.parse(first.entry.time);
    if (!gathered.full && !this.#waited && !this.#closing && wait > 0) {
      this.#waited = true;
      await this.#pauses.wait(wait);
      return true;
    }
    this.#waited = false;
    return await this.#deliver(gathered);
  }

  async #deliver(gathered: Gathered): Promise<boolean> {
    const { sink } = this.#parts;
    const { records } = gathered;
    for (let failures = 0; ; failures += 1) {
      const delivery = await this.#pauses.until(
        sink.deliver(records, this.#abort.signal),
        this.#abort.signal,
      );
      if (delivery === undefined) return false;
      if (delivery.kind !== "retry") {
        await this.#delivered(gathered, delivery);
        return true;
      }
      if (!(await this.#failed(delivery, failures))) return false;
      const before = this.#skips;
      await this.#look();
      // Something of what was gathered is skipped by now.
      if (this.#skips !== before) return true;
    }
  }

  async #delivered(
    gathered: Gathered,
    delivery: Exclude<Delivery, { kind: "retry" }>,
  ): Promise<void> {
    const { metrics } = this.#deps;
    const { length } = gathered.records;
    if (delivery.kind === "too-large" && length > 1) {
      this.#most = Math.max(1, Math.floor(length / 2));
      return;
    }
    const refused = delivery.kind === "delivered" ? Math.min(delivery.refused, length) : length;
    metrics.delivered.inc(length - refused);
    if (refused > 0) {
      metrics.refused.inc(refused);
      this.#shortfall.refused(refused, delivery.why ?? "the receiver gave no reason");
    } else {
      this.#most = Math.min(this.#most * 2, this.#parts.options.batch.records);
    }
    this.#advance(gathered);
    this.#measure();
    await this.#saveWhereDue();
  }

  /** False where it is not tried again. */
  async #failed(
    { why, afterMs }: Delivery & { kind: "retry" },
    failures: number,
  ): Promise<boolean> {
    const retryMs = backOffMs({ failures, afterMs, random: this.#deps.random });
    this.#deps.metrics.failures.inc();
    if (this.#closing) return false;
    this.#say("audit sink: records cannot be delivered", {
      why,
      retryMs,
      lagBytes: this.#lagBytes,
    });
    await this.#saveWhereDue();
    await this.#pauses.wait(retryMs);
    return !this.#closing;
  }

  /** What there is to read; skips what is beyond the bound, and says what is lost. */
  async #look(): Promise<readonly SegmentFigures[]> {
    const { source, positions } = this.#parts;
    const { names, segments } = await source.list(positions.done);
    for (const { segment, offset } of positions.keepOnly(names)) this.#lost(segment, offset);
    this.#seen = segments;
    for (const { segment } of segments) positions.know(segment);
    await this.#skipBeyond();
    this.#measure();
    const open = segments.filter(({ segment }) => !positions.done.has(segment));
    return inTurn(open, this.#turn++);
  }

  #lost(segment: string, offset: number): void {
    const bytes = (this.#seen.find((one) => one.segment === segment)?.bytes ?? offset) - offset;
    if (bytes > 0) this.#skipped("removed", bytes);
    this.#dirty = true;
  }

  /** Bytes that are there and not yet delivered. */
  get #lagBytes(): number {
    return this.#seen.reduce((sum, one) => sum + this.#behind(one), 0);
  }

  #behind({ segment, bytes }: SegmentFigures): number {
    const { positions } = this.#parts;
    return positions.done.has(segment) ? 0 : Math.max(0, bytes - positions.of(segment));
  }

  async #skipBeyond(): Promise<void> {
    const { options, source, positions } = this.#parts;
    const lag = this.#lagBytes;
    if (lag <= options.maxLag) return;
    let over = lag - Math.floor(options.maxLag * LIMITS.kept);
    for (const one of this.#seen) {
      if (over <= 0) break;
      const { segment, bytes, final, compressed } = one;
      const behind = this.#behind(one);
      const from = positions.of(segment);
      let skipped = behind;
      if (final && (behind <= over || compressed)) {
        positions.finish(segment);
      } else {
        const at = await source.lineStart(segment, Math.min(bytes, from + over));
        skipped = Math.max(0, at - from);
        if (skipped > 0) positions.set(segment, at);
      }
      over -= skipped;
      if (skipped > 0) this.#skipped("lag", skipped);
    }
    await this.#save();
  }

  #skipped(cause: "lag" | "removed", bytes: number): void {
    this.#skips += 1;
    this.#dirty = true;
    this.#deps.metrics.skippedBytes[cause].inc(bytes);
    this.#shortfall.skipped(cause, bytes);
  }

  #advance({ ends, finished, unreadable }: Gathered): void {
    const { positions } = this.#parts;
    for (const [segment, offset] of ends) positions.set(segment, offset);
    for (const segment of finished) positions.finish(segment);
    if (ends.size > 0 || finished.length > 0) this.#dirty = true;
    if (unreadable > 0) {
      this.#deps.metrics.unreadable.inc(unreadable);
      this.#say("audit sink: lines of the log are no records", { lines: unreadable });
    }
  }

  #measure(): void {
    const { clock, metrics } = this.#deps;
    const lagBytes = this.#lagBytes;
    metrics.lagBytes.set(lagBytes);
    const oldest = lagBytes > 0 ? this.#oldestMs : undefined;
    const ms = oldest === undefined || Number.isNaN(oldest) ? 0 : clock.now() - oldest;
    metrics.lagSeconds.set(Math.max(0, ms / 1000));
  }

  async #saveWhereDue(): Promise<void> {
    const due = this.#deps.clock.monotonic() - this.#savedAtMs >= LIMITS.saveMs;
    if (this.#dirty && due) await this.#save();
  }

  async #save(): Promise<void> {
    const { path, positions } = this.#parts;
    this.#dirty = false;
    this.#savedAtMs = this.#deps.clock.monotonic();
    try {
      await writePositions(path, positions);
    } catch (error) {
      this.#dirty = true;
      const fault = error instanceof Error ? error : new Error("unknown");
      this.#say("audit sink: its position cannot be kept; after a crash records come again", {
        error: fault,
      });
    }
  }

  #say(event: string, fields: Readonly<Record<string, string | number | Error>>): void {
    this.#deps.log.warn(event, { sink: this.#parts.options.name, ...fields });
  }
}

/** What grows no more first and in its order; those that grow (one for each worker) in turn. */
function inTurn(segments: readonly SegmentFigures[], turn: number): readonly SegmentFigures[] {
  const final = segments.filter((one) => one.final);
  const growing = segments.filter((one) => !one.final);
  const at = growing.length === 0 ? 0 : turn % growing.length;
  return [...final, ...growing.slice(at), ...growing.slice(0, at)];
}
