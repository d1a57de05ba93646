/**
 * What may go out as a field name or value of ours, in every version of HTTP (RFC 9110 sections 5.1 and
 * 5.5). Names and values come from a strict parser or were checked when the configuration was loaded;
 * the writers assert it once more, because what slips through here is a second request there.
 */
import { isToken } from "./token.ts";

const VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/;
/** Beyond latin1 too: written as latin1, U+010A would become a LF. */
const INJECTION = /[\r\n\0\u0100-\uffff]/;

/**
 * Whether text may be a field value of ours (RFC 9110 section 5.5): no control byte but HTAB, no
 * white space around it, nothing beyond latin1. For values from the configuration.
 */
export function checkFieldValue(value: string): boolean {
  return VALUE.test(value);
}

/** Whether text may be a field name of ours: a lower-case token. */
export function checkFieldName(name: string): boolean {
  return isToken(name) && name === name.toLowerCase();
}

/** Throws a TypeError for a value that would be more than a value. */
export function assertFieldValue(value: string): void {
  // The test costs 0.1 us for nine fields (bench/wire.ts): cheaper than trusting everybody above.
  if (INJECTION.test(value)) throw new TypeError("a field value with CR, LF, NUL or beyond latin1");
}
