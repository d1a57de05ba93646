/**
 * An API key as the store keeps it: its keyed hash, whose it is, what it may, until when, and who made,
 * replaced or ended it. The feed gets of it only what a proxy needs (`apiKeyEntryOf`).
 */
import { z } from "zod";
import { SallyportError } from "../model/errors.ts";
import {
  API_KEY_DIGEST,
  API_KEY_LIMITS,
  type ApiKeyEntry,
  apiKeyId,
  readApiKeyProfile,
  writeApiKeyProfile,
} from "../model/api-keys.ts";
import type { JsonObject } from "../model/json.ts";
import type { StoredDocument } from "../model/store.ts";
import { attributeValues, names, text, time } from "./document-parts.ts";

const LIMITS = {
  label: 200,
  name: 256,
  reason: 500,
  by: 300,
} as const;

/** What operators say of a key, as commands and the admin API take it. */
export const apiKeyGrantSchema = z.strictObject({
  authenticator: text(LIMITS.name).describe("The authenticator of type `api-key` that it is for."),
  owner: text(API_KEY_LIMITS.subject).describe(
    "Whose it is: the subject of its principal. Several keys of one owner are one principal.",
  ),
  label: text(LIMITS.label).optional().describe("What tells it from other keys of its owner."),
  scopes: names
    .refine(
      (list) => list.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)),
      "a scope has no white space, quotes or backslashes",
    )
    .default([])
    .describe("`context.scopes`."),
  roles: names.default([]).describe("Roles of its principal, as the authenticator's `roles` says."),
  groups: names.default([]).describe("Groups of its principal."),
  attributes: attributeValues
    .default({})
    .describe("Values of the attributes that the authenticator declares."),
  services: names
    .min(1)
    .optional()
    .describe("The only services that it may be presented to. Absent: all that take it."),
});

export type ApiKeyGrant = z.output<typeof apiKeyGrantSchema>;

const bodySchema = apiKeyGrantSchema.extend({
  digest: z.string().regex(API_KEY_DIGEST),
  createdMs: time,
  createdBy: text(LIMITS.by),
  expiresMs: time,
  /** The key that it took the place of, and the one that took its. */
  replaces: z.string().optional(),
  replacedBy: z.string().optional(),
  revoked: z
    .strictObject({
      atMs: time,
      by: text(LIMITS.by),
      reason: z.string().max(LIMITS.reason).optional(),
    })
    .optional(),
});

export type ApiKeyBody = z.output<typeof bodySchema>;

/** Throws TypeError, which says nothing of the values, where it is none. */
export function apiKeyToStore(body: ApiKeyBody): JsonObject {
  const checked = bodySchema.safeParse(body);
  if (checked.success && isReadable(checked.data)) {
    return JSON.parse(JSON.stringify(checked.data)) as JsonObject;
  }
  const places = checked.error?.issues.map((issue) => issue.path.join(".")).join(", ");
  throw new TypeError(`an API key is not valid at: ${places ?? "its profile"}`);
}

/** Throws SallyportError `store-failed` where the document is none. */
export function apiKeyFromStore({ id, body }: StoredDocument): ApiKeyBody {
  const checked = bodySchema.safeParse(body);
  if (!checked.success || apiKeyId(checked.data.digest) !== id) {
    throw new SallyportError("store-failed", `the API key ${id} in the store cannot be read`);
  }
  return checked.data;
}

/** As the feed carries it. Throws as `apiKeyFromStore` does. */
export function apiKeyEntryOf(document: StoredDocument): ApiKeyEntry {
  const body = apiKeyFromStore(document);
  const { digest, owner, createdMs, expiresMs, revoked } = body;
  const profile = apiKeyProfileText(body);
  return { digest, subject: owner, profile, createdMs, expiresMs, revoked: revoked !== undefined };
}

/** What many keys have in common, as one text. */
export function apiKeyProfileText(grant: ApiKeyGrant): string {
  const { authenticator, scopes, roles, groups, attributes, services } = grant;
  return writeApiKeyProfile({ authenticator, scopes, roles, groups, attributes, services });
}

/** Whether every proxy will be able to read what it may. */
export function isReadable(grant: ApiKeyGrant): boolean {
  const profile = apiKeyProfileText(grant);
  return profile.length <= API_KEY_LIMITS.profile && readApiKeyProfile(profile) !== undefined;
}

/** When the document can go. */
export function apiKeyKeptUntil({ expiresMs }: Pick<ApiKeyBody, "expiresMs">): number {
  return expiresMs + API_KEY_LIMITS.keptMs;
}
