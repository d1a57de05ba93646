/**
 * Answers that nobody wrote down: generated, bent where parsers differ, and sent by a rogue service
 * through `sallyport run`. Other ones each time; what failed is named by its seed.
 */
import test, { after } from "node:test";
import * as fc from "fast-check";
import { readResponse } from "../conformance/http1-stream.ts";
import { answerCase } from "../conformance/response-arbitraries.ts";
import { judgeResponse } from "./judge-response.ts";
import { startStage } from "./stage.ts";

const stage = await startStage();
after(() => stage.close());

test("whatever a service answers, its caller gets one sound answer or a fault, and the next its own", async () => {
  await fc.assert(
    fc.asyncProperty(answerCase, async ({ method, text }) => {
      // Where we are stricter, or laxer, than the strict reader is in http1-response-parser.test.ts.
      const { head, end } = readResponse(Buffer.from(text, "latin1"), method);
      const stricter = typeof end === "object";
      await judgeResponse(text, { stage, lenient: head?.status, stricter, method });
    }),
    { numRuns: 300, endOnFailure: true },
  );
});
