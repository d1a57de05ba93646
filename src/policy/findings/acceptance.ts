/**
 * Findings that somebody accepts, with the reason: `@accept("id: reason")` on a policy (several are
 * parted by `;`), `accept: [{ finding, reason }]` on a route or a service, and under `policies` for what
 * has no place of its own. An acceptance without a reason, of a finding that does not exist, or to which
 * nothing answers any more, is a finding itself: it would hide what comes later.
 */
import { z } from "zod";
import type { FindingPlace, FindingWords, Found } from "./finding.ts";
import type { TemplateFacts } from "./policy-facts.ts";

export const ACCEPT_ANNOTATION = "accept";

const LIMITS = {
  /** Acceptances at one place: more hide more than they say. */
  each: 32,
  /** Characters of a reason: it is shown to people. */
  reason: 1024,
} as const;

/** What is about a place of its own: a route, a service. */
export const acceptSchema = z
  .array(
    z
      .strictObject({
        finding: z.string().max(128).describe("Id of the finding, as `sallyport check` prints it."),
        reason: z
          .string()
          .max(LIMITS.reason)
          .prefault("")
          .describe("Why it may stay. Without one, it is not accepted."),
      })
      .readonly(),
  )
  .max(LIMITS.each, `at most ${String(LIMITS.each)}`)
  .readonly();

/** Findings that are accepted wherever they are. */
export const acceptAnywhereSchema = z
  .array(
    z
      .strictObject({
        finding: z.string().max(128).describe("Id of the finding, as `sallyport check` prints it."),
        of: z
          .string()
          .max(1024)
          .optional()
          .describe("What it is about, as it is named in brackets. All of that id when left out."),
        reason: z
          .string()
          .max(LIMITS.reason)
          .prefault("")
          .describe("Why it may stay. Without one, it is not accepted."),
      })
      .readonly(),
  )
  .max(LIMITS.each, `at most ${String(LIMITS.each)}`)
  .readonly();

/** One acceptance, wherever it was written. */
export interface Acceptance {
  readonly finding: string;
  readonly reason: string;
  readonly place: FindingPlace;
  /** Under `policies`: only what is about this. */
  readonly of?: string | undefined;
}

/** An acceptance, and which findings it can speak of. */
export interface Accepting extends Acceptance {
  readonly holds: (found: Found) => boolean;
  /** The policy on which it stands: others may have to accept it too. */
  readonly policy?: string;
}

export const acceptanceWithoutReason: FindingWords = {
  id: "acceptance-without-reason",
  severity: "error",
  title: "an acceptance gives no reason",
  proves: "The acceptance stands there without a reason, and counts for nothing.",
  silence: "Whether a reason is a good one is for a person to say.",
  remedy: "say why the finding may stay, or take the acceptance out",
};

export const acceptanceUnknown: FindingWords = {
  id: "acceptance-unknown",
  severity: "error",
  title: "an acceptance names no finding that there is",
  proves: "No finding has that id.",
  silence: "Nothing else.",
  remedy: "one of the ids in docs/findings.md",
};

export const acceptanceStale: FindingWords = {
  id: "acceptance-stale",
  severity: "warning",
  title: "an acceptance accepts nothing",
  proves: "The finding is not there (any more) where it is accepted.",
  silence: "Nothing else.",
  remedy: "take it out: it would hide the finding when it comes back",
};

/** `@accept("any-authenticated: the intranet is for all staff; policy-shadowed: …")`. */
export function acceptancesOf({ json, place }: TemplateFacts): readonly Acceptance[] {
  const text = json.annotations?.[ACCEPT_ANNOTATION];
  if (text === undefined) return [];
  // A reason may hold a semicolon: only what looks like an id behind one begins the next.
  return (text ?? "").split(/;\s*(?=[a-z][a-z0-9-]*\s*:)/).map((one) => {
    const colon = one.indexOf(":");
    const finding = (colon < 0 ? one : one.slice(0, colon)).trim();
    const reason = colon < 0 ? "" : one.slice(colon + 1).trim();
    return { finding, reason, place };
  });
}
