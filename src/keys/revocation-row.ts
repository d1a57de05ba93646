/**
 * Revocations as rows of a table, and back. Times become whole seconds, rounded up: the side on which more is
 * denied. `iat` counts whole seconds too, so a finer time would decide nothing.
 */
import { NEVER, type RevocationEntry } from "../model/revocation.ts";
import { readDigest } from "./revocation-digest.ts";
import { FOREVER, ROW } from "./revocation-table.ts";

/** Fills the row, its generation left alone. False where the digest cannot be read. */
export function writeRow(entry: RevocationEntry, row: Uint32Array): boolean {
  if (!readDigest(entry.digest, row, ROW.digest)) return false;
  const blockedUntil = secondsOf(entry.blockedUntilMs);
  row[ROW.cutoff] = secondsOf(entry.cutoffMs);
  row[ROW.blockedUntil] = blockedUntil;
  // Whatever it says of its own end, a block lasts as long as it was told to.
  row[ROW.expires] = Math.max(1, secondsOf(entry.expiresMs), blockedUntil);
  return true;
}

/** The times that stand in the row at `at`, in milliseconds. */
export function timesOf(slots: Uint32Array, at: number): Omit<RevocationEntry, "digest"> {
  return {
    cutoffMs: millisecondsOf(slots[at + ROW.cutoff] ?? 0),
    blockedUntilMs: millisecondsOf(slots[at + ROW.blockedUntil] ?? 0),
    expiresMs: millisecondsOf(slots[at + ROW.expires] ?? FOREVER) ?? NEVER,
  };
}

/** 0 where there is no such time. */
function secondsOf(ms: number | undefined): number {
  if (ms === undefined) return 0;
  if (ms >= NEVER) return FOREVER;
  return Math.min(FOREVER, Math.max(1, Math.ceil(ms / 1000)));
}

function millisecondsOf(seconds: number): number | undefined {
  if (seconds === 0) return undefined;
  return seconds === FOREVER ? NEVER : seconds * 1000;
}
