/**
 * What the authority publishes of its configuration, as one immutable value: services, routes,
 * authenticators and limits as they are written, the text of the policies, and the bytes of the public
 * files that those parts name. It is known by the hash of its bytes, so whoever was told the hash by
 * somebody he trusts can take the bytes from anybody.
 *
 * Nothing in it is expanded: `${env:NAME}` and `${file:path}` stand for a value of the place where they
 * are read, and secrets are never published. Keys keep the order in which they are written: that of
 * header fields and pointers is seen by services.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { SallyportError } from "../model/errors.ts";
import { parseJsonBytes } from "../model/json.ts";
import { STORE_LIMITS } from "../store/limits.ts";

export const BUNDLE_LIMITS = {
  /** Bytes: 30 000 routes, their policies and public files. Larger ones would not fit the store. */
  bytes: 16 * 1024 * 1024,
  /** Bytes of one public file. All the public web's authorities have 250 KB. */
  file: 4 * 1024 * 1024,
  /** Levels of nesting; more than the YAML reader takes. */
  depth: 80,
} as const;

/** Bytes and what they are known by. */
export interface Bundle {
  /** `sha256-<base64url>` of the bytes. */
  readonly hash: string;
  readonly bytes: Uint8Array;
}

const digestSchema = z.string().regex(/^[0-9a-f]{64}$/);
const mappingSchema = z.record(z.string(), z.unknown()).readonly();

/** What policies may speak of beside the parts that are in the bundle (words.ts). */
const wordsSchema = z
  .strictObject({
    /** Name → kinds, types of attributes, roles without a prefix. */
    authenticators: mappingSchema,
    /** Name → `attributes`. */
    services: mappingSchema,
    /** `name`, `service`, `path` and `attributes` of each. */
    routes: z.array(z.unknown()).readonly(),
    /** `attributes` of the admin API, where policies decide about it. */
    admin: mappingSchema.optional(),
  })
  .readonly();

const contentSchema = z
  .strictObject({
    /** Of this format; another version may have another. */
    format: z.literal(1),
    services: mappingSchema,
    routes: z.array(z.unknown()).readonly(),
    authenticators: mappingSchema,
    /** Absent where nothing is written: then it is as it is by itself. */
    dpop: mappingSchema.optional(),
    limits: mappingSchema,
    policies: z.array(z.strictObject({ name: z.string(), text: z.string() }).readonly()).readonly(),
    /** The candidate set, where there is one; absent otherwise, so that earlier proxies can read the rest. */
    shadow: z
      .array(z.strictObject({ name: z.string(), text: z.string() }).readonly())
      .readonly()
      .optional(),
    words: wordsSchema,
    /** Places of the parts above whose value is a path, and the file that belongs there. */
    links: z
      .array(
        z
          .strictObject({
            at: z.array(z.string()).min(1).readonly(),
            digest: digestSchema,
          })
          .readonly(),
      )
      .readonly(),
    /** SHA-256 in hexadecimal → bytes in base64. */
    files: z.record(digestSchema, z.base64()).readonly(),
  })
  .readonly();

export type BundleContent = z.output<typeof contentSchema>;
/** A place in a bundle, and the file that belongs there. */
export type BundleLink = BundleContent["links"][number];

/** Throws SallyportError `config-invalid` for what is too large, or no text that others can read. */
export function encodeBundle(content: BundleContent): Bundle {
  const text = JSON.stringify(content, exact);
  const bytes = new TextEncoder().encode(text);
  // In the store it is a text within a document, where every quotation mark is two characters.
  if (bytes.length > BUNDLE_LIMITS.bytes || JSON.stringify({ text }).length > STORE_LIMITS.body) {
    const message = `the bundle has ${bytes.length} bytes, more than can be kept`;
    throw new SallyportError("config-invalid", message);
  }
  return { hash: hashOf(bytes), bytes };
}

/** Throws SallyportError `feed-failed` for bytes that are not those of this hash, or no bundle. */
export function decodeBundle({ hash, bytes }: Bundle): BundleContent {
  if (bytes.length > BUNDLE_LIMITS.bytes) throw refused(`it has ${bytes.length} bytes`);
  if (hashOf(bytes) !== hash) throw refused("its bytes are not those of its hash");
  let value: unknown;
  try {
    value = parseJsonBytes(bytes, { maxDepth: BUNDLE_LIMITS.depth });
  } catch (error) {
    throw refused((error as Error).message, error);
  }
  const result = contentSchema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const at = issue?.path.join(".") ?? "";
    throw refused(`it is none that this version knows (at "${at}")`, result.error);
  }
  for (const [digest, text] of Object.entries(result.data.files)) {
    if (digestOf(Buffer.from(text, "base64")) !== digest) {
      throw refused("a file in it is not the one of its digest");
    }
  }
  return result.data;
}

/** SHA-256 in hexadecimal: also the name of a file. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function hashOf(bytes: Uint8Array): string {
  return `sha256-${createHash("sha256").update(bytes).digest("base64url")}`;
}

interface RawJson {
  rawJSON(text: string): unknown;
}

/** 64-bit integers go as they are; text that is no Unicode would be refused by who reads it. */
function exact(name: string, value: unknown): unknown {
  if (typeof value === "bigint") return (JSON as unknown as RawJson).rawJSON(String(value));
  if (!name.isWellFormed() || (typeof value === "string" && !value.isWellFormed())) {
    const message = "a text holds half of a surrogate pair, which cannot be published";
    throw new SallyportError("config-invalid", message);
  }
  return value;
}

function refused(why: string, cause?: unknown): SallyportError {
  return new SallyportError("feed-failed", `a bundle cannot be used: ${why}`, { cause });
}
