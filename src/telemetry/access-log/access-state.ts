/**
 * How far the access log is, and which decisions wait for the end of their requests: kept in the folder
 * of the audit log, so that a restart neither leaves out a line nor writes one for what is long told.
 */
import { z } from "zod";
import type { Log } from "../../model/ports.ts";
import { readFileBytes } from "../../platform/files.ts";
import { writeFileAtomic } from "../../platform/write-file.ts";
import { ACCESS_FIELDS, type AccessDecision } from "./access-entry.ts";

const VERSION = 1;

const fieldSchema = z.union([z.string(), z.number()]);
const shape = Object.fromEntries(ACCESS_FIELDS.map((field) => [field, fieldSchema.optional()]));

const stateSchema = z.strictObject({
  /** Bytes of each segment that are dealt with. */
  offsets: z.record(z.string(), z.int().min(0)),
  pending: z.array(z.strictObject({ ...shape, decisionId: z.string() })),
  v: z.literal(VERSION),
});

export interface AccessState {
  readonly offsets: Readonly<Record<string, number>>;
  readonly pending: readonly AccessDecision[];
}

/** Undefined where there is none that can be used, which is said: the access log begins anew then. */
export function readAccessState(path: string, log: Log): AccessState | undefined {
  try {
    const text = readFileBytes(path, LIMITS.file).toString("utf8");
    const { offsets, pending } = stateSchema.parse(JSON.parse(text));
    return { offsets, pending };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") {
      // Texts of JSON and of the schema may quote what the file holds.
      const why = typeof code === "string" ? code : "it is not what the access log writes";
      log.warn("how far the access log had read cannot be read; it goes on with what comes", {
        file: path,
        why,
      });
    }
    return undefined;
  }
}

const LIMITS = {
  /** Bytes: what waits, twice over. */
  file: 256 * 1024 * 1024,
} as const;

/** Rejects with SallyportError `io-failed`. */
export async function writeAccessState(path: string, state: AccessState): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify({ ...state, v: VERSION })}\n`, { mode: 0o600 });
}
