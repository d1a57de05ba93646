/**
 * A revocation as the store keeps it: who is named, what is denied until when, who said so and why.
 * The feed gets of it only what a proxy needs (`entryOf`).
 */
import { z } from "zod";
import { SallyportError } from "../model/errors.ts";
import type { JsonObject } from "../model/json.ts";
import { NEVER, type RevocationEntry, type RevocationTarget } from "../model/revocation.ts";
import type { StoredDocument } from "../model/store.ts";
import { revocationDigest } from "./revocation-digest.ts";

const LIMITS = {
  /** As long as an id or a subject can be in a token that we take (`identity/claims/registered-claims.ts`). */
  name: 2048,
  /** What an operator says in a sentence or two, and who that was. */
  reason: 500,
  by: 300,
} as const;

/** The end of the year 2099: lists keep seconds in 32 bits, which last until 2106. */
export const LATEST_MS: number = Date.UTC(2100, 0, 1) - 1;

const name = text(LIMITS.name).min(1);

/** What a revocation names, as commands and the admin API take it. */
export const revocationTargetSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("id"), authenticator: name, id: name }),
  z.strictObject({ kind: z.literal("subject"), authenticator: name, subject: name }),
  z.strictObject({ kind: z.literal("authenticator"), authenticator: name }),
  z.strictObject({ kind: z.literal("service"), service: name }),
]);

/** Milliseconds since the epoch; what is later than the latest time is `NEVER`. */
const time = z.int().min(1).max(LATEST_MS);
const timeOrNever = z.union([time, z.literal(NEVER)]);

const bodySchema = z.strictObject({
  target: revocationTargetSchema,
  cutoff: z.strictObject({ atMs: time, expiresMs: timeOrNever }).optional(),
  block: z.strictObject({ untilMs: timeOrNever }).optional(),
  reason: text(LIMITS.reason).optional(),
  by: text(LIMITS.by).min(1),
});

/** What is kept of one target. At least one of `cutoff` and `block` is there. */
export interface RevocationBody {
  readonly target: RevocationTarget;
  /** What was issued until `atMs` is dead; forgotten at `expiresMs`, when nothing of it is alive. */
  readonly cutoff?: { readonly atMs: number; readonly expiresMs: number } | undefined;
  /** Nothing is good until then; `NEVER`: until lifted. */
  readonly block?: { readonly untilMs: number } | undefined;
  /** For operators; it reaches no proxy, no caller and no audit record. */
  readonly reason?: string | undefined;
  /** Who wrote it last. */
  readonly by: string;
}

/** When the document can go. */
export function expiryOf({ cutoff, block }: RevocationBody): number {
  return Math.max(cutoff?.expiresMs ?? 0, block?.untilMs ?? 0);
}

/** Throws TypeError, which says nothing of the values, where it is none. */
export function bodyToStore(body: RevocationBody): JsonObject {
  const checked = bodySchema.safeParse(body);
  if (checked.success && (body.cutoff ?? body.block) !== undefined) return checked.data;
  const places = checked.error?.issues.map((issue) => issue.path.join(".")).join(", ");
  throw new TypeError(`a revocation is not valid at: ${places ?? "cutoff"}`);
}

/** Throws SallyportError `store-failed` where the document is none, or is about another target than its id. */
export function bodyFromStore({ id, body }: StoredDocument): RevocationBody {
  const checked = bodySchema.safeParse(body);
  if (!checked.success || (checked.data.cutoff ?? checked.data.block) === undefined) {
    throw new SallyportError("store-failed", `the revocation ${id} in the store cannot be read`);
  }
  if (revocationDigest(checked.data.target) !== id) {
    throw new SallyportError("store-failed", `the revocation ${id} is stored under another target`);
  }
  return checked.data;
}

/** As the feed carries it. Throws as `bodyFromStore` does; a document that was removed is none. */
export function entryOf(document: StoredDocument): RevocationEntry {
  const body = bodyFromStore(document);
  return {
    digest: document.id,
    cutoffMs: body.cutoff?.atMs,
    blockedUntilMs: body.block?.untilMs,
    expiresMs: expiryOf(body),
  };
}

/** What never expires has no time of expiry in the store. */
export function storedExpiry(expiresMs: number): number | undefined {
  return expiresMs >= NEVER ? undefined : expiresMs;
}

/** Text that every engine of the store can keep: Postgres has no NUL, and UTF-8 no lone surrogates. */
function text(max: number) {
  return z
    .string()
    .max(max)
    .refine((value) => value.isWellFormed() && !value.includes("\0"), "text without NUL");
}
