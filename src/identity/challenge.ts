/**
 * The `WWW-Authenticate` value of a 401 (RFC 6750 section 3). Says nothing about the token but the
 * reason's title, which is the same for every occurrence.
 */
import { reasonInfo, type Reason } from "../model/reason.ts";

export interface ChallengeContext {
  /** What the credential would be for, such as the service's name; left out when undefined. */
  readonly realm?: string | undefined;
  /** Whether the request carried a credential. */
  readonly presented: boolean;
}

export function challenge(reason: Reason, context: ChallengeContext): string {
  const parameters: string[] = [];
  if (context.realm !== undefined) parameters.push(`realm=${quote(context.realm)}`);
  // Section 3.1: a request without any authentication information gets no error code.
  if (context.presented && reason !== "missing-credential") {
    parameters.push(
      'error="invalid_token"',
      `error_description=${quote(reasonInfo(reason).title)}`,
    );
  }
  return parameters.length === 0 ? "Bearer" : `Bearer ${parameters.join(", ")}`;
}

/**
 * A quoted-string of the characters that section 3 allows in all its parameters; others become
 * `?`, also those that could be escaped: many readers know no escapes.
 */
function quote(text: string): string {
  return `"${text.replaceAll(/[^\u0020\u0021\u0023-\u005b\u005d-\u007e]/gu, "?")}"`;
}
