/**
 * Options of an authenticator of type `jwt`: access tokens of an OpenID provider or of any issuer
 * that publishes its keys.
 */
import { z } from "zod";
import { ALGORITHMS } from "../crypto/algorithms.ts";
import { duration } from "../model/options.ts";
import { whyNotFetched } from "../wire/fetch-url.ts";
import { principalSchema } from "./claims/principal-options.ts";

const LIMITS = {
  /** URLs and audiences; no real one comes near. */
  chars: 2048,
  audience: 16,
} as const;

/** Stands in `types` for tokens whose header has no `typ`. */
export const ABSENT_TYPE = "absent";

/**
 * Types that are never an access token: what we assert to services, proofs, logout tokens and
 * security events. An authenticator that accepted one would turn a message into a credential.
 */
const NEVER_TYPES: ReadonlySet<string> = new Set([
  "sallyport-assertion+jwt",
  "dpop+jwt",
  "logout+jwt",
  "secevent+jwt",
]);

const textSchema = z.string().min(1).max(LIMITS.chars);

const typeSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/, "a type such as at+jwt or JWT, or absent")
  .refine((type) => !NEVER_TYPES.has(type.toLowerCase()), "a type of access tokens");

export const keysSchema = z
  .strictObject({
    minRefresh: duration({ min: "1s", max: "24h" })
      .prefault("1m")
      .describe("Keys are not fetched again earlier than this, whatever `max-age` says."),
    maxRefresh: duration({ min: "1s", max: "24h" })
      .prefault("15m")
      .describe("Keys are fetched again after this long at the latest, whatever `max-age` says."),
    cooldown: duration({ min: "1s", max: "10m" })
      .prefault("10s")
      .describe(
        "Least time between fetches that callers cause by a `kid` that is not known. A key that was rotated in works after this long at the latest.",
      ),
    keep: duration({ min: "1m", max: "30d" })
      .prefault("12h")
      .describe(
        "How long the last good keys serve while the provider is down. Beyond it every token of the issuer is refused (503), those verified before included.",
      ),
    timeout: duration({ min: "100ms", max: "1m" })
      .prefault("5s")
      .describe("For each fetch as a whole."),
  })
  .refine(
    (keys) => keys.minRefresh <= keys.maxRefresh && keys.maxRefresh <= keys.keep,
    "minRefresh <= maxRefresh <= keep",
  )
  .readonly();

export const jwtOptionsSchema = z
  .strictObject({
    type: z.literal("jwt").describe("Signed tokens: RFC 9068 access tokens and plain JWTs."),
    issuer: textSchema.describe(
      "`iss` of its tokens, compared exactly. Without `jwks` also where discovery is asked.",
    ),
    jwks: textSchema
      .optional()
      .describe(
        "Where its keys are: `https://…`, or `file:…` (read at load). Without it: by OpenID discovery, `<issuer>/.well-known/openid-configuration`.",
      ),
    audience: z
      .array(textSchema, "a list of audiences")
      .min(1, "at least one audience")
      .max(LIMITS.audience, `at most ${LIMITS.audience}`)
      .optional()
      .describe("What a token must be meant for (`aud`) on routes that name no `audience`."),
    algorithms: z
      .array(z.enum(ALGORITHMS), `a list of ${ALGORITHMS.join(", ")}`)
      .min(1, "at least one algorithm")
      .default(["RS256", "ES256", "EdDSA"])
      .describe("Accepted `alg`. `EdDSA` and `Ed25519` are two names of one algorithm."),
    types: z
      .array(typeSchema, "a list of types")
      .min(1, "at least one type")
      .default(["at+jwt", "JWT", ABSENT_TYPE])
      .describe(
        "Accepted `typ`, without `application/` and in any case; `absent` for tokens without one.",
      ),
    clockSkew: duration({ min: "0s", max: "5m" })
      .prefault("30s")
      .describe("Tolerance on `exp`, `nbf` and `iat`."),
    maxAge: duration({ min: "1s", max: "30d" })
      .optional()
      .describe("Tokens older than this by `iat` are refused as expired, and those without `iat`."),
    principal: principalSchema.describe(
      "How claims become the principal that policies see. A claim is named by a dotted path (`realm_access.roles`), by a URL (`https://example.com/roles`, one name), or by a list of names where a name holds a dot (`[corp.example, roles]`). Values are taken as they are: nothing is split or converted, and `null` counts as absent.",
    ),
    keys: keysSchema.prefault({}).describe("When keys are fetched and how long they serve."),
    insecureHttp: z
      .boolean()
      .default(false)
      .describe(
        "Lets keys be fetched over plain http from elsewhere than loopback. Whoever is on the way can then forge every token of this issuer.",
      ),
    insecureIdTokens: z
      .boolean()
      .default(false)
      .describe(
        "Accepts OpenID ID tokens. They tell a client who logged in; whoever receives one can then call in the user's name.",
      ),
  })
  .superRefine((options, context) => {
    const [path, url] =
      options.jwks === undefined ? ["issuer", options.issuer] : ["jwks", options.jwks];
    if (path === "jwks" && url.startsWith("file:")) {
      if (url === "file:") context.addIssue({ code: "custom", path: [path], message: "a path" });
      return;
    }
    const fault = whyNotFetched(url, options.insecureHttp);
    const file = path === "jwks" && !URL.canParse(url) ? ", or file: before a path" : "";
    const message = fault && `${fault}${file}`;
    if (message !== undefined) context.addIssue({ code: "custom", path: [path], message });
  })
  .readonly();

/** As the user writes it. */
export type JwtOptionsInput = z.input<typeof jwtOptionsSchema>;
/** Checked; durations in milliseconds. */
export type JwtOptions = z.output<typeof jwtOptionsSchema>;
