/**
 * Header fields that a route sets and removes. Refused are names that frame a message, names of the
 * connection, names in which the proxy itself speaks (a route could otherwise forge who the caller
 * is), and values that would end a field early.
 */
import { z } from "zod";
import type { Fields } from "../model/http.ts";
import { isIdentityName } from "../wire/identity-fields.ts";

const LIMITS = {
  /** Fields a route sets; more belongs into the service. */
  set: 32,
  /** Bytes of a value; a head has to hold all of them at once. */
  value: 4096,
} as const;

/** RFC 9112 framing, RFC 9110 section 7.6.1 hop-by-hop fields, and what routing rests on. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

type Side = "request" | "response";

const headerValueSchema = z
  .string("a quoted text")
  .max(LIMITS.value, `at most ${LIMITS.value} bytes`)
  .regex(VALUE, "visible ASCII, without line breaks or white space at its ends");

/** `headers: { set: {name: value}, remove: [name] }` of a request or of a response. */
export const requestChangesSchema = headerChanges("request");
export const responseChangesSchema = headerChanges("response");

export type HeaderChanges = z.output<typeof requestChangesSchema>;

function headerChanges(side: Side) {
  return z
    .strictObject({
      headers: z
        .strictObject({
          set: z
            .record(headerName(side), headerValueSchema)
            .describe("Field name to value; replaces fields of that name.")
            .transform(toFields)
            .optional(),
          remove: z
            .array(headerName(side))
            .min(1, "at least one name")
            .describe("Names of fields that are removed.")
            .transform((names) => names.map((name) => name.toLowerCase()))
            .optional(),
        })
        .superRefine(refuseBoth)
        .describe("Header fields to set and to remove.")
        .readonly(),
    })
    .readonly();
}

/** A field name that a route may set or remove. */
function headerName(side: Side) {
  return z
    .string()
    .regex(TOKEN, "a header field name (letters, digits and '-')")
    .superRefine((written, context) => {
      // Services that speak CGI or WSGI read `_` as `-`, so both spellings are one name.
      const spoken = written.toLowerCase().replaceAll("_", "-");
      if (CONNECTION_FIELDS.has(spoken)) {
        context.addIssue("another name: the proxy writes this one for each connection");
      } else if (isOurs(spoken, side)) {
        context.addIssue("another name: only the proxy speaks in this one");
      }
    });
}

function isOurs(name: string, side: Side): boolean {
  if (side === "response") return name.startsWith("sallyport-") || name.startsWith("x-sallyport-");
  return isIdentityName(name) || name === "x-request-id" || name === "traceparent";
}

function refuseBoth(
  headers: { readonly set?: Fields | undefined; readonly remove?: readonly string[] | undefined },
  context: z.core.$RefinementCtx,
): void {
  const set = headers.set ?? [];
  for (const [index, name] of (headers.remove ?? []).entries()) {
    if (!set.some((text, at) => at % 2 === 0 && text === name)) continue;
    context.addIssue({
      code: "custom",
      path: ["remove", index],
      message: `either set or remove "${name}": set already replaces it`,
    });
  }
}

/** To a flat list of lower-case names and values. */
function toFields(
  written: Record<string, string>,
  context: z.core.$RefinementCtx<Record<string, string>>,
): Fields {
  const fields: string[] = [];
  const names = new Set<string>();
  const entries = Object.entries(written);
  if (entries.length > LIMITS.set) context.addIssue(`at most ${LIMITS.set} fields`);
  for (const [key, value] of entries) {
    const name = key.toLowerCase();
    if (names.has(name)) {
      context.addIssue({ code: "custom", path: [key], message: `"${name}" only once` });
    }
    names.add(name);
    fields.push(name, value);
  }
  return fields;
}
