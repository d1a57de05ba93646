/**
 * Header fields that a route sets, adds, renames and removes. Refused are names that frame a message,
 * names of the connection, names in which the proxy itself speaks (a route could otherwise forge who
 * the caller is), and values that would end a field early.
 */
import { z } from "zod";
import { isIdentityName, spokenName } from "../wire/identity-fields.ts";
import { constantText, parseTemplate, placeholders, type Template } from "./template.ts";

const LIMITS = {
  /** Fields that each verb names; more belongs into the service. */
  names: 32,
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

/** A message has one of each: with a second, readers disagree about which one counts. */
const SINGLE_FIELDS: ReadonlySet<string> = new Set([
  "age",
  "authorization",
  "content-encoding",
  "content-location",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "etag",
  "expires",
  "from",
  "last-modified",
  "location",
  "origin",
  "range",
  "referer",
  "retry-after",
  "server",
  "user-agent",
]);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

type Side = "request" | "response";

/** A field and what it is to hold. */
export interface HeaderTemplate {
  /** As it was written. */
  readonly key: string;
  /** Lower-case. */
  readonly name: string;
  readonly value: Template;
}

/** A field that goes on under another name; both lower-case. */
export interface HeaderRename {
  readonly from: string;
  readonly to: string;
  /** `from` as it was written. */
  readonly key: string;
}

/** A text of one line that may hold placeholders. */
const valueSchema = z
  .string("a quoted text")
  .max(LIMITS.value, `at most ${LIMITS.value} bytes`)
  .transform((text, context): Template => {
    const parsed = parseTemplate(text);
    if ("remedy" in parsed) {
      context.addIssue({ code: "custom", message: parsed.remedy });
      return z.NEVER;
    }
    // What a placeholder will hold is looked at for each request.
    const shape = parsed.template.map((part) => (typeof part === "string" ? part : "x")).join("");
    if (!VALUE.test(shape)) {
      const message = "visible ASCII, without line breaks or white space at its ends";
      context.addIssue({ code: "custom", message });
    }
    return parsed.template;
  });

/** A field that may be set on requests. */
export const requestHeaderName = headerName("request");
export const requestHeadersSchema = headersSchema("request");
export const responseHeadersSchema = headersSchema("response");

export type HeaderChanges = z.output<typeof requestHeadersSchema>;

function headersSchema(side: Side) {
  const name = headerName(side);
  return z
    .strictObject({
      rename: z
        .record(name, name)
        .describe(
          "Old field name to new one. What comes in under the new name, in any spelling, is removed.",
        )
        .transform(toRenames)
        .optional(),
      remove: z
        .array(name)
        .min(1, "at least one name")
        .describe("Names of fields that are removed, in every spelling, also as trailers.")
        .transform((names) => names.map((written) => written.toLowerCase()))
        .optional(),
      set: z
        .record(name, valueSchema)
        .describe(
          "Field name to value; replaces fields of that name in every spelling. Values take `${principal.subject}` and the like; one that names something absent sets nothing.",
        )
        .transform(toFields)
        .optional(),
      add: z
        .record(name, valueSchema)
        .describe("As `set`, but fields of exactly that name stay and this one comes behind them.")
        .superRefine(refuseSingle)
        .transform(toFields)
        .optional(),
    })
    .superRefine(refuseTwice)
    .describe("Header fields to rename, remove, set and add, in this order.")
    .readonly();
}

/** A field name that a route may change. */
function headerName(side: Side) {
  return z
    .string()
    .regex(TOKEN, "a header field name (letters, digits and '-')")
    .superRefine((written, context) => {
      // Services that speak CGI or WSGI read `_` as `-`, so both spellings are one name.
      const spoken = spokenName(written);
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

interface Written {
  readonly rename?: readonly HeaderRename[] | undefined;
  readonly remove?: readonly string[] | undefined;
  readonly set?: readonly HeaderTemplate[] | undefined;
  readonly add?: readonly HeaderTemplate[] | undefined;
}

/** One field, one verb: else their order would decide what a service sees. */
function refuseTwice(headers: Written, context: z.core.$RefinementCtx): void {
  const taken = new Map<string, string>();
  const take = (name: string, verb: string, path: (string | number)[]): void => {
    const other = taken.get(spokenName(name));
    if (other === undefined) taken.set(spokenName(name), verb);
    // Two of one verb are told where the verb is read.
    if (other === undefined || other === verb) return;
    const hint = other === "set" || verb === "set" ? ": set already replaces it" : "";
    const message = `either ${other} or ${verb} "${name}"${hint}`;
    context.addIssue({ code: "custom", path, message });
  };
  for (const { name, key } of headers.set ?? []) take(name, "set", ["set", key]);
  for (const { name, key } of headers.add ?? []) take(name, "add", ["add", key]);
  for (const { from, to, key } of headers.rename ?? []) {
    for (const name of [from, to]) take(name, "rename", ["rename", key]);
  }
  for (const [index, name] of (headers.remove ?? []).entries()) {
    take(name, "remove", ["remove", index]);
  }
}

function refuseSingle(written: Record<string, unknown>, context: z.core.$RefinementCtx): void {
  for (const key of Object.keys(written)) {
    if (!SINGLE_FIELDS.has(spokenName(key))) continue;
    const message = "set instead of add: a message has one of these";
    context.addIssue({ code: "custom", path: [key], message });
  }
}

function toRenames(
  written: Record<string, string>,
  context: z.core.$RefinementCtx<Record<string, string>>,
): readonly HeaderRename[] {
  const names = new Set<string>();
  const entries = Object.entries(written);
  if (entries.length > LIMITS.names) context.addIssue(`at most ${LIMITS.names} fields`);
  return entries.map(([key, value]) => {
    const rename = { from: key.toLowerCase(), to: value.toLowerCase(), key };
    for (const name of [rename.from, rename.to].map(spokenName)) {
      if (names.has(name)) {
        context.addIssue({ code: "custom", path: [key], message: `"${name}" only once` });
      }
      names.add(name);
    }
    // A caller's own text would be taken for a credential that was verified.
    if (rename.to === "authorization") {
      const message = "another name, or credentials: forward";
      context.addIssue({ code: "custom", path: [key], message });
    }
    return rename;
  });
}

function toFields(
  written: Record<string, Template>,
  context: z.core.$RefinementCtx<Record<string, Template>>,
): readonly HeaderTemplate[] {
  const names = new Set<string>();
  const entries = Object.entries(written);
  if (entries.length > LIMITS.names) context.addIssue(`at most ${LIMITS.names} fields`);
  return entries.map(([key, value]) => {
    const name = key.toLowerCase();
    if (names.has(spokenName(name))) {
      context.addIssue({ code: "custom", path: [key], message: `"${name}" only once` });
    }
    names.add(spokenName(name));
    return { key, name, value };
  });
}

/** Names and values of those without placeholders; the rest. */
export function split(fields: readonly HeaderTemplate[]): {
  readonly constant: readonly string[];
  readonly varying: readonly HeaderTemplate[];
} {
  return {
    constant: fields.flatMap(({ name, value }) => {
      const text = constantText(value);
      return text === undefined ? [] : [name, text];
    }),
    varying: fields.filter(({ value }) => placeholders(value).length > 0),
  };
}
