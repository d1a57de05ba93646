/** What a route changes on the request before it is sent, and on the answer before it goes back. */
import { z } from "zod";
import { bodyChangesSchema } from "./body-options.ts";
import { requestHeadersSchema, responseHeadersSchema } from "./header-options.ts";
import { queryChangesSchema } from "./query-options.ts";
import type { Template } from "./template.ts";

export const requestChangesSchema = z
  .strictObject({
    headers: requestHeadersSchema.optional(),
    query: queryChangesSchema.optional(),
    body: bodyChangesSchema.optional(),
  })
  .readonly();

export const responseChangesSchema = z
  .strictObject({
    headers: responseHeadersSchema.optional(),
    body: bodyChangesSchema.optional(),
  })
  .readonly();

export type RequestChanges = z.output<typeof requestChangesSchema>;
export type ResponseChanges = z.output<typeof responseChangesSchema>;

interface KeyedTemplate {
  /** As it was written. */
  readonly key: string;
  readonly value: Template;
}

/** A template and where it stands within its route. */
export interface PlacedTemplate {
  readonly path: readonly string[];
  readonly template: Template;
}

/** Every template of a route, so that the names in it can be looked up. */
export function templatesOf(route: {
  readonly request?: RequestChanges | undefined;
  readonly response?: ResponseChanges | undefined;
}): PlacedTemplate[] {
  return [
    ...placed(["request", "headers"], route.request?.headers),
    ...placed(["request", "query"], route.request?.query),
    ...placed(["request", "body"], route.request?.body),
    ...placed(["response", "headers"], route.response?.headers),
    ...placed(["response", "body"], route.response?.body),
  ];
}

function placed(
  path: readonly string[],
  changes:
    | {
        readonly set?: readonly KeyedTemplate[] | undefined;
        readonly add?: readonly KeyedTemplate[] | undefined;
      }
    | undefined,
): PlacedTemplate[] {
  return (["set", "add"] as const).flatMap((verb) =>
    (changes?.[verb] ?? []).map(({ key, value }) => ({
      path: [...path, verb, key],
      template: value,
    })),
  );
}
