/**
 * What proofs of possession (DPoP, RFC 9449) have to be like. One rule for all routes: a proof is made by
 * a client for a resource, and neither knows of routes.
 */
import { z } from "zod";
import { ALGORITHMS } from "../../crypto/algorithms.ts";
import { duration } from "../../model/options.ts";

export const NONCE_RULES = ["auto", "off", "required"] as const;

export const dpopSchema = z
  .strictObject({
    algorithms: z
      .array(z.enum(ALGORITHMS), `a list of ${ALGORITHMS.join(", ")}`)
      .min(1, "at least one algorithm")
      .default(["ES256", "EdDSA", "PS256", "RS256"])
      .describe(
        "Accepted `alg` of proofs; callers are told them in `WWW-Authenticate`. `EdDSA` and `Ed25519` are two names of one algorithm.",
      ),
    window: duration({ min: "1s", max: "10m" })
      .prefault("1m")
      .describe(
        "How old a proof may be by its `iat`. Each is remembered for as long, so that it counts once; at most 500 000 at a time.",
      ),
    clockSkew: duration({ min: "0s", max: "5m" })
      .prefault("5s")
      .describe("Tolerance on `iat`, in both directions."),
    nonce: z
      .enum(NONCE_RULES)
      .default("auto")
      .describe(
        "Whether a proof must carry a nonce of ours (RFC 9449 section 9), so that it cannot be made in advance. `required`, `off`, or `auto`: required where other proxies may serve the same callers and hold no memory in common, that is, for one that follows a feed or serves it (`authority.serve`) and has no `shared.redis`. A nonce then is good only at the proxy that gave it, so a proof that was used at one is worth nothing at another.",
      ),
    nonceLifetime: duration({ min: "10s", max: "1h" })
      .prefault("5m")
      .describe(
        "How long a nonce is good, at most; at least half of it. A caller is given the next one with an answer before the one that it has ends.",
      ),
  })
  .readonly()
  .prefault({})
  .describe("What proofs of possession (DPoP, RFC 9449) have to be like, on every route.");

/** Checked; durations in milliseconds. */
export type DpopOptions = z.output<typeof dpopSchema>;
