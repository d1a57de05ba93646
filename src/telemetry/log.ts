/**
 * The operators' log: JSON lines on stderr, over `pino` without worker transports.
 *
 * It is a copy, never the record (the audit log is), so it never stalls traffic: what the reader of
 * stderr does not take in time is dropped and counted. An event that repeats faster than its rate is
 * left out, and the next line of it says how many were. Values are texts, numbers and booleans;
 * whatever looks like a token or a password is cut out of them, because texts of foreign errors end
 * up here.
 */
import { pino } from "pino";
import type { Clock, Log, LogFields } from "../model/ports.ts";
import { describeError, redact } from "./log-values.ts";
import { StderrLines } from "./stderr.ts";

const LIMITS = {
  /** Lines of one event at once, … */
  burst: 20,
  /** … and then per second. */
  perSecond: 1,
  /** Events that are told apart. They are constants in the source; beyond it they share one rate. */
  events: 1024,
} as const;

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  /** Least level that is written. `debug` also writes the stacks of errors, and all that repeats. */
  readonly level: LogLevel;
  readonly clock: Clock;
  /** Takes whole lines. Default: stderr. */
  readonly stream?: { write(line: string): void };
}

export interface RunningLog extends Log {
  /** Says what was left out and not yet told, and hands everything over, within a second. Before the process ends. */
  close(): Promise<void>;
}

/** A log that writes from `level` on. */
export function createLog(options: LogOptions): RunningLog {
  const { clock } = options;
  const own = options.stream === undefined ? new StderrLines() : undefined;
  const sink = pino(
    {
      level: options.level,
      base: null,
      messageKey: "event",
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.stream ?? own,
  );
  const withStacks = options.level === "debug";
  const rates = new Map<string, Rate>();

  function write(level: LogLevel, event: string, fields: LogFields | undefined): void {
    if (!sink.isLevelEnabled(level)) return;
    const leftOut = withStacks ? 0 : takeLine(rates, event, clock);
    if (leftOut === undefined) return;
    const plain = plainFields(fields, { leftOut, withStacks });
    const dropped = own?.takeDropped() ?? 0;
    if (dropped > 0) plain["dropped"] = dropped;
    sink[level](plain, event);
  }

  return {
    debug: (event, fields) => write("debug", event, fields),
    info: (event, fields) => write("info", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    error: (event, fields) => write("error", event, fields),
    async close() {
      for (const [event, rate] of rates) {
        if (rate.leftOut > 0)
          sink.warn({ leftOut: rate.leftOut, of: event }, "log: lines were left out");
        rate.leftOut = 0;
      }
      await own?.close();
    },
  };
}

interface Rate {
  tokens: number;
  filledAt: number;
  leftOut: number;
}

/** How many lines of this event were left out before this one; undefined when this one is left out too. */
function takeLine(rates: Map<string, Rate>, event: string, clock: Clock): number | undefined {
  const now = clock.monotonic();
  let rate = rates.get(event);
  if (rate === undefined) {
    const key = rates.size < LIMITS.events ? event : "(others)";
    rate = rates.get(key) ?? { tokens: LIMITS.burst, filledAt: now, leftOut: 0 };
    rates.set(key, rate);
  }
  const refill = ((now - rate.filledAt) / 1000) * LIMITS.perSecond;
  rate.tokens = Math.min(LIMITS.burst, rate.tokens + refill);
  rate.filledAt = now;
  if (rate.tokens < 1) {
    rate.leftOut += 1;
    return undefined;
  }
  rate.tokens -= 1;
  const { leftOut } = rate;
  rate.leftOut = 0;
  return leftOut;
}

function plainFields(
  fields: LogFields | undefined,
  options: { readonly leftOut: number; readonly withStacks: boolean },
): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields ?? {})) {
    if (value instanceof Error) plain[key] = describeError(value, options.withStacks);
    else if (typeof value === "string") plain[key] = redact(value);
    // The types allow nothing else; an object that came through a cast could hold anything.
    else if (typeof value === "number" || typeof value === "boolean") plain[key] = value;
  }
  if (options.leftOut > 0) plain["leftOut"] = options.leftOut;
  return plain;
}
