/** A line of the operators' log for people: `time LEVEL  event  name=value …`. It stays one line, whatever a value holds. */
import type { ErrorDescription } from "./log-values.ts";
import { logfmtValue } from "./logfmt.ts";

/** What may stand in a line: the values that log-values.ts has cleaned. */
export type PlainFields = Record<string, string | number | boolean | ErrorDescription>;

export interface LogLine {
  /** ISO 8601. */
  readonly time: string;
  readonly level: string;
  /** A constant of the source, so that it needs no quotes. */
  readonly event: string;
  readonly fields: PlainFields;
}

export function textLine({ time, level, event, fields }: LogLine): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "object") pairs.push(...errorPairs(name, value));
    else pairs.push(`${name}=${logfmtValue(value)}`);
  }
  const said = `${time} ${level.toUpperCase().padEnd(5)}  ${event}`;
  return pairs.length === 0 ? `${said}\n` : `${said}  ${pairs.join(" ")}\n`;
}

/** The message under the error's own name: it is what one looks for. */
function errorPairs(name: string, error: ErrorDescription): string[] {
  const { code, message, causes = [], stack } = error;
  const pairs = [`${name}=${logfmtValue(message)}`, `${name}.name=${logfmtValue(error.name)}`];
  if (code !== undefined) pairs.push(`${name}.code=${logfmtValue(code)}`);
  if (causes.length > 0) pairs.push(`${name}.causes=${logfmtValue(causes.join("; "))}`);
  if (stack !== undefined) pairs.push(`${name}.stack=${logfmtValue(stack)}`);
  return pairs;
}
