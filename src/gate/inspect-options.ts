/**
 * What policies of a route see of JSON bodies. The body is held as a whole to be read, so it has a bound; one
 * that cannot be read in one way only is refused before anything is sent.
 */
import { z } from "zod";
import { attributeNameSchema, byteSize } from "../model/options.ts";
import type { AttributeType } from "../model/principal.ts";
import { RPC_PROTOCOLS } from "../model/rpc.ts";
import type { VocabularyInspection } from "../model/vocabulary.ts";
import { parsePointer, type JsonPointer } from "../wire/json-pointer.ts";
import { innerSchema } from "./body-options.ts";

const LIMITS = {
  /** Values that a route reads: each record holds all of them. */
  values: 32,
} as const;

/** A value that policies see. */
export interface InspectedValue {
  readonly name: string;
  readonly at: JsonPointer;
  readonly type: AttributeType;
  readonly record: "hashed" | "clear";
}

const valueSchema = z
  .strictObject({
    at: innerSchema.describe(
      "Where it stands: a JSON Pointer (RFC 6901) such as `/transfer/amount` or `/params/arguments/path`.",
    ),
    type: z
      .enum(["string", "bool", "long", "strings"])
      .describe(
        "`string`, `bool`, `long` (a number that is written as a 64-bit integer: not `1e3`, not `1.0`) or `strings` (a list of at most 128 texts). What is there with another type, `null` too, is refused with 400 `invalid-body`.",
      ),
    record: z
      .enum(["hashed", "clear"])
      .default("hashed")
      .describe(
        "How decision records hold it: its keyed hash, or the value itself where it has at most 1024 characters. Replay and explain are certain of it only in clear.",
      ),
  })
  .readonly();

export const inspectSchema = z
  .strictObject({
    limit: byteSize({ min: "1B", max: "1MiB" })
      .prefault("64KiB")
      .describe(
        "Most bytes of a body; beyond it 413. It is held until the service has answered; all such bodies of a process together may have 64 MiB, beyond it 503.",
      ),
    json: z
      .record(attributeNameSchema, valueSchema)
      .refine(
        (values) => Object.keys(values).length <= LIMITS.values,
        `at most ${LIMITS.values} values`,
      )
      .default({})
      .transform((values): readonly InspectedValue[] =>
        Object.entries(values).map(([name, { at, ...rest }]) => ({
          name,
          at: parsePointer(at) ?? [],
          ...rest,
        })),
      )
      .describe(
        "Values that policies see as `context.body.<name>`, where the body has them. A name has one type on all routes.",
      ),
    rpc: z
      .enum(RPC_PROTOCOLS)
      .optional()
      .describe(
        "Bodies are JSON-RPC 2.0 messages, which policies see as `context.rpc` (`protocol`, `kind`, `method`); with `mcp` (Model Context Protocol) also which `tool`, `resource` or `prompt` they name. Others and batches are refused with 400 `invalid-body`.",
      ),
  })
  .refine(
    ({ json, rpc }) => json.length > 0 || rpc !== undefined,
    "json with a value, or rpc: json-rpc or mcp",
  )
  .readonly();

export type InspectOptions = z.output<typeof inspectSchema>;

/** What policies can say of it. */
export function inspectWords({ json, rpc }: InspectOptions): VocabularyInspection {
  const body = Object.fromEntries(json.map(({ name, type }) => [name, type]));
  return rpc === undefined ? { body } : { body, rpc };
}
