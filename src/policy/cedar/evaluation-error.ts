/**
 * What stops the evaluation of one policy: Cedar skips such a policy and reports it as erroring; the
 * gate denies when it was a `forbid`.
 *
 * Only constants are thrown. A stack capture costs some microseconds, a caller can choose inputs
 * that make policies fail, and the record names the policy anyway.
 */
export type EvaluationFault =
  | "type"
  | "overflow"
  | "no-such-entity"
  | "no-such-attribute"
  | "no-such-tag"
  | "extension"
  | "query-encoding"
  | "address"
  | "parameter";

export class EvaluationError extends Error {
  readonly fault: EvaluationFault;

  constructor(fault: EvaluationFault, message: string) {
    super(message);
    this.name = "EvaluationError";
    this.fault = fault;
  }
}

/** A value is not of the type that the operator takes. */
export const TYPE_ERROR = new EvaluationError("type", "a value has the wrong type");
/** A 64-bit result does not fit. */
export const OVERFLOW = new EvaluationError("overflow", "a 64-bit integer overflowed");
export const NO_SUCH_ENTITY = new EvaluationError("no-such-entity", "the entity does not exist");
export const NO_SUCH_ATTRIBUTE = new EvaluationError(
  "no-such-attribute",
  "the attribute does not exist",
);
export const NO_SUCH_TAG = new EvaluationError("no-such-tag", "the tag does not exist");
/** A string is not a valid ip, decimal, datetime or duration. */
export const BAD_EXTENSION = new EvaluationError(
  "extension",
  "the string is not valid for its extension type",
);
/** The query is not valid form encoding or not valid UTF-8: what it says depends on the reader. */
export const BAD_QUERY = new EvaluationError("query-encoding", "the query cannot be decoded");
/** The caller's address is not an IP address. */
export const BAD_ADDRESS = new EvaluationError("address", "the caller's address is not an IP");
/** A parameter that the operation declares is not there, given twice, or of another type. */
export const BAD_PARAMETER = new EvaluationError(
  "parameter",
  "a parameter is missing, repeated or of another type",
);
