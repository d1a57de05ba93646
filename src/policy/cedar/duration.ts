/** Cedar's `duration` (RFC 80): milliseconds in 64 bits, written as `1d2h3m4s5ms` with any part left out. */
import { BAD_EXTENSION } from "./evaluation-error.ts";
import { canonicalLong, divideLong, type Long } from "./long.ts";

const PATTERN = /^(-?)(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/;
const UNIT_MS = [86_400_000n, 3_600_000n, 60_000n, 1000n, 1n];

export class Duration {
  readonly ms: Long;

  constructor(ms: Long) {
    this.ms = ms;
  }

  toMilliseconds(): Long {
    return this.ms;
  }

  /** This and the coarser units round towards zero. */
  toSeconds(): Long {
    return divideLong(this.ms, 1000);
  }

  toMinutes(): Long {
    return divideLong(this.ms, 60_000);
  }

  toHours(): Long {
    return divideLong(this.ms, 3_600_000);
  }

  toDays(): Long {
    return divideLong(this.ms, 86_400_000);
  }
}

/** Throws BAD_EXTENSION. */
export function parseDuration(text: string): Duration {
  const match = PATTERN.exec(text);
  const parts = match?.slice(2) ?? [];
  if (match === null || parts.every((part) => part === undefined)) throw BAD_EXTENSION;
  let total = 0n;
  for (const [index, unit] of UNIT_MS.entries()) total += BigInt(parts[index] ?? 0) * unit;
  try {
    return new Duration(canonicalLong(match[1] === "-" ? -total : total));
  } catch {
    throw BAD_EXTENSION;
  }
}
