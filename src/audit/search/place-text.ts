/** Where a search goes on, as text: `<time>,<segment without audit- and .jsonl>,<byte>`. */
import type { Place } from "./find-rows.ts";

const PLACE = /^([^,]+),(\d{8}T\d{6}\.\d{3}Z-\d+[A-Za-z0-9-]*),(\d{1,15})$/;

export function placeText({ timeMs, segment, offset }: Place): string {
  const name = segment.slice("audit-".length, -".jsonl".length);
  return `${new Date(timeMs).toISOString()},${name},${offset}`;
}

/** Undefined for another text. */
export function parsePlace(text: string): Place | undefined {
  const [, time = "", name, offset] = PLACE.exec(text) ?? [];
  const timeMs = Date.parse(time);
  if (name === undefined || Number.isNaN(timeMs)) return undefined;
  return { timeMs, segment: `audit-${name}.jsonl`, offset: Number(offset) };
}
