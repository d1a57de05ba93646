/** What a route changes on the request before it is sent, and on the answer before it goes back. */
import { z } from "zod";
import {
  type HeaderTemplate,
  requestHeadersSchema,
  responseHeadersSchema,
} from "./header-options.ts";
import { type QueryTemplate, queryChangesSchema } from "./query-options.ts";
import type { Template } from "./template.ts";

export const requestChangesSchema = z
  .strictObject({
    headers: requestHeadersSchema.optional(),
    query: queryChangesSchema.optional(),
  })
  .readonly();

export const responseChangesSchema = z
  .strictObject({ headers: responseHeadersSchema.optional() })
  .readonly();

export type RequestChanges = z.output<typeof requestChangesSchema>;
export type ResponseChanges = z.output<typeof responseChangesSchema>;

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
    ...placed(["response", "headers"], route.response?.headers),
  ];
}

function placed(
  path: readonly string[],
  changes:
    | {
        readonly set?: readonly (HeaderTemplate | QueryTemplate)[] | undefined;
        readonly add?: readonly (HeaderTemplate | QueryTemplate)[] | undefined;
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
