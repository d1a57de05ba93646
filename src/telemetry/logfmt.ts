/** Values of `name=value` pairs, and what keeps one line one line, whatever others wrote into it. */
import { escapeUnprintable } from "../model/unprintable.ts";

/** Bare where it cannot be misread. */
const BARE = /^[!#-<>-[\]-~]+$/;

export function logfmtValue(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  return BARE.test(value) ? value : escapeUnprintable(JSON.stringify(value));
}
