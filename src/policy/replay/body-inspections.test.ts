import assert from "node:assert/strict";
import { test } from "node:test";
import type { Vocabulary, VocabularyInspection } from "../../model/vocabulary.ts";
import { BodyInspections } from "./body-inspections.ts";

function vocabulary(inspect: VocabularyInspection | undefined): Vocabulary {
  const common = { service: undefined, attributes: {}, params: [] };
  return {
    authenticators: [],
    services: [],
    routes: [
      { ...common, name: "plain" },
      { ...common, name: "looked-into", inspect },
    ],
  };
}

test("of() says what the candidate sees, and what was seen where those policies are kept", () => {
  const asked: VocabularyInspection = { body: { amount: "long" } };
  const inspect: VocabularyInspection = { body: { note: "string" } };
  let reads = 0;
  const views = new BodyInspections(vocabulary(asked), (bundle) => {
    reads += 1;
    if (bundle === "lost") return undefined;
    return bundle === "elsewhere"
      ? { ...vocabulary(undefined), routes: [] }
      : vocabulary(bundle === "blind" ? undefined : inspect);
  });
  const of = (bundle?: string) => views.of({ route: "looked-into", bundle });
  assert.deepEqual(of("kept"), { asked, before: { inspect } });
  assert.deepEqual(of("kept"), { asked, before: { inspect } });
  assert.equal(reads, 1);
  assert.deepEqual(of("blind"), { asked, before: { inspect: undefined } });
  for (const none of ["lost", "elsewhere", undefined]) assert.deepEqual(of(none), { asked });
  assert.deepEqual(views.of({ route: "plain", bundle: "kept" }), { asked: undefined });
});
