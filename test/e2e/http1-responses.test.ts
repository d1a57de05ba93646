/**
 * The hostile responses of llhttp's tests, from a service that has gone rogue. The caller gets one
 * answer and never two: the service's where it reads strictly, else a 502, or a connection that is
 * cut where the answer had begun. The next request gets its own.
 */
import test, { after } from "node:test";
import { corpusResponses } from "../conformance/http1-verdicts.ts";
import { judgeResponse } from "./judge-response.ts";
import { startStage } from "./stage.ts";

/** Does not read strictly and is passed on all the same, each with the reason. */
const LENIENT: Readonly<Record<string, { readonly status: number; readonly why: string }>> = {
  "llhttp:response/sample.md#No reason phrase": {
    status: 301,
    why: "no space after the status: common, one reading only, and the line is written anew",
  },
};

const cases = corpusResponses();
const stage = cases === undefined ? undefined : await startStage();
after(() => stage?.close());

if (cases === undefined || stage === undefined) {
  test("llhttp: responses", { skip: "the corpora are not here" }, () => undefined);
} else {
  for (const { id, given, mended } of cases) {
    test(`${id}, as it is`, () =>
      judgeResponse(given.toString("latin1"), { stage, lenient: LENIENT[id]?.status }));
    if (given.equals(mended)) continue;
    test(`${id}, mended`, () =>
      judgeResponse(mended.toString("latin1"), { stage, lenient: LENIENT[id]?.status }));
  }
}
