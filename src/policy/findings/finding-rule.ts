/** The outline of every file beside this one that finds something. */
import type { FindingWords, Found } from "./finding.ts";
import type { FindingSubject } from "./subject.ts";

/** One kind of finding: what is said of it, and how it is found. */
export interface FindingRule extends FindingWords {
  readonly find: (subject: FindingSubject) => Iterable<Found>;
}
