/**
 * Everything that decisions are made by, as one value that is known by the hash of its bytes: the files
 * as they were written (policies and their data) and the words that they could use. Decision records name
 * it, so that a decision can be made again by what was in force then; whoever was told the hash can take
 * the bytes from anybody.
 *
 * Refuses bytes of another hash, of another format, or that are no bundle.
 */
import { createHash } from "node:crypto";
import { SallyportError } from "../../model/errors.ts";
import { parseJsonBytes } from "../../model/json.ts";
import { isMapping } from "../../wire/document/written.ts";
import type { PolicySource } from "../policy-source.ts";

export interface PolicyBundle {
  /** `sha256-<base64url>` of the bytes. */
  readonly hash: string;
  readonly bytes: Uint8Array;
}

export const POLICY_BUNDLE_LIMITS = {
  /** Bytes: 100 000 entities and 10 000 policies have some 20 MB. */
  bytes: 64 * 1024 * 1024,
  /** Levels of nesting; those of a vocabulary are fewer. */
  depth: 32,
} as const;

/** The order of `files` counts, and so does that of the words: both decide how a decision is written. */
export function encodePolicyBundle({ files, vocabulary }: PolicySource): PolicyBundle {
  const named = files.map(({ name, text }) => ({ name, text }));
  const text = JSON.stringify({ format: 1, files: named, vocabulary }, writeLong);
  const bytes = new TextEncoder().encode(text);
  return { hash: hashOf(bytes), bytes };
}

/** Throws SallyportError `policy-invalid` for bytes that are not those of this hash, or no bundle. */
export function decodePolicyBundle({ hash, bytes }: PolicyBundle): PolicySource {
  if (bytes.length > POLICY_BUNDLE_LIMITS.bytes) throw refused(`it has ${bytes.length} bytes`);
  if (hashOf(bytes) !== hash) throw refused("its bytes are not those of its hash");
  let value: unknown;
  try {
    value = readLongs(parseJsonBytes(bytes, { maxDepth: POLICY_BUNDLE_LIMITS.depth }));
  } catch (error) {
    throw refused((error as Error).message, error);
  }
  if (!isContent(value)) throw refused("it is none that this version knows");
  const { files, vocabulary } = value;
  return { files, vocabulary };
}

/** By hand: the thread that checks policies would load zod for this alone. */
function isContent(value: unknown): value is PolicySource {
  return (
    hasOnly(value, ["format", "files", "vocabulary"]) &&
    // Of this format; another version may have another.
    value["format"] === 1 &&
    Array.isArray(value["files"]) &&
    value["files"].every(
      (file) =>
        hasOnly(file, ["name", "text"]) &&
        typeof file["name"] === "string" &&
        typeof file["text"] === "string",
    ) &&
    // Written by us and known by its hash: its shape is not asked again.
    isMapping(value["vocabulary"])
  );
}

function hasOnly(
  value: unknown,
  names: readonly string[],
): value is Readonly<Record<string, unknown>> {
  return isMapping(value) && Object.keys(value).every((name) => names.includes(name));
}

function hashOf(bytes: Uint8Array): string {
  return `sha256-${createHash("sha256").update(bytes).digest("base64url")}`;
}

/** JSON has no integers of 64 bits: they stand as `{"$long": "…"}`; no name of a word begins so. */
function writeLong(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? { $long: String(value) } : value;
}

function readLongs(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(readLongs);
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length === 1 && only?.[0] === "$long" && typeof only[1] === "string") {
    return BigInt(only[1]);
  }
  return Object.fromEntries(entries.map(([name, one]) => [name, readLongs(one)]));
}

function refused(why: string, cause?: unknown): SallyportError {
  return new SallyportError("policy-invalid", `a policy bundle cannot be used: ${why}`, { cause });
}
