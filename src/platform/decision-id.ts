/**
 * Decision ids: 26 characters of Crockford base32 that sort by time (the layout of a ULID).
 *
 * 48 bits of milliseconds, 50 bits drawn once per process, 30 bits that count up from a random
 * start. One draw of randomness per process because a draw per request costs a microsecond; the ids
 * are unique and sortable, and nothing relies on them being secret.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../model/ports.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const COUNTER_BITS = 30;

/** Returns the function that makes the next id. */
export function createDecisionIds(
  clock: Clock,
  random: (bytes: number) => Uint8Array = randomBytes,
): () => string {
  const seed = random(14);
  let process = "";
  for (let index = 0; index < 10; index++) process += ALPHABET.charAt((seed[index] ?? 0) & 31);
  let counter = new DataView(seed.buffer, seed.byteOffset + 10, 4).getUint32(0) % 2 ** COUNTER_BITS;
  let lastMs = -1;
  let timePart = "";
  return () => {
    const now = clock.now();
    if (now !== lastMs) {
      lastMs = now;
      timePart = base32(now, 10);
    }
    counter = (counter + 1) % 2 ** COUNTER_BITS;
    return timePart + process + pair(counter >> 20) + pair(counter >> 10) + pair(counter);
  };
}

/** Milliseconds since the epoch at which an id was made; undefined for what is no decision id. */
export function decisionTime(id: string): number | undefined {
  if (!ID.test(id)) return undefined;
  let timeMs = 0;
  for (const character of id.slice(0, 10)) timeMs = timeMs * 32 + ALPHABET.indexOf(character);
  return timeMs;
}

const ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** Two characters at once: digit by digit the id of a request costs three times as much. */
const PAIRS: readonly string[] = Array.from({ length: 1024 }, (_, value) => base32(value, 2));

function pair(value: number): string {
  return PAIRS[value & 1023] ?? "";
}

function base32(value: number, length: number): string {
  let text = "";
  let rest = value;
  for (let index = 0; index < length; index++) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}
