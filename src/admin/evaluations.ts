/**
 * `/access/v1/`: the process as a policy decision point (OpenID AuthZEN Authorization API 1.0). Who asks is known
 * and permitted as for every operation; what is decided is recorded as every decision, with who asked.
 */
import {
  answerSchema,
  answersSchema,
  type EvaluationFaults,
  evaluationSchema,
  evaluationsSchema,
  isFaulty,
} from "../model/authzen.ts";
import { type Operation, operation } from "./operation.ts";
import { present } from "./present.ts";
import { AdminProblem } from "./problem.ts";

export const EVALUATION_PATH = "/access/v1/evaluation";
export const EVALUATIONS_PATH = "/access/v1/evaluations";

const tag = "evaluations";

export const evaluationOperations: readonly Operation[] = [
  operation(
    {
      operation: "evaluate",
      method: "post",
      path: EVALUATION_PATH,
      tag,
      summary: "How the policies in force would decide about a request",
      description:
        "The Access Evaluation API of AuthZEN 1.0. docs/authzen.md says what maps to what.",
      body: evaluationSchema,
      answers: { status: 200, description: "The decision.", schema: answerSchema },
      problems: [404],
    },
    async ({ body, asker }, { evaluations }) => {
      const answer = await present(evaluations, "evaluations").evaluate(body, asker);
      if (isFaulty(answer)) throw unfit(answer);
      return { body: answer };
    },
  ),
  operation(
    {
      operation: "evaluateAll",
      method: "post",
      path: EVALUATIONS_PATH,
      tag,
      summary: "The same about several requests",
      description:
        "The Access Evaluations API of AuthZEN 1.0. Without `evaluations` it is one question. What one of them cannot be asked for is a decision of false with an error.",
      body: evaluationsSchema,
      answers: { status: 200, description: "The decisions, in order.", schema: answersSchema },
      problems: [404],
    },
    async ({ body, asker }, { evaluations }) => {
      const answer = await present(evaluations, "evaluations").evaluateAll(body, asker);
      if (isFaulty(answer)) throw unfit(answer);
      return { body: answer };
    },
  ),
];

function unfit({ faults }: EvaluationFaults): AdminProblem {
  const said = faults.map(({ at, message, remedy }) => ({
    at,
    message,
    ...(remedy === undefined ? {} : { remedy }),
  }));
  return new AdminProblem("invalid-input", undefined, said);
}
