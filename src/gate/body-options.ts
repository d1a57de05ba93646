/**
 * Changes to JSON bodies by JSON Pointer (RFC 6901), so that a service can be fitted to callers that it
 * was not written for. A body is held as a whole to be changed, so it has a bound; one that cannot be
 * changed as the route says is refused, never passed on as it is.
 */
import { z } from "zod";
import { byteSize } from "../model/options.ts";
import { isWithin, type JsonPointer, parsePointer } from "../wire/json-pointer.ts";
import { constantText, parseTemplate, type Template } from "./template.ts";

const LIMITS = {
  /** Places that each verb names; more belongs into the service. */
  places: 64,
  /** Characters of a value as JSON. */
  value: 16_384,
} as const;

/** A place and what is to stand there. */
export interface BodyTemplate {
  /** The pointer as it was written. */
  readonly key: string;
  readonly at: JsonPointer;
  /** JSON; undefined where `value` makes it for each request. */
  readonly text: string | undefined;
  /** Empty where `text` is there. */
  readonly value: Template;
}

export interface BodyRename {
  readonly from: JsonPointer;
  readonly to: JsonPointer;
}

const POINTER_REMEDY = "a JSON Pointer (RFC 6901) such as /user/name; ~1 stands for /, ~0 for ~";

const pointerSchema = z
  .string(POINTER_REMEDY)
  .refine((text) => parsePointer(text) !== undefined, POINTER_REMEDY);

/** A place within the document: all of it can neither be removed nor go elsewhere. */
export const innerSchema = pointerSchema.refine(
  (text) => text !== "",
  "a place within the document",
);

const valueSchema = z.union(
  [
    z.string(),
    z.number(),
    z.bigint(),
    z.boolean(),
    z.null(),
    z.array(z.unknown()),
    z.record(z.string(), z.unknown()),
  ],
  "a JSON value",
);

const setSchema = z
  .record(pointerSchema, valueSchema)
  .refine(few, `at most ${LIMITS.places} places`)
  .transform((written, context): readonly BodyTemplate[] =>
    Object.entries(written).flatMap(([key, value]) => {
      const found = toTemplate(key, value);
      if (!("remedy" in found)) return [found];
      context.addIssue({ code: "custom", path: [key], message: found.remedy });
      return [];
    }),
  );

const renameSchema = z
  .record(innerSchema, innerSchema)
  .refine(few, `at most ${LIMITS.places} places`)
  .transform((written, context): readonly BodyRename[] =>
    Object.entries(written).map(([key, target]) => {
      const rename = { from: parsePointer(key) ?? [], to: parsePointer(target) ?? [] };
      if (isWithin(rename.to, rename.from) || isWithin(rename.from, rename.to)) {
        const message = "a place that is neither inside the old one nor around it";
        context.addIssue({ code: "custom", path: [key], message });
      }
      return rename;
    }),
  );

export const bodyChangesSchema = z
  .strictObject({
    limit: byteSize({ min: "1B", max: "16MiB" })
      .prefault("64KiB")
      .describe(
        "Most bytes of a body that is changed, before and after. Each request in flight may hold as much. Beyond it 413 for a request and 502 for an answer.",
      ),
    others: z
      .enum(["refuse", "pass"])
      .default("refuse")
      .describe(
        "What becomes of bodies that are not JSON (`application/json`, `…+json`, in UTF-8): `refuse` (415 for a request, 502 for an answer) or `pass` (unchanged: a service that reads JSON under another type then sees what was to be removed).",
      ),
    rename: renameSchema
      .describe(
        "Old place to new one; what stood at the new one goes. Nothing happens where the old one is empty.",
      )
      .optional(),
    remove: z
      .array(innerSchema.transform((text) => parsePointer(text) ?? []))
      .min(1, "at least one place")
      .max(LIMITS.places, `at most ${LIMITS.places} places`)
      .describe("Places whose values are removed where they are there.")
      .optional(),
    set: setSchema
      .describe(
        "Place to JSON value; objects on the way are made, `-` is the end of an array. A text takes `${principal.subject}` and the like; a lone attribute keeps its type; one that names something absent removes what is there.",
      )
      .optional(),
  })
  .refine(
    ({ rename, remove, set }) => (rename ?? remove ?? set) !== undefined,
    "rename, remove or set",
  )
  .describe(
    "Changes to JSON bodies: renamed, then removed, then set, each place a JSON Pointer. Everything else stays as it was written.",
  )
  .readonly();

export type BodyChanges = z.output<typeof bodyChangesSchema>;

function few(written: object): boolean {
  return Object.keys(written).length <= LIMITS.places;
}

function toTemplate(key: string, value: unknown): BodyTemplate | { readonly remedy: string } {
  const at = parsePointer(key) ?? [];
  if (typeof value === "string") {
    const parsed = parseTemplate(value);
    if ("remedy" in parsed) return parsed;
    if (value.length > LIMITS.value || !value.isWellFormed()) return { remedy: "a shorter text" };
    const constant = constantText(parsed.template);
    return constant === undefined
      ? { key, at, text: undefined, value: parsed.template }
      : { key, at, text: JSON.stringify(constant), value: [] };
  }
  const text = toJson(value);
  if (text === undefined) return { remedy: "a JSON value" };
  if (text.length > LIMITS.value) return { remedy: `at most ${LIMITS.value} characters as JSON` };
  return { key, at, text, value: [] };
}

/** As `JSON.stringify`, with integers of any size. */
function toJson(value: unknown): string | undefined {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return undefined;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const items = Array.isArray(value) ? value.map(toJson) : Object.values(value).map(toJson);
  if (items.includes(undefined)) return undefined;
  if (Array.isArray(value)) return `[${items.join(",")}]`;
  const members = Object.keys(value).map(
    (name, index) => `${JSON.stringify(name)}:${items[index]}`,
  );
  return `{${members.join(",")}}`;
}
