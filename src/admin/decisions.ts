/** `/v1/decisions`: why a decision of this process's audit log was made, looked at again by the policies of its time. */
import { z } from "zod";
import { type Operation, operation } from "./operation.ts";
import { found, present } from "./present.ts";

/** As in the audit log and in what `sallyport explain` prints: docs/audit.md and docs/explain.md have each member. */
const dataSchema = z.record(z.string(), z.unknown());

const explanationSchema = z
  .strictObject({
    record: dataSchema.describe("The decision as it stands in the audit log."),
    completion: dataSchema.optional().describe("How its request ended, as in the audit log."),
    file: z.string().describe("File of the audit log that has the record."),
    title: z.string().describe("What the reason means, for the caller."),
    meaning: z.string().describe("What the reason means, for the operator."),
    evaluation: z
      .enum(["same", "different", "uncertain", "not-asked", "no-bundle", "redacted"])
      .describe("How the second evaluation stands to the record."),
    hidden: z
      .array(z.string())
      .optional()
      .describe(
        "With `redacted`: members of the record that policies can look at and that are keyed hashes.",
      ),
    policies: dataSchema
      .optional()
      .describe(
        "What decided, clause by clause, and the permits that came nearest; absent where policies were not asked, or are not kept.",
      ),
  })
  .meta({ id: "Explanation", description: "Why a decision was made." });

export const decisionOperations: readonly Operation[] = [
  operation(
    {
      operation: "explainDecision",
      method: "get",
      path: "/v1/decisions/{id}",
      tag: "decisions",
      summary: "Why a decision was made",
      description:
        "The request is evaluated again by the policies that were in force then. Of several processes, each has the decisions of its own audit log.",
      params: z.strictObject({ id: z.string().describe("Id of the decision.") }),
      answers: { status: 200, description: "The explanation.", schema: explanationSchema },
      problems: [404],
    },
    async ({ params: { id } }, deps) => {
      const desk = present(deps.decisions, "audit log");
      return { body: found(await desk.explain(id)) };
    },
  ),
];
