/** Where a request goes on to: another path, another Host, or an answer that sends the caller elsewhere. */
import { z } from "zod";
import { parseAuthority } from "../wire/authority.ts";
import { parsePathPattern } from "./path-pattern.ts";

const prefixSchema = z.string().superRefine((prefix, context) => {
  const parsed = parsePathPattern(prefix);
  const plain = "segments" in parsed && parsed.segments.every((part) => part.kind === "literal");
  if (!plain) context.addIssue("a canonical path without parameters and '*', such as / or /v2");
});

const patternSchema = z.string().superRefine((path, context) => {
  const parsed = parsePathPattern(path);
  if ("remedy" in parsed) context.addIssue(parsed.remedy);
});

const authoritySchema = z
  .string()
  .refine(
    (text) => parseAuthority(text)?.text === text,
    "a lower-case host, with a port where it needs one, such as billing.internal:8080",
  );

export const rewriteSchema = z
  .strictObject({
    prefix: prefixSchema
      .optional()
      .describe(
        "Stands in for what the route's path has before `*`: with `path: /billing/*` and `prefix: /`, `/billing/a` is forwarded as `/a`.",
      ),
    pattern: patternSchema
      .optional()
      .describe(
        "The whole path anew, with `{name}` for segments of the route's path and `*` at the end for its rest: with `path: /items/{id}`, `/v2/{id}/view`.",
      ),
    host: authoritySchema
      .optional()
      .describe(
        "`Host` for the service, with a port where it needs one. Without it: as the caller wrote it. `x-forwarded-host` has the caller's in any case.",
      ),
  })
  .superRefine(({ prefix, pattern, host }, context) => {
    if (prefix !== undefined && pattern !== undefined) {
      context.addIssue({ code: "custom", path: ["pattern"], message: "either prefix or pattern" });
    }
    if (prefix === undefined && pattern === undefined && host === undefined) {
      context.addIssue("prefix, pattern or host");
    }
  })
  .readonly();

const STATUSES = [301, 302, 303, 307, 308];
const TARGET = /^(https?):\/\/([^/?#]+)(\/[^?#]*)?$/;

export const redirectSchema = z
  .strictObject({
    to: z
      .string()
      .refine(
        isTarget,
        "a URL such as https://new.example.com or https://new.example.com/v2/{id}/*",
      )
      .optional()
      .describe(
        "`https://host/path` in one: instead of scheme, host and path. The path takes `{name}` and `*` of the route's; without one, the request's stays.",
      ),
    scheme: z
      .enum(["http", "https"])
      .optional()
      .describe(
        "Scheme of the new place. Needs a `host`, here or on the route. Without it: that of the listener's `publicOrigin`, or of the connection.",
      ),
    host: authoritySchema.optional().describe("Host of the new place, with a port if need be."),
    path: patternSchema
      .optional()
      .describe("Path of the new place; takes `{name}` and `*` of the route's path."),
    query: z
      .enum(["keep", "drop"])
      .default("keep")
      .describe("Whether the request's query goes along."),
    status: z
      .literal(STATUSES)
      .default(307)
      .describe(
        "307 and 308 keep the method, 301 and 302 may lose it, 303 makes it GET; browsers remember 301 and 308 for good.",
      ),
  })
  .superRefine(({ to, scheme, host, path }, context) => {
    const parts = scheme ?? host ?? path;
    if (to !== undefined && parts !== undefined) {
      const message = "either to, or scheme, host and path";
      context.addIssue({ code: "custom", path: ["to"], message });
    }
    if (to === undefined && parts === undefined) context.addIssue("to, scheme, host or path");
  })
  .transform(({ to, scheme, host, path, query, status }) => {
    const [, toScheme, toHost, toPath] = TARGET.exec(to ?? "") ?? [];
    return {
      scheme: toScheme ?? scheme,
      host: toHost ?? host,
      path: toPath ?? path,
      keepQuery: query === "keep",
      status,
    };
  });

export type RewriteOptions = z.output<typeof rewriteSchema>;
export type RedirectOptions = z.output<typeof redirectSchema>;

function isTarget(text: string): boolean {
  const [, , host = "", path = "/"] = TARGET.exec(text) ?? [];
  return parseAuthority(host)?.text === host && "segments" in parsePathPattern(path);
}

/** What a pattern asks for that the route's path does not have; undefined when all is there. */
export function patternRemedy(pattern: string, path: string): string | undefined {
  const segments = path.split("/");
  for (const segment of pattern.split("/")) {
    if (segment === "*" && segments.at(-1) !== "*") {
      return "no '*', or a route whose path ends in '/*'";
    }
    if (segment.startsWith("{") && !segments.includes(segment)) {
      return `only parameters of the route's path; it has no ${segment}`;
    }
  }
  return undefined;
}
