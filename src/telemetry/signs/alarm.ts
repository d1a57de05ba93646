/**
 * What a sign becomes: a counter, a record, a line of the log, a message. The same sign about the same one
 * is said once in a time, so that a flood of requests is no flood of alarms.
 */
import type { EventLog, EventRecord } from "../../model/events.ts";
import type { Log, Metrics } from "../../model/ports.ts";
import { Generations } from "./generations.ts";
import { type Raise, type Seen, type SignName, SIGNS } from "./rule.ts";

const LIMITS = {
  /** Signs that are remembered as said, twice as many at most. Beyond it the oldest may be said again. */
  said: 10_000,
  /** Signs within a minute that are said, whatever they are about; the others are counted. */
  perMinute: 120,
} as const;

export interface AlarmOptions {
  /** Milliseconds in which the same is not said again. */
  readonly repeat: number;
}

export interface AlarmDeps {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
  /** `id`: the same for the same sign, also when the log is read again after a crash. */
  readonly send: (id: string, message: object) => void;
  /** A sign was said: where it is to be answered, it is answered. */
  readonly answer?: (sign: SignName, seen: Seen, decisions: readonly string[]) => void;
}

export function createAlarm({ repeat }: AlarmOptions, deps: AlarmDeps): Raise {
  const { log, metrics, events, send } = deps;
  const said = new Generations<string, number>(LIMITS.said);
  const counter = metrics.counter(
    "sallyport_signs_total",
    "Signs of a breach that were said, by sign (docs/signs.md).",
    ["sign"],
  );
  const counters = new Map(SIGNS.map((sign) => [sign, counter.with(sign)]));
  const unsaid = metrics
    .counter("sallyport_signs_unsaid_total", "Signs that were only counted: too many in a minute.")
    .with();
  let minute = Number.NaN;
  let inMinute = 0;

  return (sign, seen, raised) => {
    const { line, timeMs, principal, address } = seen;
    const key = `${sign} ${raised.key}`;
    const last = said.get(key);
    if (last !== undefined && Math.abs(timeMs - last) < repeat) return;
    said.set(key, timeMs);
    const now = Math.floor(timeMs / 60_000);
    inMinute = now === minute ? inMinute + 1 : 1;
    minute = now;
    if (inMinute > LIMITS.perMinute) {
      unsaid.inc();
      return;
    }
    counters.get(sign)?.inc();
    const decisions = [...new Set([...(raised.decisions ?? []), line.decisionId])];
    const record: EventRecord = {
      timeMs,
      event: sign,
      detail: raised.detail,
      principal: principal?.text,
      address,
      decisions,
      figures: raised.figures,
    };
    events.event(record);
    const { detail } = record;
    const decision = line.decisionId;
    const about = { sign, detail, principal: principal?.text, address };
    log.warn("a sign of a breach", { ...about, decision });
    const time = new Date(timeMs).toISOString();
    send(`${decision}-${sign}`, { ...about, decisions, figures: raised.figures, time });
    deps.answer?.(sign, seen, decisions);
  };
}
