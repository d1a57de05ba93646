import type { AttributeValue } from "../model/principal.ts";
import type { Lines } from "./lines.ts";

/** A JSON number is exact up to 2^53; beyond it a 64-bit integer is written as `{"long":"…"}`. */
export function writeAttribute(lines: Lines, value: AttributeValue): void {
  if (typeof value === "string") lines.quoted(value);
  else if (typeof value === "boolean") lines.text(String(value));
  else if (typeof value === "number") lines.number(value);
  else if (typeof value === "bigint") lines.text(`{"long":"${value}"}`);
  else lines.list(value);
}
