/**
 * Scalars that every module's options are made of. Durations parse to milliseconds, sizes to bytes.
 */
import { z } from "zod";

const DURATION_UNITS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZE_UNITS: Record<string, number> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `250ms`, `30s`, `5m`, `24h`, `7d` → milliseconds, within the bounds. */
export function duration(bounds: { readonly min: string; readonly max: string }) {
  const min = parseUnit(bounds.min, DURATION_UNITS);
  const max = parseUnit(bounds.max, DURATION_UNITS);
  return scalar(/^(0|[1-9]\d{0,8})(ms|s|m|h|d)$/, DURATION_UNITS, {
    min,
    max,
    text: `a duration from ${bounds.min} to ${bounds.max}${examples(min, max)}`,
  });
}

/** Of ways to write a duration, those that the bounds take. */
function examples(min: number, max: number): string {
  const among = (texts: readonly string[]): string[] =>
    texts.filter((text) => {
      const value = parseUnit(text, DURATION_UNITS);
      return value >= min && value <= max;
    });
  const short = among(["500ms", "30s", "5m"]);
  const fit = short.length > 0 ? short : among(["12h", "30d"]);
  const last = fit.pop();
  if (last === undefined) return "";
  return fit.length === 0 ? `, such as ${last}` : `, such as ${fit.join(", ")} or ${last}`;
}

/** `512B`, `16KiB`, `10MiB`, `1GiB` → bytes, within the bounds. */
export function byteSize(bounds: { readonly min: string; readonly max: string }) {
  const min = parseUnit(bounds.min, SIZE_UNITS);
  const max = parseUnit(bounds.max, SIZE_UNITS);
  return scalar(/^(0|[1-9]\d{0,8})(B|KiB|MiB|GiB)$/, SIZE_UNITS, {
    min,
    max,
    text: `a size from ${bounds.min} to ${bounds.max}, such as 512B, 16KiB or 10MiB`,
  });
}

/** A name that becomes part of ids, metrics and Cedar entities. */
export const nameSchema = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,62}$/,
    "a name of lower-case letters, digits and '-' that begins with a letter (at most 63)",
  );

/** `host:port` to listen on; port 0 lets the system choose. */
export const addressSchema = z
  .string()
  .regex(
    /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+):(\d{1,5})$/,
    "an address host:port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080",
  )
  .refine(
    (text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535,
    "a port from 0 to 65535",
  );

const MIN_LONG = -(2n ** 63n);
const MAX_LONG = 2n ** 63n - 1n;

/** One attribute of a resource: text, boolean, 64-bit whole number or list of texts. */
const attributeValueSchema = z.union(
  [
    z.string().max(4096),
    z.boolean(),
    z.int(),
    z.bigint().min(MIN_LONG).max(MAX_LONG),
    z.array(z.string().max(4096)).max(256).readonly(),
  ],
  "a text, true or false, a whole number of 64 bits, or a list of texts",
);

/** A name that policies write behind a dot. */
export const attributeNameSchema = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,62}$/,
    "an attribute name of letters, digits and '_' that does not begin with a digit",
  );

/** `attributes:` of a service or a route, by name. */
export const attributesSchema = z.record(attributeNameSchema, attributeValueSchema).readonly();

function scalar(
  pattern: RegExp,
  units: Record<string, number>,
  limit: { readonly min: number; readonly max: number; readonly text: string },
) {
  return z
    .string(limit.text)
    .regex(pattern, limit.text)
    .transform((text, context) => {
      const value = parseUnit(text, units);
      if (value < limit.min || value > limit.max) {
        context.addIssue({ code: "custom", message: limit.text });
        return z.NEVER;
      }
      return value;
    });
}

function parseUnit(text: string, units: Record<string, number>): number {
  const match = /^(\d+)([A-Za-z]+)$/.exec(text);
  const unit = match?.[2] === undefined ? undefined : units[match[2]];
  if (match?.[1] === undefined || unit === undefined) {
    throw new TypeError(`not a quantity: ${text}`);
  }
  return Number(match[1]) * unit;
}
