/**
 * Options of an authenticator of type `oidc`: people in a browser, who log in at an OpenID provider and
 * are known by a session from then on.
 */
import { z } from "zod";
import { ALGORITHMS } from "../crypto/algorithms.ts";
import { duration } from "../model/options.ts";
import { whyNotFetched } from "../wire/fetch-url.ts";
import { principalSchema } from "./claims/principal-options.ts";
import { sessionSchema } from "./session/session-options.ts";

const LIMITS = {
  /** URLs, ids, secrets; no real one comes near. */
  chars: 2048,
  scopes: 32,
  acrValues: 16,
  audience: 16,
  /** Of a button. */
  label: 80,
} as const;

const textSchema = z.string().min(1).max(LIMITS.chars);

const clientSchema = z
  .strictObject({
    id: textSchema.describe("`client_id` at the provider."),
    secret: textSchema
      .optional()
      .describe("Its secret: `${file:secrets/oidc}` or `${env:OIDC_SECRET}`."),
    privateKey: textSchema
      .optional()
      .describe(
        "PEM file (PKCS #8, mode 0600) of the key that it signs its assertions with, for `private_key_jwt`.",
      ),
    keyId: textSchema
      .optional()
      .describe("`kid` of those assertions, where the provider has several keys of this client."),
    method: z
      .enum(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])
      .optional()
      .describe(
        "How it authenticates at the token endpoint. Left out: `private_key_jwt` with `privateKey`; with `secret` the way that the provider prefers; `none` (a public client, by PKCE alone) without either.",
      ),
  })
  .superRefine(({ secret, privateKey, method }, context) => {
    const issue = (path: string, message: string): void => {
      context.addIssue({ code: "custom", path: [path], message });
    };
    if (secret !== undefined && privateKey !== undefined) {
      issue("privateKey", "secret or privateKey, not both");
    }
    if (method === "private_key_jwt" && privateKey === undefined) {
      issue("method", "private_key_jwt needs privateKey");
    }
    if (method?.startsWith("client_secret_") === true && secret === undefined) {
      issue("method", `${method} needs secret`);
    }
    if (method === "none" && (secret ?? privateKey) !== undefined) {
      issue("method", "none goes without secret and privateKey");
    }
  })
  .readonly();

const scopeSchema = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, "a scope: printable, without white space and quotes");

export const oidcOptionsSchema = z
  .strictObject({
    type: z.literal("oidc").describe("People in a browser: OpenID Connect login and a session."),
    issuer: textSchema.describe(
      "The provider: where discovery is asked (`<issuer>/.well-known/openid-configuration`), and `iss` of its ID tokens, compared exactly.",
    ),
    client: clientSchema.describe("What the provider knows this proxy as."),
    scopes: z
      .array(scopeSchema, "a list of scopes")
      .max(LIMITS.scopes, `at most ${LIMITS.scopes}`)
      .refine((scopes) => scopes.includes("openid"), "openid among them")
      .readonly()
      .default(["openid"])
      .describe(
        "What is asked for, `openid` among it. With `offline_access`, where the provider wants that for a refresh token, sessions are refreshed and follow changes of claims.",
      ),
    audience: z
      .array(textSchema, "a list of audiences")
      .max(LIMITS.audience, `at most ${LIMITS.audience}`)
      .readonly()
      .default([])
      .describe(
        "Audiences that an ID token may have beside the client's id. One with any other is refused; none when left out.",
      ),
    algorithms: z
      .array(z.enum(ALGORITHMS), `a list of ${ALGORITHMS.join(", ")}`)
      .min(1, "at least one algorithm")
      .readonly()
      .default(["RS256", "ES256", "EdDSA"])
      .describe("Accepted `alg` of ID tokens and logout tokens."),
    par: z
      .enum(["auto", "required", "off"])
      .default("auto")
      .describe(
        "Pushed authorization requests (RFC 9126). `auto`: where the provider offers them; `required`: refuses a provider that does not; `off`: never.",
      ),
    userinfo: z
      .boolean()
      .default(false)
      .describe("Adds the claims of the userinfo endpoint, at login and at each refresh."),
    label: z
      .string()
      .min(1)
      .max(LIMITS.label)
      .optional()
      .describe("What the chooser calls it, where a route takes several; its name when left out."),
    maxAge: duration({ min: "0s", max: "90d" })
      .optional()
      .describe("How long ago a person may have logged in at the provider at most (`max_age`)."),
    acrValues: z
      .array(textSchema, "a list of acr values")
      .min(1)
      .max(LIMITS.acrValues, `at most ${LIMITS.acrValues}`)
      .readonly()
      .optional()
      .describe(
        "Authentication contexts that are asked for, the best first (`acr_values`). Every login has to be one of them, also where a policy asks for a stronger one (`@step_up`): name here what policies ask for, too.",
      ),
    clockSkew: duration({ min: "0s", max: "5m" })
      .prefault("30s")
      .describe("Tolerance on the times of ID tokens and logout tokens."),
    timeout: duration({ min: "100ms", max: "1m" })
      .prefault("10s")
      .describe("For each request to the provider as a whole."),
    principal: principalSchema.describe(
      "How the claims of the ID token, and of userinfo where asked for, become the principal that policies see.",
    ),
    session: sessionSchema.prefault({}).describe("The session that a login begins."),
    insecureHttp: z
      .boolean()
      .default(false)
      .describe(
        "Lets the provider be reached over plain http from elsewhere than loopback. Whoever is on the way can then log in as anybody.",
      ),
  })
  .superRefine(({ issuer, insecureHttp, maxAge }, context) => {
    const message = whyNotFetched(issuer, insecureHttp);
    if (message !== undefined) context.addIssue({ code: "custom", path: ["issuer"], message });
    if (maxAge !== undefined && maxAge % 1000 !== 0) {
      context.addIssue({ code: "custom", path: ["maxAge"], message: "whole seconds" });
    }
  })
  .readonly();

/** As the user writes it. */
export type OidcOptionsInput = z.input<typeof oidcOptionsSchema>;
/** Checked; durations in milliseconds. */
export type OidcOptions = z.output<typeof oidcOptionsSchema>;

/** Key files are secret: each proxy has its own. */
export function mapOidcFiles(options: OidcOptions, change: (file: string) => string): OidcOptions {
  const { client, session } = options;
  return {
    ...options,
    client:
      client.privateKey === undefined
        ? client
        : { ...client, privateKey: change(client.privateKey) },
    session: {
      ...session,
      keys: session.keys.map((key) => ("file" in key ? { file: change(key.file) } : key)),
    },
  };
}
