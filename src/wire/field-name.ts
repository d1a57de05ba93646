/**
 * Field names as received -> lower-case and interned, with what the head parser has to know of them.
 *
 * One Map lookup for a name that was seen before, in whatever case: lower-casing and validating each
 * name of each request was a quarter of the cost of a head (bench/wire.ts).
 */
import { isToken } from "./token.ts";

/** Fields that the head parser itself has to understand. */
export const FIELD = {
  other: 0,
  host: 1,
  authorization: 2,
  contentLength: 3,
  transferEncoding: 4,
  connection: 5,
  expect: 6,
  upgrade: 7,
} as const;

export interface FieldName {
  /** Lower-case token. */
  readonly name: string;
  /** One of `FIELD`. */
  readonly role: number;
}

const LIMITS = {
  /** Learned spellings. When full they are forgotten, so that a flood of invented names costs the flooder and no memory. */
  learned: 1024,
  /** Longer names are not learned: names that people use are shorter, and the cache stays within some 100 KB. */
  learnedLength: 48,
} as const;

const ROLES: Readonly<Record<string, number>> = {
  host: FIELD.host,
  authorization: FIELD.authorization,
  "content-length": FIELD.contentLength,
  "transfer-encoding": FIELD.transferEncoding,
  connection: FIELD.connection,
  expect: FIELD.expect,
  upgrade: FIELD.upgrade,
};

const COMMON = [
  ...Object.keys(ROLES),
  ..."accept accept-encoding accept-language cache-control content-encoding content-type cookie date".split(
    " ",
  ),
  ..."etag if-modified-since if-none-match keep-alive last-modified location origin pragma".split(
    " ",
  ),
  ..."referer server set-cookie te traceparent tracestate trailer user-agent vary via".split(" "),
  ..."x-forwarded-for x-forwarded-host x-forwarded-proto x-request-id".split(" "),
];

/** Never forgotten: nobody can push the names that matter out. */
const known = new Map<string, FieldName>();
for (const name of COMMON) {
  const entry = Object.freeze({ name, role: ROLES[name] ?? FIELD.other });
  known.set(name, entry);
  known.set(
    name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()),
    entry,
  );
}
const learned = new Map<string, FieldName>();

/** The field name, or undefined when the text is not a token (RFC 9110 section 5.1). */
export function fieldName(text: string): FieldName | undefined {
  return known.get(text) ?? learned.get(text) ?? learn(text);
}

function learn(text: string): FieldName | undefined {
  if (!isToken(text)) return undefined;
  const lower = text.toLowerCase();
  const entry = known.get(lower) ?? { name: ownCopy(lower), role: FIELD.other };
  if (text.length > LIMITS.learnedLength) return entry;
  if (learned.size >= LIMITS.learned) learned.clear();
  learned.set(ownCopy(text), entry);
  return entry;
}

/** A substring keeps the whole head alive in both engines; what is cached must not. */
function ownCopy(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
