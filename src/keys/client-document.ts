/**
 * A client of the token endpoint as the store keeps it: how it proves who it is (public keys,
 * thumbprints of certificates, hashes of secrets), what it is to policies, and who made or stopped it.
 * Nothing in it is secret.
 */
import { z } from "zod";
import { readPublicKey } from "../crypto/jwk.ts";
import { CLIENT_LIMITS, clientIdSchema } from "../model/clients.ts";
import { SallyportError } from "../model/errors.ts";
import type { JsonObject } from "../model/json.ts";
import type { StoredDocument } from "../model/store.ts";
import { attributeValues, names, text, time } from "./document-parts.ts";

const LIMITS = {
  label: 200,
  reason: 500,
  by: 300,
  /** Of one public key: RSA of 8 192 bits has some 1 500 characters. */
  jwk: 4096,
} as const;

/** What operators say of a client, as commands and the admin API take it. */
export const clientGrantSchema = z.strictObject({
  id: clientIdSchema.describe("`client_id`, and the subject of its principal."),
  label: text(LIMITS.label).optional().describe("For operators."),
  roles: names
    .default([])
    .describe("Roles of its principal, as `principal.roles` of the authenticator says."),
  groups: names.default([]).describe("Groups of its principal."),
  attributes: attributeValues
    .default({})
    .describe("Values of the attributes that the authenticator of type `sallyport` declares."),
});

export type ClientGrant = z.output<typeof clientGrantSchema>;

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;
const added = { addedMs: time, addedBy: text(LIMITS.by) };

const proofSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("key"),
    /** RFC 7638. */
    id: z.string().regex(THUMBPRINT),
    jwk: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
    ...added,
  }),
  z.strictObject({
    type: z.literal("certificate"),
    /** `x5t#S256`. */
    id: z.string().regex(THUMBPRINT),
    ...added,
  }),
  z.strictObject({
    type: z.literal("secret"),
    /** Says nothing of it: random. */
    id: z.string().regex(/^[A-Za-z0-9_-]{16}$/),
    /** base64url SHA-256. It is 32 random bytes, so it cannot be found by trying. */
    digest: z.string().regex(THUMBPRINT),
    ...added,
  }),
]);

export type ClientProof = z.output<typeof proofSchema>;

const bodySchema = clientGrantSchema.omit({ id: true }).extend({
  proofs: z.array(proofSchema).max(CLIENT_LIMITS.proofs),
  createdMs: time,
  createdBy: text(LIMITS.by),
  disabled: z
    .strictObject({
      atMs: time,
      by: text(LIMITS.by),
      reason: z.string().max(LIMITS.reason).optional(),
    })
    .optional(),
});

export type ClientBody = z.output<typeof bodySchema>;

/** Throws TypeError, which says nothing of the values, where it is none. */
export function clientToStore(body: ClientBody): JsonObject {
  const checked = bodySchema.safeParse(body);
  if (checked.success) return JSON.parse(JSON.stringify(checked.data)) as JsonObject;
  const places = checked.error.issues.map((issue) => issue.path.join(".")).join(", ");
  throw new TypeError(`a client is not valid at: ${places}`);
}

/** Throws SallyportError `store-failed` where the document is none. */
export function clientFromStore({ id, body }: StoredDocument): ClientBody {
  const checked = bodySchema.safeParse(body);
  if (checked.success) return checked.data;
  throw new SallyportError("store-failed", `the client ${id} in the store cannot be read`);
}

/** Only what a public key has: whatever else stood with it is not kept. */
const PUBLIC = ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"];

/**
 * The public key as it is kept, and its thumbprint; or why it is not taken. A private one is refused
 * and not trimmed: whoever sends it has shown it.
 */
export function publicClientKey(
  jwk: JsonObject,
): { readonly id: string; readonly jwk: Record<string, string> } | { readonly fault: string } {
  const read = readPublicKey(jwk);
  if (typeof read === "string") return { fault: read };
  const kept = Object.entries(jwk).filter(
    (one): one is [string, string] => PUBLIC.includes(one[0]) && typeof one[1] === "string",
  );
  const known = Object.fromEntries(kept);
  return JSON.stringify(known).length > LIMITS.jwk
    ? { fault: `it has more than ${LIMITS.jwk} characters` }
    : { id: read.thumbprint, jwk: known };
}
