/**
 * One error base class for operational errors; programmer errors are `TypeError`.
 *
 * `message` is for the operator and never holds a secret; what a caller sees is made from a
 * `Reason` alone.
 */
export const ERROR_CODES = {
  "config-invalid": "The configuration does not validate. Every problem is listed with its place.",
  "policy-invalid": "A policy does not parse or does not validate against the schema.",
  "listen-failed": "An address could not be bound.",
  "audit-failed": "The audit log cannot be opened or written.",
  "fetch-failed": "A document (discovery, key set) could not be fetched or is not valid.",
  "key-invalid": "A key or key set cannot be used.",
  "certificate-invalid": "A certificate, its key or a revocation list cannot be used.",
  "io-failed": "A file could not be read or written.",
  "store-unavailable": "The store cannot be reached now; changes are refused, nothing is lost.",
  "store-failed": "The store is damaged, or was written by another version.",
  "key-encryption-failed":
    "The key-encryption key cannot be had, or is not the one that the store was sealed with.",
  "memory-unavailable":
    "What is held in common (used proofs, ended sessions) cannot be reached; what needs it is refused.",
  "memory-full":
    "What is held in common has no room. It forgets nothing that still counts, so what is new is refused.",
  "signing-unavailable": "No key may sign now: none could be made in time, or none can be read.",
  "feed-failed":
    "The authority's feed cannot be followed, or what came over it is not to be trusted.",
  "revocations-full":
    "As many revocations are in force as can be held. None was added; lift some, or let them expire.",
  "api-keys-full":
    "As many API keys are there as can be held. None was made; remove some, or let them expire.",
  "admin-call-failed": "The admin API could not be asked, or it answered with a problem.",
  "workload-api-failed":
    "The SPIFFE Workload API cannot be asked, or what its agent says is not to be used.",
  "enrolment-failed": "A machine could not be enrolled or could not renew its identity.",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Base of all operational errors. `cause` is kept. */
export class SallyportError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "SallyportError";
    this.code = code;
  }
}

/** One thing that is wrong in what the user wrote. */
export interface Problem {
  /** File as the user named it; absent where there is no file. */
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  /** 1-based, in UTF-16 code units. */
  readonly column?: number;
  /** What is wrong, one sentence without a full stop. */
  readonly message: string;
  /** What would be right. */
  readonly remedy?: string;
}

/** A configuration that does not validate: all its problems at once. */
export class ConfigError extends SallyportError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], options?: { cause?: unknown }) {
    super("config-invalid", problems.map(formatProblem).join("\n"), options);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** `file:line:column  what is wrong  what would be right`. */
export function formatProblem(problem: Problem): string {
  const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined);
  return [place.join(":"), problem.message, problem.remedy]
    .filter((part) => part !== undefined && part !== "")
    .join("  ");
}
