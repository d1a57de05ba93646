/**
 * The Connection field (RFC 9110 section 7.6.1).
 *
 * Refuses options that are not tokens, and options that name a field which is meant for everybody:
 * a caller that could have `authorization`, `host` or `x-forwarded-for` dropped on the way would
 * decide what the next one sees (as in CVE-2022-31813). RFC 9110 forbids senders to do so; we
 * answer 400 rather than ignore it, because nobody sends this by accident.
 */
import { trimBlanks } from "../blanks.ts";
import { isEndToEndName } from "../fields.ts";
import { isToken } from "../token.ts";
import { headFault, type HeadFault } from "../head-fault.ts";

const LIMITS = {
  /** Options in all Connection fields of a message. Real ones name one or two. */
  options: 16,
} as const;

const FAULTS = {
  invalid: headFault("Connection holds something other than tokens"),
  endToEnd: headFault("Connection names a field that is meant for every recipient"),
  tooMany: headFault("Connection names too many fields"),
} as const;

/** What the Connection fields of a message say. */
export interface ConnectionState {
  close: boolean;
  keepAlive: boolean;
  /** Lower-case names without `close` and `keep-alive`; undefined if none. */
  options: string[] | undefined;
}

/** Adds one Connection value to the state. */
export function readConnection(state: ConnectionState, value: string): HeadFault | undefined {
  // The two values that nearly all messages carry.
  if (value === "keep-alive" || value === "Keep-Alive") {
    state.keepAlive = true;
    return undefined;
  }
  if (value === "close") {
    state.close = true;
    return undefined;
  }
  for (const part of value.split(",")) {
    const option = trimBlanks(part).toLowerCase();
    if (option === "close") state.close = true;
    else if (option === "keep-alive") state.keepAlive = true;
    else if (option !== "") {
      // Empty list elements are ignored, as RFC 9110 section 5.6.1.2 asks.
      const fault = addOption(state, option);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

function addOption(state: ConnectionState, option: string): HeadFault | undefined {
  if (!isToken(option)) return FAULTS.invalid;
  if (isEndToEndName(option)) return FAULTS.endToEnd;
  state.options ??= [];
  if (state.options.length >= LIMITS.options) return FAULTS.tooMany;
  state.options.push(option);
  return undefined;
}
