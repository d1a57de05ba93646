/** Log lines of the thread, as messages to the process that has the log, which bounds and cleans them. */
import type { Log, LogFields } from "../../model/ports.ts";
import type { SentError, SentFields } from "./protocol.ts";

const LIMITS = {
  /** Errors in a chain of causes. */
  causes: 5,
} as const;

export interface SentLine {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: SentFields;
}

/** A log that hands its lines to `send`. */
export function createSentLog(send: (line: SentLine) => void): Log {
  const write =
    (level: keyof Log) =>
    (event: string, fields: LogFields = {}): void =>
      send({ level, event, fields: sentFields(fields) });
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}

/** Writes a line that came from there. */
export function writeSent(log: Log, { level, event, fields }: SentLine): void {
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "object" ? errorOf(value) : value,
  ]);
  log[level](event, Object.fromEntries(entries) as LogFields);
}

function sentFields(fields: LogFields): SentFields {
  const sent: Record<string, string | number | boolean | SentError> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error) sent[name] = sentError(value, LIMITS.causes);
    else if (value !== undefined) sent[name] = value;
  }
  return sent;
}

function sentError(error: Error, causes: number): SentError {
  const code = "code" in error ? error.code : undefined;
  const { name, message, stack, cause } = error;
  return {
    name,
    message,
    stack,
    code: typeof code === "string" || typeof code === "number" ? code : undefined,
    cause: cause instanceof Error && causes > 0 ? sentError(cause, causes - 1) : undefined,
  };
}

function errorOf({ name, message, stack, code, cause }: SentError): Error {
  const error = new Error(message, cause === undefined ? {} : { cause: errorOf(cause) });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}
