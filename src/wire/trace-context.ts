/**
 * The trace context of a request head (W3C Trace Context, sections 3.2 and 3.3). Two `traceparent`
 * fields, or a malformed one, are none; and without one `tracestate` means nothing.
 */
import type { Fields } from "../model/http.ts";
import { getAllFields } from "./fields.ts";
import { parseTraceparent, type Traceparent } from "./traceparent.ts";
import { joinTracestate } from "./tracestate.ts";

export interface TraceContext {
  readonly parent: Traceparent;
  /** `traceparent` as it came. */
  readonly text: string;
  readonly tracestate: string | undefined;
}

/** Undefined where there is none that counts. */
export function readTraceContext(fields: Fields): TraceContext | undefined {
  let text: string | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] !== "traceparent") continue;
    if (text !== undefined) return undefined;
    text = fields[index + 1];
  }
  const parent = text === undefined ? undefined : parseTraceparent(text);
  if (parent === undefined || text === undefined) return undefined;
  return { parent, text, tracestate: joinTracestate(getAllFields(fields, "tracestate")) };
}
