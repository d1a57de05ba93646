/** How long the word of a provider counts, and what holds while there is none: options of all who ask one. */
import { z } from "zod";
import { duration } from "../../model/options.ts";
import type { AskedOptions } from "./asked-facts.ts";

export const answerCacheSchema = z
  .strictObject({
    max: duration({ min: "0s", max: "1h" })
      .prefault("1m")
      .describe(
        "How long an answer counts before the provider is asked again, never beyond the token's `exp`. A token that is revoked at the provider works for so long at most; 0s asks for every request.",
      ),
    inactive: duration({ min: "0s", max: "1m" })
      .prefault("5s")
      .describe("How long a token that the provider calls inactive is refused without asking."),
  })
  .readonly();

export type AnswerCacheOptions = z.output<typeof answerCacheSchema>;

export const downSchema = z.union(
  [
    z.literal("refuse"),
    z
      .strictObject({
        serveFor: duration({ min: "1s", max: "24h" }).describe(
          "How long what the provider vouched for goes on while it cannot be asked, from its last answer on.",
        ),
      })
      .readonly(),
  ],
  "refuse, or { serveFor: 10m }",
);

export type DownOptions = z.output<typeof downSchema>;

const CACHE_DEFAULTS = answerCacheSchema.parse({});

/** `serveFor` counts from the answer, so one within the time that it counts anyway says nothing. */
export function serveForFault(
  down: DownOptions = "refuse",
  cache: AnswerCacheOptions = CACHE_DEFAULTS,
): string | undefined {
  return down === "refuse" || down.serveFor > cache.max ? undefined : "longer than cache.max";
}

export function askedOptions({
  name,
  cache = CACHE_DEFAULTS,
  down = "refuse",
  timeout,
}: {
  readonly name: string;
  readonly cache?: AnswerCacheOptions | undefined;
  readonly down?: DownOptions | undefined;
  readonly timeout: number;
}): AskedOptions {
  return {
    authenticator: name,
    maxMs: cache.max,
    inactiveMs: cache.inactive,
    serveForMs: down === "refuse" ? undefined : down.serveFor,
    waitMs: timeout,
  };
}
