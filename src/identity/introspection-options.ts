/** Options of an authenticator of type `introspection`: tokens that only their provider can read. */
import { z } from "zod";
import { duration } from "../model/options.ts";
import { answerCacheSchema, downSchema, serveForFault } from "./asked/asked-options.ts";
import { clientSchema, mapClientFiles } from "./asked/client-options.ts";
import { whyNotFetched } from "../wire/fetch-url.ts";
import { principalSchema } from "./claims/principal-options.ts";

const LIMITS = { chars: 2048, audience: 16, path: 4096 } as const;

const textSchema = z.string().min(1).max(LIMITS.chars);

export const introspectionOptionsSchema = z
  .strictObject({
    type: z
      .literal("introspection")
      .describe("Opaque tokens, which their provider is asked about (RFC 7662)."),
    endpoint: textSchema.describe("Where it is asked: the provider's introspection endpoint."),
    client: clientSchema.describe("Who we are to the provider, and how we prove it."),
    issuer: textSchema
      .optional()
      .describe(
        "`iss` that answers must have, compared exactly. Signed tokens of this issuer are asked about too, so no `jwt` authenticator of the same issuer can stand beside it on a route. Left out, only tokens that no issuer has signed are asked about: for a provider that gives both kinds, leave it out and name a `jwt` authenticator too.",
      ),
    audience: z
      .array(textSchema, "a list of audiences")
      .min(1, "at least one audience")
      .max(LIMITS.audience, `at most ${LIMITS.audience}`)
      .optional()
      .describe("What a token must be meant for (`aud`) on routes that name no `audience`."),
    clockSkew: duration({ min: "0s", max: "5m" })
      .prefault("30s")
      .describe("Tolerance on `exp`, `nbf` and `iat`."),
    principal: principalSchema
      .prefault({ kind: "user" })
      .describe(
        "How members of the answer become the principal that policies see, as claims do for `jwt`. A user by its `sub` when left out.",
      ),
    cache: answerCacheSchema.prefault({}).describe("How long the provider's answers count."),
    down: downSchema
      .default("refuse")
      .describe(
        "While the provider cannot be asked. refuse: its tokens are refused (503) once its last answer counts no more. serveFor: what it vouched for goes on for so long after that answer; new tokens are refused. refuse when left out.",
      ),
    timeout: duration({ min: "100ms", max: "1m" })
      .prefault("5s")
      .describe("For each question as a whole, and for how long one may wait for its turn."),
    ca: z
      .string()
      .min(1, "a path")
      .max(LIMITS.path)
      .optional()
      .describe(
        "PEM file with the authorities that the endpoint's certificate must lead to. Those of the runtime (the public web) when left out.",
      ),
    insecureHttp: z
      .boolean()
      .default(false)
      .describe(
        "Lets the provider be asked over plain http elsewhere than on loopback. Whoever is on the way can then read every token and say what it likes of it.",
      ),
    insecureAnyAudience: z
      .boolean()
      .default(false)
      .describe(
        "Accepts tokens of which the provider does not say what they are meant for. One that was issued for any other service then opens these routes. One with `aud` must still fit.",
      ),
  })
  .superRefine((options, context) => {
    const { endpoint, insecureHttp, client } = options;
    const issue = (path: readonly string[], message: string): void =>
      context.addIssue({ code: "custom", path: [...path], message });
    const wrong = whyNotFetched(endpoint, insecureHttp);
    if (wrong !== undefined) issue(["endpoint"], wrong);
    else if (client.certificate !== undefined && !endpoint.startsWith("https:")) {
      issue(["endpoint"], "an https: URL: a certificate is shown in its handshake");
    }
    const serves = serveForFault(options.down, options.cache);
    if (serves !== undefined) issue(["down", "serveFor"], serves);
  })
  .readonly();

export type IntrospectionOptions = z.output<typeof introspectionOptionsSchema>;

export function mapIntrospectionFiles(
  options: IntrospectionOptions,
  change: (file: string) => string,
): IntrospectionOptions {
  const { ca, client } = options;
  return {
    ...options,
    client: mapClientFiles(client, change),
    ...(ca === undefined ? {} : { ca: change(ca) }),
  };
}
