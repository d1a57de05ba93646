/**
 * Cedar's `datetime` (RFC 80): milliseconds since the epoch in 64 bits, written as `YYYY-MM-DD`,
 * optionally with `Thh:mm:ss`, `.SSS` and `Z` or an offset `±hhmm`.
 */
import { BAD_EXTENSION } from "./evaluation-error.ts";
import { addLong, subtractLong, type Long } from "./long.ts";
import { Duration } from "./duration.ts";

const DAY_MS = 86_400_000;
const PATTERN =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2})))?$/;

export class Datetime {
  /** Milliseconds since the epoch. */
  readonly ms: Long;

  constructor(ms: Long) {
    this.ms = ms;
  }

  /** Throws OVERFLOW. */
  offset(duration: Duration): Datetime {
    return new Datetime(addLong(this.ms, duration.ms));
  }

  /** Throws OVERFLOW. */
  durationSince(other: Datetime): Duration {
    return new Duration(subtractLong(this.ms, other.ms));
  }

  /** Midnight of its day in UTC. Throws OVERFLOW. */
  toDate(): Datetime {
    return new Datetime(subtractLong(this.ms, timeOfDay(this.ms)));
  }

  /** Time since midnight in UTC. */
  toTime(): Duration {
    return new Duration(timeOfDay(this.ms));
  }
}

/** Throws BAD_EXTENSION. */
export function parseDatetime(text: string): Datetime {
  const match = PATTERN.exec(text);
  if (match === null) throw BAD_EXTENSION;
  const part = (index: number): number => Number(match[index] ?? 0);
  const [hours, minutes, seconds] = [part(4), part(5), part(6)];
  const [offsetHours, offsetMinutes] = [part(9), part(10)];
  if (hours > 23 || minutes > 59 || seconds > 59) throw BAD_EXTENSION;
  if (offsetHours > 23 || offsetMinutes > 59) throw BAD_EXTENSION;
  const local =
    dayMs(part(1), part(2), part(3)) + ((hours * 60 + minutes) * 60 + seconds) * 1000 + part(7);
  const offset = (offsetHours * 60 + offsetMinutes) * 60_000;
  return new Datetime(match[8] === "-" ? local + offset : local - offset);
}

function dayMs(year: number, month: number, day: number): number {
  // setUTCFullYear because Date.UTC takes the years 0 to 99 for 1900 to 1999.
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) throw BAD_EXTENSION;
  return date.getTime();
}

function timeOfDay(ms: Long): number {
  const rest = typeof ms === "number" ? ms % DAY_MS : Number(ms % BigInt(DAY_MS));
  return rest < 0 ? rest + DAY_MS : rest + 0;
}
