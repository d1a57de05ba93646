/**
 * Why a call of the admin API did not do what it asked: problem documents (RFC 9457). Operators read
 * them, so they say what is wrong and where; none holds a credential, a token or a key.
 */
import { z } from "zod";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { type Reason, reasonInfo } from "../model/reason.ts";
import { type ApiAnswer, PROBLEM_TYPE } from "./call.ts";

/** Why, in kebab-case; the gate's own reasons stand beside these. */
export const ADMIN_PROBLEMS = {
  "invalid-input": { status: 400, title: "The request does not fit the operation" },
  "malformed-body": { status: 400, title: "The body is not JSON in one reading only" },
  "unexpected-body": { status: 400, title: "This operation takes no body" },
  "foreign-origin": { status: 403, title: "A page of another origin may not call the admin API" },
  "no-operation": { status: 404, title: "There is no such operation" },
  "not-found": { status: 404, title: "There is no such thing" },
  "not-here": { status: 404, title: "This process does not have it" },
  conflict: { status: 409, title: "It is not in a state for this" },
  "in-progress": { status: 409, title: "The same request is being answered" },
  "shown-once": { status: 409, title: "The answer had a secret, which is shown once" },
  changed: { status: 412, title: "It has changed since it was read" },
  "body-too-large": { status: 413, title: "The body is too large" },
  "unsupported-media-type": { status: 415, title: "The body has to be application/json" },
  "wrong-host": { status: 421, title: "Use an IP address or localhost" },
  "config-invalid": { status: 422, title: "The configuration does not validate" },
  "key-reused": { status: 422, title: "The idempotency key was used for another request" },
  "unknown-name": { status: 422, title: "The configuration in force has nothing of this name" },
  "internal-error": { status: 500, title: "Internal error" },
  "store-unavailable": { status: 503, title: "The store cannot be reached now" },
} as const;

export type AdminProblemCode = keyof typeof ADMIN_PROBLEMS;

/** One thing that is wrong, and where. */
const faultSchema = z.strictObject({
  at: z
    .string()
    .describe(
      "Where: a JSON Pointer into the body, `path`, `query` or `header` and a name, or a place in a file.",
    ),
  message: z.string().describe("What is wrong."),
  remedy: z.string().optional().describe("What would be right."),
});

export const problemSchema = z
  .strictObject({
    type: z.string().describe("A URN of the reason."),
    status: z.int().describe("The status of the answer."),
    title: z.string().describe("What is wrong, the same for every occurrence."),
    reason: z.string().describe("Why, in kebab-case."),
    detail: z.string().optional().describe("What is wrong in this case, for the operator."),
    decision: z
      .string()
      .optional()
      .describe("Id of the gate's decision, by which the audit log has it."),
    faults: z.array(faultSchema).optional().describe("Everything that is wrong, and where."),
  })
  .meta({ id: "Problem", description: "Why a call did not do what it asked (RFC 9457)." });

export type ProblemDocument = z.output<typeof problemSchema>;
export type Fault = z.output<typeof faultSchema>;

/** Thrown by operations; becomes the answer. */
export class AdminProblem extends Error {
  readonly code: AdminProblemCode;
  readonly faults: readonly Fault[];

  constructor(code: AdminProblemCode, detail?: string, faults: readonly Fault[] = []) {
    super(detail ?? "");
    this.name = "AdminProblem";
    this.code = code;
    this.faults = faults;
  }

  document(decision?: string): ProblemDocument {
    const { status, title } = ADMIN_PROBLEMS[this.code];
    return {
      type: `urn:sallyport:admin:${this.code}`,
      status,
      title,
      reason: this.code,
      ...(this.message === "" ? {} : { detail: this.message }),
      ...(decision === undefined ? {} : { decision }),
      ...(this.faults.length === 0 ? {} : { faults: [...this.faults] }),
    };
  }
}

/** What the gate refused. Its callers are told no more than those of a route. */
export function denialDocument(reason: Reason, decision?: string): ProblemDocument {
  const { status, title } = reasonInfo(reason);
  const document = { type: `urn:sallyport:reason:${reason}`, status, title, reason };
  return decision === undefined ? document : { ...document, decision };
}

/** What an operation threw, as a problem; undefined: a defect of ours. */
export function problemOf(error: unknown): AdminProblem | undefined {
  if (error instanceof AdminProblem) return error;
  if (error instanceof ConfigError) return configProblem(error);
  return error instanceof SallyportError ? operationalProblem(error) : undefined;
}

/** What an operator can do something about; the rest is for the log. */
function operationalProblem({ code, message }: SallyportError): AdminProblem | undefined {
  if (code === "store-unavailable") {
    return new AdminProblem("store-unavailable", "nothing was changed, or it cannot be known");
  }
  if (code === "revocations-full" || code === "api-keys-full")
    return new AdminProblem("conflict", message);
  // A reload whose new address cannot be had.
  if (code === "listen-failed") return new AdminProblem("config-invalid", message);
  return undefined;
}

function configProblem({ problems }: ConfigError): AdminProblem {
  const faults = problems.slice(0, LIMITS.faults).map(({ message, remedy, ...place }) => {
    const at = [place.file, place.line, place.column].filter((part) => part !== undefined);
    return { at: at.join(":"), message, ...(remedy === undefined ? {} : { remedy }) };
  });
  const more = problems.length - faults.length;
  const detail = more > 0 ? `and ${more} more; sallyport check prints all` : undefined;
  return new AdminProblem("config-invalid", detail, faults);
}

const LIMITS = {
  /** Faults that an answer holds; a person mends them one after the other. */
  faults: 50,
} as const;

/** The document as it is sent. */
export function problemAnswer(
  document: ProblemDocument,
  fields: readonly (readonly [string, string])[] = [],
): ApiAnswer {
  return {
    status: document.status,
    fields: [["content-type", PROBLEM_TYPE], ...fields],
    body: `${JSON.stringify(document)}\n`,
  };
}
