/** API keys for tests: their texts, and the entries that an authority would tell of them. */
import { createSecretKey, randomBytes } from "node:crypto";
import { macOfApiKey, makeApiKey } from "../../src/crypto/api-key-text.ts";
import { type ApiKeyDirectory, createApiKeyDirectory } from "../../src/keys/api-key-directory.ts";
import {
  type ApiKeyEntry,
  apiKeyId,
  type ApiKeyProfile,
  writeApiKeyProfile,
} from "../../src/model/api-keys.ts";
import { recordedMetrics } from "../ports.ts";

export const MAC = Buffer.alloc(32, 7).toString("base64url");

export const CREATED = Date.UTC(2026, 0, 1);

export interface MadeEntry {
  readonly text: string;
  readonly id: string;
  readonly entry: ApiKeyEntry;
}

export function madeEntry(
  given: Partial<Omit<ApiKeyEntry, "digest" | "profile">> &
    Partial<ApiKeyProfile> & { readonly prefix?: string } = {},
): MadeEntry {
  const { prefix = "sp_", subject = "ann", revoked = false, authenticator = "partners" } = given;
  const { scopes = [], roles = [], groups = [], attributes = {}, services } = given;
  const text = makeApiKey(prefix, randomBytes);
  const digest = macOfApiKey(text, createSecretKey(MAC, "base64url")).toString("base64url");
  const profile = writeApiKeyProfile({
    authenticator,
    scopes,
    roles,
    groups,
    attributes,
    services,
  });
  const { createdMs = CREATED, expiresMs = CREATED + 90 * 86_400_000 } = given;
  return {
    text,
    id: apiKeyId(digest),
    entry: { digest, subject, profile, createdMs, expiresMs, revoked },
  };
}

/** That knows these. */
export function directoryOf(...made: readonly MadeEntry[]): ApiKeyDirectory {
  const directory = createApiKeyDirectory({ metrics: recordedMetrics() });
  told(
    directory,
    made.map(({ entry }) => entry),
  );
  directory.heard();
  return directory;
}

export function told(directory: ApiKeyDirectory, entries: readonly ApiKeyEntry[]): boolean {
  return directory.apply({ entries, gone: [], mac: MAC }, { reset: false });
}
