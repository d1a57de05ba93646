/**
 * JSON text in the canonical form of RFC 8785 (JCS), piece by piece, for records whose keys are
 * already in order.
 *
 * ECMAScript's own serialisation of strings and numbers is what RFC 8785 section 3.2.2 prescribes.
 * One difference is on purpose: RFC 8785 refuses a lone surrogate, we write its escape (`\ud800`),
 * because two strings that differ must not have the same record.
 */

const LIMITS = {
  /** Remembered quoted names: some per route, service, listener and policy. */
  names: 8192,
} as const;

/** A JSON string. */
export const quote: (text: string) => string = JSON.stringify;

/** `quote` for words of the configuration, which come again and again: remembered, up to a bound. */
export function createNames(): (name: string) => string {
  const known = new Map<string, string>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const quoted = quote(name);
    if (known.size < LIMITS.names) known.set(name, quoted);
    return quoted;
  };
}

/** A JSON number. Throws TypeError on NaN and infinities, which JSON has no way to write. */
export function number(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError("a record holds finite numbers only");
  return value === 0 ? "0" : String(value);
}

/** Milliseconds with three decimals: finer digits are noise and cost bytes. */
export function milliseconds(value: number): string {
  return number(Math.round(value * 1000) / 1000);
}

/** A JSON list of strings. */
export function quoteList(values: readonly string[]): string {
  let text = "[";
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ",";
    text += quote(values[index] ?? "");
  }
  return `${text}]`;
}

/**
 * Returns the function that writes a time (milliseconds since the epoch) as quoted RFC 3339 text in
 * UTC with milliseconds. It remembers the second, because `toISOString` costs as much as all other
 * numbers of a record together.
 */
export function createTimeText(): (timeMs: number) => string {
  let second = -1;
  let prefix = "";
  return (timeMs) => {
    const whole = Math.floor(timeMs / 1000);
    if (whole !== second) {
      prefix = `"${new Date(whole * 1000).toISOString().slice(0, -4)}`;
      second = whole;
    }
    const rest = Math.floor(timeMs) - whole * 1000;
    return `${prefix}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z"`;
  };
}
