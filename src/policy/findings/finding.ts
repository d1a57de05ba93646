/**
 * What a static finding is: something that is valid, and that somebody should look at. A problem keeps
 * a configuration from running; a finding is printed by `sallyport check`, and can be accepted with a
 * reason (acceptance.ts).
 */
import type { Problem } from "../../model/errors.ts";

/** error, warning: the answer of `check` is no, unless it is accepted. note: worth knowing. */
export type Severity = "error" | "warning" | "note";

/** Where it was written; a bundle has no lines. */
export type FindingPlace = Pick<Problem, "file" | "line" | "column">;

/** What the catalogue says of a kind of finding (docs/findings.md holds it). */
export interface FindingWords {
  readonly id: string;
  readonly severity: Severity;
  /** What it is, in a few words. */
  readonly title: string;
  /** What is certain where it is reported. */
  readonly proves: string;
  /** What may still be so where it is not. */
  readonly silence: string;
  /** What to do. */
  readonly remedy: string;
}

/** What a rule found. */
export interface Found {
  /** Name of the policy, route, service, role, … that it is about: an acceptance can name it. */
  readonly of: string;
  readonly place: FindingPlace;
  /** One sentence without a full stop. */
  readonly message: string;
  /** Where it can be said better than the catalogue does. */
  readonly remedy?: string;
  /** Policies from which it follows: accepted where each of them accepts it. */
  readonly policies?: readonly string[];
  readonly route?: string | undefined;
  readonly service?: string | undefined;
}

export interface Finding extends Problem {
  readonly id: string;
  readonly severity: Severity;
  readonly of: string;
  readonly remedy: string;
  /** Why it may stay; undefined where nobody said so. */
  readonly accepted: string | undefined;
}
