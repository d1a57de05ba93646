/** Options of an authenticator of type `api-key`: keys that our own authority has made. */
import { z } from "zod";
import { API_KEY_PREFIX } from "../crypto/api-key-text.ts";
import { duration } from "../model/options.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";
import { apiKeyAttributesSchema } from "./api-key-attributes.ts";
import type { PrincipalOptions } from "./claims/principal-options.ts";
import { bareRoleSchema } from "./claims/attribute-declarations.ts";

const LIMITS = {
  roles: 256,
} as const;

/** Fields that say something else already, or by which connections are framed. */
const TAKEN: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "host",
  "connection",
  "content-length",
  "content-type",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "expect",
  "forwarded",
  "origin",
  "referer",
  "dpop",
  "x-request-id",
  "traceparent",
  "tracestate",
]);

const principalSchema = z
  .strictObject({
    kind: z
      .enum(["user", "workload", "device"])
      .default("workload")
      .describe("What its callers are; their subject is the owner of the key."),
    roles: z
      .strictObject({
        allow: z
          .array(bareRoleSchema)
          .max(LIMITS.roles)
          .default([])
          .describe(
            'Roles of keys that become `Sallyport::Role::"<role>"`. All others become `Role::"<authenticator>/<role>"`.',
          ),
      })
      .readonly()
      .prefault({})
      .describe("How the roles of a key become roles in policies."),
    attributes: apiKeyAttributesSchema
      .prefault({})
      .describe(
        "Typed attributes of the principal in policies, by name; their values stand with each key.",
      ),
  })
  .readonly();

export const apiKeyOptionsSchema = z
  .strictObject({
    type: z
      .literal("api-key")
      .describe(
        "API keys that our own authority makes (`sallyport api-keys create`): for callers that can do nothing better.",
      ),
    prefix: z
      .string()
      .regex(
        API_KEY_PREFIX,
        "2 to 16 lower-case letters and digits with '_' at the end, such as sp_",
      )
      .default("sp_")
      .describe(
        "What its keys begin with: by it a scanner finds them, and a route knows whose they are. One authenticator of a prefix on a route.",
      ),
    field: z
      .string()
      .max(64)
      .regex(/^[A-Za-z0-9-]+$/, "the name of a header field, such as x-api-key")
      .transform((name) => name.toLowerCase())
      .refine(
        (name) =>
          !TAKEN.has(name) &&
          !name.startsWith("x-forwarded") &&
          !name.startsWith("x-sallyport") &&
          !name.startsWith("sallyport") &&
          !name.startsWith("sec-"),
        "a field that has no other meaning, such as x-api-key",
      )
      .default("x-api-key")
      .describe(
        "Field that carries a key; `Authorization: Bearer` does too, and nothing else: no query, no cookie. It is stripped from what services receive on every route, unless the route takes these keys and says `credentials: forward`.",
      ),
    maxLifetime: duration({ min: "1h", max: "1100d" })
      .prefault("366d")
      .describe("No key is made that lasts longer. There is none without an end."),
    principal: principalSchema
      .prefault({})
      .describe("How a key becomes the principal that policies see."),
  })
  .readonly();

/** Checked; durations in milliseconds. */
export type ApiKeyOptions = z.output<typeof apiKeyOptionsSchema>;

/** The claims that stand for what is said of a key, so that it becomes a principal as tokens do. */
export function apiKeyPrincipal({ principal }: Pick<ApiKeyOptions, "principal">): PrincipalOptions {
  const { kind, roles, attributes } = principal;
  return {
    kind,
    subject: ["owner"],
    roles: { claim: ["roles"], allow: roles.allow },
    groups: { claim: ["groups"] },
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, declared]) => [
        name,
        { ...declared, claim: ["attributes", name] },
      ]),
    ),
    device: undefined,
  };
}

export function apiKeyWords({ principal }: ApiKeyOptions): Omit<VocabularyAuthenticator, "name"> {
  const { kind, roles, attributes } = principal;
  return {
    kinds: [kind],
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, { type }]) => [name, type]),
    ),
    bareRoles: roles.allow,
  };
}
