/** `signs.answer`: access that is taken away by itself when a sign is said. Nothing is, unless it stands here. */
import { z } from "zod";
import { duration } from "../../model/options.ts";
import type { SignName } from "./rule.ts";

/** The rules that name a principal, and the sign of each. What was revoked needs no answer. */
export const ANSWERABLE = {
  refusalBurst: "refusal-burst",
  newNetwork: "new-network",
  impossibleRate: "impossible-rate",
  replayedProof: "replayed-proof",
  routeProbing: "route-probing",
  twoPlaces: "two-places",
} as const satisfies Readonly<Record<string, SignName>>;

export type AnswerableRule = keyof typeof ANSWERABLE;

const revoke = z
  .strictObject({
    revoke: z
      .literal(true)
      .describe(
        "What was issued to the principal until then is refused; what is issued later is good. Credentials without a time of issue are refused until it is lifted.",
      ),
  })
  .readonly();

const block = z
  .strictObject({
    block: duration({ min: "1m", max: "30d" }).describe(
      "Everything of the principal is refused for so long, or until it is lifted.",
    ),
  })
  .readonly();

const answer = z.union([revoke, block], "{ revoke: true }, or { block: 15m }").optional();

export const answerSchema = z
  .strictObject({
    refusalBurst: answer.describe("To `refusal-burst` of a principal."),
    newNetwork: answer.describe("To `new-network`."),
    impossibleRate: answer.describe("To `impossible-rate`."),
    replayedProof: answer.describe("To `replayed-proof` of a principal."),
    routeProbing: answer.describe("To `route-probing` of a principal."),
    twoPlaces: answer.describe("To `two-places`."),
  } satisfies Record<AnswerableRule, unknown>)
  .readonly();

export type AnswerOptions = z.output<typeof answerSchema>;
