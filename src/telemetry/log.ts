/**
 * The operators' log on stderr: JSON lines over `pino` without worker transports, or text for people.
 *
 * It is a copy, never the record (the audit log is), so it never stalls traffic: what the reader of
 * stderr does not take in time is dropped and counted. An event that repeats faster than its rate is
 * left out, and the next line of it says how many were. Values are texts, numbers and booleans;
 * whatever looks like a token or a password is cut out of them, because texts of foreign errors end
 * up here.
 *
 * The first lines come before any configuration is read, so it begins with what the environment says,
 * or with the defaults, and is adjusted by each configuration that comes into force.
 */
import { pino } from "pino";
import type { AdjustableLog, Clock, Counter, LogFields } from "../model/ports.ts";
import { LOG_LEVELS, type LogLevel, type LogSettings } from "./log-options.ts";
import { type PlainFields, textLine } from "./log-text.ts";
import { describeError, redact } from "./log-values.ts";
import { escapeUnprintable } from "../model/unprintable.ts";
import { StderrLines } from "./stderr.ts";

const LIMITS = {
  /** Lines of one event at once, … */
  burst: 20,
  /** … and then per second. */
  perSecond: 1,
  /** Events that are told apart. They are constants in the source; beyond it they share one rate. */
  events: 1024,
} as const;

export interface LogOptions {
  /** Least level that is written, whatever a configuration says. Left out: `info`, until one says another. */
  readonly level?: LogLevel | undefined;
  readonly clock: Clock;
  /** Takes whole lines; `dropped`: how many it did not take until now. Default: stderr. */
  readonly stream?: { write(line: string): void; readonly dropped: number };
}

export interface RunningLog extends AdjustableLog {
  /** Says what was left out and not yet told, and hands everything over, within a second. Before the process ends. */
  close(): Promise<void>;
}

/** A log that writes from `level` on. */
export function createLog(options: LogOptions): RunningLog {
  const { clock, level: fixed } = options;
  const lines = new StderrLines();
  const stream = options.stream ?? lines;
  const json = jsonSink(stream, clock);
  const rates = new Map<string, Rate>();
  let level: LogLevel = fixed ?? "info";
  let format: LogSettings["format"] = "json";
  let passedOver: LogLevel | undefined;
  let counters: { readonly rate: Counter; readonly reader: Counter } | undefined;
  /** Of what the stream dropped. */
  let told = 0;

  function put(at: LogLevel, event: string, fields: PlainFields): void {
    if (format === "json") return json[at](fields, event);
    const time = new Date(clock.now()).toISOString();
    stream.write(textLine({ time, level: at, event, fields }));
  }

  function write(at: LogLevel, event: string, fields: LogFields | undefined): void {
    if (LOG_LEVELS.indexOf(at) < LOG_LEVELS.indexOf(level)) return;
    const withStacks = level === "debug";
    const rate = withStacks ? undefined : rateOf(rates, event, clock);
    if (rate !== undefined && !takeLine(rate, clock)) {
      counters?.rate.inc();
      return;
    }
    const plain = plainFields(fields, withStacks);
    if (rate !== undefined && rate.leftOut > 0) plain["leftOut"] = rate.leftOut;
    const { dropped } = stream;
    if (dropped > told) plain["dropped"] = dropped - told;
    put(at, event, plain);
    // A line that was dropped itself has told nobody.
    if (stream.dropped > dropped) {
      counters?.reader.inc();
      return;
    }
    if (rate !== undefined) rate.leftOut = 0;
    told = dropped;
  }

  return {
    debug: (event, fields) => write("debug", event, fields),
    info: (event, fields) => write("info", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    error: (event, fields) => write("error", event, fields),
    counting(leftOut) {
      counters = leftOut;
    },
    adjust(settings) {
      format = settings.format;
      level = fixed ?? settings.level ?? "info";
      const over = settings.level === level ? undefined : settings.level;
      // Once, not at each reload: who wrote it is to know why it does nothing.
      if (over !== undefined && over !== passedOver) {
        write("warn", "log: SALLYPORT_LOG_LEVEL goes before log.level", { level, written: over });
      }
      passedOver = over;
    },
    async close() {
      for (const [event, rate] of rates) {
        if (rate.leftOut > 0) {
          put("warn", "log: lines were left out", { leftOut: rate.leftOut, of: event });
        }
        rate.leftOut = 0;
      }
      await lines.close();
    },
  };
}

/** Which level is written is decided before it is asked. */
function jsonSink(
  stream: { write(line: string): void },
  clock: Clock,
): Record<LogLevel, (fields: PlainFields, event: string) => void> {
  return pino(
    {
      level: "debug",
      base: null,
      messageKey: "event",
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => stream.write(escapeUnprintable(line)) },
  );
}

interface Rate {
  tokens: number;
  filledAt: number;
  leftOut: number;
}

function rateOf(rates: Map<string, Rate>, event: string, clock: Clock): Rate {
  const found = rates.get(event);
  if (found !== undefined) return found;
  const key = rates.size < LIMITS.events ? event : "(others)";
  const filledAt = clock.monotonic();
  const rate = rates.get(key) ?? { tokens: LIMITS.burst, filledAt, leftOut: 0 };
  rates.set(key, rate);
  return rate;
}

/** Whether a line of it may be written; one that may not is counted. */
function takeLine(rate: Rate, clock: Clock): boolean {
  const now = clock.monotonic();
  const refill = ((now - rate.filledAt) / 1000) * LIMITS.perSecond;
  rate.tokens = Math.min(LIMITS.burst, rate.tokens + refill);
  rate.filledAt = now;
  if (rate.tokens < 1) {
    rate.leftOut += 1;
    return false;
  }
  rate.tokens -= 1;
  return true;
}

function plainFields(fields: LogFields | undefined, withStacks: boolean): PlainFields {
  const plain: PlainFields = {};
  for (const [key, value] of Object.entries(fields ?? {})) {
    if (value instanceof Error) plain[key] = describeError(value, withStacks);
    else if (typeof value === "string") plain[key] = redact(value);
    // The types allow nothing else; an object that came through a cast could hold anything.
    else if (typeof value === "number" || typeof value === "boolean") plain[key] = value;
  }
  return plain;
}
