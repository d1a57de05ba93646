/**
 * What is asked and answered by the OpenID AuthZEN Authorization API 1.0 (section 5 to 7), as values: the
 * shapes of requests, and the desk that answers them. What is not in the specification and not ours is
 * refused: a misspelt member would be a question about something else.
 */
import { z } from "zod";

const AUTHZEN_LIMITS = {
  /** Of one request: each is a decision and a record, and the caller waits for all of them. */
  evaluations: 100,
} as const;

const propertiesSchema = z.record(z.string(), z.unknown()).readonly().optional();
const entitySchema = z
  .strictObject({ type: z.string(), id: z.string(), properties: propertiesSchema })
  .readonly();

const subjectSchema = entitySchema.describe(
  "Who: `type` is `User`, `Workload`, `Device` or `Anonymous`, `id` is `<authenticator>/<subject>`; `properties`: `roles`, `groups`, `attributes`, as policies see them.",
);
const actionSchema = z
  .strictObject({ name: z.string(), properties: propertiesSchema })
  .readonly()
  .describe("What: `name` is a method.");
const resourceSchema = entitySchema.describe(
  "On what: `type` is `Route`, `id` its name; `properties.params` are values of its `{name}` segments, where `context.path` is not said.",
);
const contextSchema = z
  .record(z.string(), z.unknown())
  .readonly()
  .describe(
    "`ip`, `time`, `host`, `path`, `url`, `query`, `headers`, `scopes`, `authn`, `workload`, `device`, `actor`.",
  );

export const evaluationSchema = z
  .strictObject({
    subject: subjectSchema,
    action: actionSchema,
    resource: resourceSchema,
    context: contextSchema.optional(),
  })
  .readonly()
  .meta({ id: "Evaluation", description: "May this subject do this action on this resource?" });

const partialSchema = z
  .strictObject({
    subject: subjectSchema.optional(),
    action: actionSchema.optional(),
    resource: resourceSchema.optional(),
    context: contextSchema.optional(),
  })
  .readonly();

export const SEMANTICS = ["execute_all", "deny_on_first_deny", "permit_on_first_permit"] as const;

export const evaluationsSchema = partialSchema
  .unwrap()
  .extend({
    evaluations: z.array(partialSchema).max(AUTHZEN_LIMITS.evaluations).readonly().optional(),
    options: z
      .looseObject({ evaluations_semantic: z.enum(SEMANTICS).optional() })
      .readonly()
      .optional(),
  })
  .readonly()
  .meta({
    id: "Evaluations",
    description: "Several at once; what an evaluation does not say is taken from the request.",
  });

export const answerSchema = z
  .strictObject({
    decision: z.boolean(),
    context: z
      .strictObject({
        id: z.string().optional().describe("Of the decision, by which the audit log has it."),
        reason: z.string().optional().describe("Why, in kebab-case (docs/errors.md)."),
        error: z
          .strictObject({ status: z.int(), message: z.string() })
          .optional()
          .describe("Why nothing was decided; then the decision is false."),
      })
      .readonly(),
  })
  .readonly()
  .meta({ id: "EvaluationAnswer" });

export const answersSchema = z.union([
  z.strictObject({ evaluations: z.array(answerSchema).readonly() }).readonly(),
  answerSchema,
]);

export type Evaluation = z.output<typeof evaluationSchema>;
export type PartialEvaluation = z.output<typeof partialSchema>;
export type Evaluations = z.output<typeof evaluationsSchema>;
export type EvaluationAnswer = z.output<typeof answerSchema>;
export type EvaluationAnswers = z.output<typeof answersSchema>;

/** Why nothing was decided: what does not fit, and where, as a JSON Pointer. */
export interface EvaluationFault {
  readonly at: string;
  readonly message: string;
  readonly remedy?: string | undefined;
}

export interface EvaluationFaults {
  readonly faults: readonly EvaluationFault[];
}

/** Who asks, and by which call. */
export interface Asker {
  /** Id of its principal. */
  readonly by: string;
  /** Of the gate's decision that let it ask. */
  readonly decisionId: string;
  readonly requestId: string;
  readonly listener: string;
  readonly peer: { readonly address: string; readonly port: number };
}

/** Decides about what others ask for, and records each decision. */
export interface EvaluationDesk {
  evaluate(evaluation: Evaluation, asker: Asker): Promise<EvaluationAnswer | EvaluationFaults>;
  evaluateAll(
    evaluations: Evaluations,
    asker: Asker,
  ): Promise<EvaluationAnswers | EvaluationFaults>;
}

export function isFaulty(answer: object): answer is EvaluationFaults {
  return "faults" in answer;
}
