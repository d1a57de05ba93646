/** `signs:`, what is taken for a sign of a breach, and who is told. */
import { z } from "zod";
import { duration } from "../../model/options.ts";
import { outgoingHeadersSchema } from "../../model/outgoing-options.ts";
import { whyNotFetched } from "../../wire/fetch-url.ts";
import { answerSchema } from "./answer-options.ts";
import { SIGNS } from "./rule.ts";

/** A rule with its thresholds, or `off`. */
function rule<T extends z.ZodType>(schema: T) {
  return z.union([z.literal("off"), schema], "off, or the thresholds of the rule");
}

const count = (max: number) => z.int(`a whole number from 1 to ${max}`).min(1).max(max);

const windowSchema = duration({ min: "1s", max: "1h" });

const refusalBurst = z
  .strictObject({
    principal: count(1_000_000)
      .default(50)
      .describe("Refusals of one principal within `window` that are a burst."),
    address: count(1_000_000)
      .default(100)
      .describe(
        "Refusals from one address within `window` that are a burst, of callers that are not known. Denials that the log only counts (`audit.unidentified`) are not among them.",
      ),
    window: windowSchema.prefault("1m").describe("The time in which they are counted."),
  })
  .readonly();

const newNetwork = z
  .strictObject({
    learn: duration({ min: "0s", max: "90d" })
      .prefault("7d")
      .describe(
        "From the first time that a principal is seen: so long its networks are learned and none is new.",
      ),
    forget: duration({ min: "1d", max: "365d" })
      .prefault("90d")
      .describe("A network that a principal has not used for so long is as new."),
  })
  .readonly();

const impossibleRate = z
  .strictObject({
    people: count(10_000_000)
      .default(300)
      .describe("Requests of one user within `window` that no person makes."),
    machines: count(10_000_000)
      .default(30_000)
      .describe("Requests of one workload or device within `window` that none of yours makes."),
    window: windowSchema.prefault("10s").describe("The time in which they are counted."),
  })
  .readonly();

const replayedProof = z
  .strictObject({
    count: count(10_000)
      .default(1)
      .describe("Replays of one principal, or from one address, within `window`."),
    window: windowSchema.prefault("10m").describe("The time in which they are counted."),
  })
  .readonly();

const routeProbing = z
  .strictObject({
    count: count(200)
      .default(20)
      .describe(
        "Different routes, or paths without a route, on which one caller is refused within `window`.",
      ),
    window: windowSchema.prefault("5m").describe("The time in which they are counted."),
  })
  .readonly();

const twoPlaces = z
  .strictObject({
    window: windowSchema
      .prefault("1m")
      .describe("Two networks that use one credential within this time are two places."),
    credentials: z
      .array(z.enum(["bearer", "session", "api-key", "certificate"]))
      .min(1, "at least one kind")
      .readonly()
      .prefault(["bearer", "session"])
      .describe(
        "Kinds of credentials that are looked at. API keys and certificates are left out because replicas of one workload often share them.",
      ),
  })
  .readonly();

const webhook = z
  .strictObject({
    url: z
      .string("a URL")
      .describe("Each sign is sent there as the JSON body of a POST. https, or http on loopback."),
    headers: outgoingHeadersSchema
      .prefault({})
      .describe(
        "Header fields of each request, by lower-case name, such as `authorization: ${file:secrets/alarm}`. The values appear nowhere.",
      ),
    insecureHttp: z
      .boolean()
      .default(false)
      .describe(
        "Lets signs go over plain http to elsewhere than loopback. Whoever is on the way can then read who is under attack, and the `headers`.",
      ),
  })
  .superRefine(({ url, insecureHttp }, context) => {
    const message = whyNotFetched(url, insecureHttp);
    if (message !== undefined) context.addIssue({ code: "custom", path: ["url"], message });
  })
  .readonly();

export const signsSchema = z
  .strictObject({
    networks: z
      .strictObject({
        ipv4: z
          .int("a whole number from 8 to 32")
          .min(8)
          .max(32)
          .default(24)
          .describe("Leading bits of an IPv4 address that make a network."),
        ipv6: z
          .int("a whole number from 16 to 128")
          .min(16)
          .max(128)
          .default(48)
          .describe("Leading bits of an IPv6 address that make a network."),
      })
      .readonly()
      .prefault({})
      .describe("What counts as one network. When it changes, networks are learned anew."),
    repeat: duration({ min: "1s", max: "7d" })
      .prefault("1h")
      .describe("In this time the same sign about the same one is not said again."),
    refusalBurst: rule(refusalBurst).prefault({}).describe("`refusal-burst`, or `off`."),
    newNetwork: rule(newNetwork).prefault({}).describe("`new-network`, or `off`."),
    impossibleRate: rule(impossibleRate).prefault({}).describe("`impossible-rate`, or `off`."),
    revokedCredential: z
      .enum(["on", "off"])
      .default("on")
      .describe("`revoked-credential`: each use of one is a sign, so it has no threshold."),
    replayedProof: rule(replayedProof).prefault({}).describe("`replayed-proof`, or `off`."),
    routeProbing: rule(routeProbing).prefault({}).describe("`route-probing`, or `off`."),
    twoPlaces: rule(twoPlaces).prefault({}).describe("`two-places`, or `off`."),
    answer: answerSchema
      .optional()
      .describe(
        "Access that is taken away by itself when a sign is said of a principal, by rule. Whoever can make somebody else look bad locks them out, so nothing is answered unless it stands here. Only in a process that keeps an authority.",
      ),
    webhook: webhook.optional().describe("Who is told at once, beside the log and the metrics."),
  })
  .readonly();

export const signNameSchema = z.enum(SIGNS);

export type SignsOptions = z.output<typeof signsSchema>;
