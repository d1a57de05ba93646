/** Cedar's `decimal`: a fixed-point number with four digits after the point, in 64 bits. */
import { BAD_EXTENSION } from "./evaluation-error.ts";
import { canonicalLong, type Long } from "./long.ts";

export class Decimal {
  /** The value times 10 000. */
  readonly scaled: Long;

  constructor(scaled: Long) {
    this.scaled = scaled;
  }
}

/** `-?digits.digits` with one to four digits after the point; throws BAD_EXTENSION. */
export function parseDecimal(text: string): Decimal {
  const match = /^(-?)([0-9]+)\.([0-9]{1,4})$/.exec(text);
  if (match?.[2] === undefined || match[3] === undefined) throw BAD_EXTENSION;
  const magnitude = BigInt(match[2] + match[3].padEnd(4, "0"));
  return new Decimal(inRange(match[1] === "-" ? -magnitude : magnitude));
}

function inRange(scaled: bigint): Long {
  try {
    return canonicalLong(scaled);
  } catch {
    throw BAD_EXTENSION;
  }
}
