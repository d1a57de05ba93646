/**
 * The official engine as the oracle over everything that data files bring: memberships and attributes of
 * files beside those of credentials, templates and their links. On generated sets and requests it is given
 * the entities written out and the templates with their links, holds entities and context against our
 * schema, and has to give the same answer as the gate's policies; a `forbid` that errs is the one difference.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  dataFiles,
  loadedSet,
  officialAnswer,
  policyTexts,
  requests,
  sourceOf,
} from "../../../test/policy/file-data-ground.ts";

const RUNS = Number(process.env["SALLYPORT_ORACLE_RUNS"] ?? "30");

test("decide() agrees with the official engine over data files, templates and links", async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      dataFiles,
      policyTexts,
      fc.array(requests, { minLength: 4, maxLength: 6 }),
      async (given, texts, asked) => {
        const { gate } = await loadedSet(sourceOf(given, texts));
        for (const one of asked) {
          const value = officialAnswer(one, given, texts);
          const { reason, determining, erroring } = gate.decide(one);
          seen.set(reason, (seen.get(reason) ?? 0) + 1);
          assert.deepEqual(erroring.toSorted(), value.erroring.toSorted());
          if (reason === "policy-error") continue;
          assert.equal(reason === "permitted", value.decision === "allow");
          assert.deepEqual(determining.toSorted(), value.determining.toSorted());
        }
      },
    ),
    { numRuns: RUNS },
  );
  // A generator that only ever denies would prove nothing.
  for (const reason of ["permitted", "forbidden", "no-permit"]) {
    assert.ok((seen.get(reason) ?? 0) > RUNS / 10, `${reason}: ${String(seen.get(reason))}`);
  }
});
