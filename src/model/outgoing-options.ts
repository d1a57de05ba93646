/**
 * Options of messages that we send by ourselves to a URL that the configuration names: the fields that
 * prove to it who we are. Their values are secrets as a rule: they are in no log, metric or record.
 */
import { z } from "zod";

const LIMITS = {
  /** Fields that a person writes for one receiver. */
  fields: 32,
  /** Characters of a value: long enough for any token. */
  value: 8192,
} as const;

/** What the sender writes itself, or what would change how the message is framed. */
const OWN: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "content-type",
  "expect",
  "host",
  "idempotency-key",
  "if-none-match",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const nameSchema = z
  .string()
  .regex(
    /^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/,
    "the name of a header field in lower case, such as authorization",
  )
  .refine((name) => !OWN.has(name), "a header field that is not written by the sender itself");

const valueSchema = z
  .string()
  .min(1, "a value")
  .max(LIMITS.value, `at most ${LIMITS.value} characters`)
  // RFC 9110 section 5.5, without what runtimes write in more than one way.
  .regex(/^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/, "a value of visible ASCII characters");

/** Header fields by name. */
export const outgoingHeadersSchema = z
  .record(nameSchema, valueSchema)
  .refine(
    (fields) => Object.keys(fields).length <= LIMITS.fields,
    `at most ${LIMITS.fields} header fields`,
  )
  .readonly();
