/**
 * How far the access log is, and which decisions wait for the end of their requests: kept in the folder
 * of the audit log, so that a restart neither leaves out a line nor writes one for what is long told.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
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

/** Undefined where there is none that can be used: the access log begins anew then. */
export async function readAccessState(path: string): Promise<AccessState | undefined> {
  try {
    const { offsets, pending } = stateSchema.parse(JSON.parse(await readFile(path, "utf8")));
    return { offsets, pending };
  } catch {
    return undefined;
  }
}

/** Rejects with SallyportError `io-failed`. */
export async function writeAccessState(path: string, state: AccessState): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify({ ...state, v: VERSION })}\n`, { mode: 0o600 });
}
