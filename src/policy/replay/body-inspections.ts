/** What a candidate sees of bodies, and what the policies that decided saw: what they saw is on record. */
import type { Vocabulary, VocabularyInspection } from "../../model/vocabulary.ts";
import type { BodyViews } from "../explain/recorded-body.ts";

type ByRoute = ReadonlyMap<string, VocabularyInspection | undefined>;

const NO_VIEWS: BodyViews = { asked: undefined };

export class BodyInspections {
  readonly #candidate: ByRoute;
  readonly #vocabularyOf: (bundle: string) => Vocabulary | undefined;
  /** By the hash of the policies; undefined: they are not kept. */
  readonly #before = new Map<string, ByRoute | undefined>();

  constructor(vocabulary: Vocabulary, vocabularyOf: (bundle: string) => Vocabulary | undefined) {
    this.#candidate = byRoute(vocabulary);
    this.#vocabularyOf = vocabularyOf;
  }

  of({
    route = "",
    bundle,
  }: {
    readonly route?: string | undefined;
    readonly bundle?: string | undefined;
  }): BodyViews {
    const asked = this.#candidate.get(route);
    if (asked === undefined) return NO_VIEWS;
    const before = bundle === undefined ? undefined : this.#routesOf(bundle);
    const known = before?.has(route) === true;
    return known ? { asked, before: { inspect: before.get(route) } } : { asked };
  }

  #routesOf(bundle: string): ByRoute | undefined {
    if (!this.#before.has(bundle)) {
      const vocabulary = this.#vocabularyOf(bundle);
      this.#before.set(bundle, vocabulary && byRoute(vocabulary));
    }
    return this.#before.get(bundle);
  }
}

function byRoute({ routes }: Vocabulary): ByRoute {
  return new Map(routes.map(({ name, inspect }) => [name, inspect]));
}
