/** Workloads as the store has them, and what is shown of them. A document of another form is refused, never half read. */
import { z } from "zod";
import { SallyportError } from "../../model/errors.ts";
import type { JsonObject } from "../../model/json.ts";
import type { StoredDocument } from "../../model/store.ts";
import {
  ENROLMENT_METHODS,
  WORKLOAD_KINDS,
  type Workload,
  type WorkloadState,
} from "../../model/workloads.ts";
import { workloadUri } from "./workload-id.ts";

const time = z.int().min(0);
const text = z.string();

const keySchema = z.strictObject({
  /** RFC 7638. */
  thumbprint: text,
  jwk: z.record(text, z.string()),
  registeredMs: time,
  notAfterMs: time,
  serial: text.optional(),
  /** `x5t#S256` of certificates that were made for this key, newest last. */
  certificates: z.array(text),
});

const recordSchema = z.strictObject({
  kind: z.enum(WORKLOAD_KINDS),
  method: z.enum(ENROLMENT_METHODS),
  createdMs: time,
  createdBy: text,
  key: keySchema.optional(),
  /** The key before the last renewal: who did not hear the answer still has it. */
  previous: z
    .strictObject({
      thumbprint: text,
      jwk: z.record(text, z.string()),
      certificates: z.array(text),
      notAfterMs: time,
      /** Until then its certificate still lets it in; later it can only hear the answer again. */
      followsUntilMs: time,
    })
    .optional(),
  invitation: z.strictObject({ token: text, expiresMs: time, by: text }).optional(),
  /**
   * Thumbprints of keys that ended with `re-enrol --now`, until it has another: relays, which know no
   * keys, keep it out by its name meanwhile, and none of these is registered again.
   */
  withdrawn: z.array(text).optional(),
  disabled: z.strictObject({ atMs: time, by: text, reason: text.optional() }).optional(),
  suspicion: z.strictObject({ atMs: time, address: text }).optional(),
});

const tokenSchema = z.strictObject({
  name: text,
  /** Thumbprint of the key that it was redeemed with: it may hear the answer again. */
  redeemedBy: text.optional(),
});

export type WorkloadRecord = z.output<typeof recordSchema>;
export type RecordedKey = z.output<typeof keySchema>;
export type TokenRecord = z.output<typeof tokenSchema>;

export function readWorkload(document: StoredDocument): WorkloadRecord {
  return read(recordSchema, document);
}

export function readToken(document: StoredDocument): TokenRecord {
  return read(tokenSchema, document);
}

/** As `Write.body`: members that are undefined are left out. */
export function bodyOf(record: WorkloadRecord | TokenRecord): JsonObject {
  return JSON.parse(JSON.stringify(record)) as JsonObject;
}

/** Whether the feed names it as kept out although a certificate of it may still be good. */
export function isKeptOut({ disabled, withdrawn }: WorkloadRecord): boolean {
  return disabled !== undefined || withdrawn !== undefined;
}

/** When it was last there, of a document of `last-seen`. */
export function readSeen(document: StoredDocument | undefined): number | undefined {
  const at = document?.body?.["atMs"];
  return typeof at === "number" ? at : undefined;
}

export interface ViewContext {
  readonly trustDomain: string;
  readonly nowMs: number;
  /** Of `last-seen`. */
  readonly seenMs: number | undefined;
}

/** What is shown of it. */
export function viewOf(
  { id: name, number }: Pick<StoredDocument, "id" | "number">,
  record: WorkloadRecord,
  { trustDomain, nowMs, seenMs }: ViewContext,
): Workload {
  const { kind, method, createdMs, createdBy, key, invitation, disabled, suspicion } = record;
  const open = invitation !== undefined && nowMs < invitation.expiresMs;
  return {
    name,
    kind,
    method,
    state: stateOf(record, nowMs),
    id: workloadUri(trustDomain, { kind, name }),
    createdMs,
    createdBy,
    key: key && {
      thumbprint: key.thumbprint,
      registeredMs: key.registeredMs,
      notAfterMs: key.notAfterMs,
      serial: key.serial,
    },
    invitedUntilMs: open ? invitation.expiresMs : undefined,
    disabled: disabled && { atMs: disabled.atMs, by: disabled.by, reason: disabled.reason },
    seenMs: lastThere(seenMs, key?.registeredMs),
    suspicion,
    number,
  };
}

/** Who enrols or renews is there as well, and that is written in any case. */
function lastThere(seenMs: number | undefined, registeredMs: number | undefined) {
  if (seenMs === undefined || registeredMs === undefined) return seenMs ?? registeredMs;
  return Math.max(seenMs, registeredMs);
}

function stateOf({ disabled, key, invitation }: WorkloadRecord, nowMs: number): WorkloadState {
  if (disabled !== undefined) return "disabled";
  if (key !== undefined && nowMs < key.notAfterMs) return "enrolled";
  if (invitation !== undefined && nowMs < invitation.expiresMs) return "invited";
  return key === undefined ? "lapsed" : "expired";
}

function read<T>(schema: z.ZodType<T>, { collection, id, body }: StoredDocument): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const places = result.error.issues.map(({ path }) => path.join(".")).join(", ");
  throw new SallyportError(
    "store-failed",
    `${collection}/${id} does not fit this version (${places})`,
  );
}
