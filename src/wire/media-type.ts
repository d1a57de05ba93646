/**
 * Whether a message says, in one reading only, that its body is JSON in UTF-8 (RFC 8259 section 8.1).
 *
 * Refused as not JSON: no Content-Type or two of them, parameters that do not parse (readers disagree
 * about where they end), another charset.
 */

const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.-]+\+)?json$/;
const PARAMETER = /^[!#$%&'*+.^_`|~0-9a-z-]+=(?:[!#$%&'*+.^_`|~0-9a-z-]+|"[^"\\]*")$/;
const CHARSET = /^charset="?utf-8"?$/;

/** `values` are those of all Content-Type fields. */
export function isJsonType(values: readonly string[]): boolean {
  const [value, ...more] = values;
  if (value === undefined || more.length > 0) return false;
  const [type = "", ...parameters] = value
    .toLowerCase()
    .split(";")
    .map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ""));
  return (
    JSON_TYPE.test(type) &&
    parameters.every(
      (text) => PARAMETER.test(text) && (!text.startsWith("charset=") || CHARSET.test(text)),
    )
  );
}

/** Whether the body is as it is, without a coding over it. `values` are those of Content-Encoding. */
export function isIdentityCoded(values: readonly string[]): boolean {
  return values.every((value) => value.toLowerCase() === "identity");
}
