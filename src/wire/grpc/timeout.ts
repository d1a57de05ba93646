/**
 * `grpc-timeout` (PROTOCOL-HTTP2 of grpc.io): how long the caller waits, one to eight digits and a
 * unit. Anything else is refused, not guessed: a deadline that two parties read differently leaves one
 * of them working for nobody.
 */
import type { Fields } from "../../model/http.ts";

const TIMEOUT = /^([0-9]{1,8})([HMSmun])$/;

/** Milliseconds that a unit lasts. */
const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** The largest number that the grammar can carry. */
const MAX_VALUE = 99_999_999;

/**
 * Milliseconds; `Infinity` where the caller names none, null where it cannot be read. The grammar wants
 * a positive number, but clients do send `0n` for a deadline that passed as they sent it: it reads as 0.
 */
export function grpcTimeout(fields: Fields): number | null {
  let timeout = Number.POSITIVE_INFINITY;
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] !== "grpc-timeout") continue;
    const match = TIMEOUT.exec(fields[index + 1] as string);
    if (match === null || timeout !== Number.POSITIVE_INFINITY) return null;
    timeout = Number(match[1]) * (UNITS[match[2] as string] as number);
  }
  return timeout;
}

/** Writes milliseconds above 0 in the finest unit that holds them, rounded down: never more time than there is. */
export function formatGrpcTimeout(milliseconds: number): string {
  const microseconds = Math.floor(milliseconds * 1000);
  if (microseconds <= MAX_VALUE) return `${Math.max(1, microseconds)}u`;
  for (const unit of ["m", "S", "M"]) {
    const value = Math.floor(milliseconds / (UNITS[unit] as number));
    if (value <= MAX_VALUE) return `${value}${unit}`;
  }
  return `${Math.min(MAX_VALUE, Math.floor(milliseconds / (UNITS["H"] as number)))}H`;
}
