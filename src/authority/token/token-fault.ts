/** Why a request to the token endpoint, or to one beside it, gets nothing: in the words of its RFCs, and in ours. */
import type { Fields } from "../../model/http.ts";
import type { Principal } from "../../model/principal.ts";
import { type Reason, reasonInfo } from "../../model/reason.ts";

/** RFC 6749 section 5.2, RFC 7009 section 2.2.1, RFC 8693 section 2.2.2, RFC 9396 section 5, RFC 9449 sections 5 and 8. */
export type TokenError =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "unauthorized_client"
  | "unsupported_grant_type"
  | "invalid_scope"
  | "invalid_target"
  | "invalid_authorization_details"
  | "invalid_dpop_proof"
  | "use_dpop_nonce"
  | "temporarily_unavailable"
  | "server_error";

export interface TokenFaultOptions {
  /** On record; `invalid-token-request` when left out. */
  readonly reason?: Reason | undefined;
  /** For the operator; the description when left out. Holds no part of a credential. */
  readonly detail?: string | undefined;
  /** Go out with the answer; name, value, name, value, … */
  readonly fields?: Fields | undefined;
  /** Whether it counts against its sender's budget of failures. */
  readonly costly?: boolean | undefined;
  /** The client, once it is known; what policies were asked about is on record without it. */
  readonly principal?: Principal | undefined;
  /** Whether policies were asked, so that it is on record of whom. */
  readonly asked?: boolean | undefined;
}

export class TokenFault {
  readonly error: TokenError;
  /** For the client; names nothing that it did not say, and no policy. */
  readonly description: string;
  readonly reason: Reason;
  readonly detail: string;
  readonly fields: Fields;
  readonly costly: boolean;
  readonly principal: Principal | undefined;
  readonly asked: boolean;

  constructor(error: TokenError, description: string, options: TokenFaultOptions = {}) {
    this.error = error;
    this.description = description;
    this.reason = options.reason ?? "invalid-token-request";
    this.detail = options.detail ?? description;
    this.fields = options.fields ?? [];
    this.costly = options.costly ?? false;
    this.principal = options.principal;
    this.asked = options.asked ?? false;
  }

  /** The same with more about it. */
  with(more: Pick<TokenFaultOptions, "fields" | "principal">): TokenFault {
    const { error, description, reason, detail, fields, costly, principal, asked } = this;
    const before = { reason, detail, fields, costly, principal, asked };
    return new TokenFault(error, description, { ...before, ...more });
  }

  /** RFC 6749 section 5.2: 400, save for clients that are not known, and for what is not the client's fault. */
  get status(): number {
    if (this.error === "invalid_client") return 401;
    const { status, fault } = reasonInfo(this.reason);
    const other = fault === "us" || fault === "provider" || status === 405 || status === 429;
    return other || status === 408 || status === 413 ? status : 400;
  }
}

/**
 * The error of a credential that was refused with this reason: `otherwise`, unless it could not be looked at,
 * which is nobody's mistake and may be tried again.
 */
export function errorFor(reason: Reason, otherwise: TokenError): TokenError {
  if (reason === "internal-error") return "server_error";
  const { fault } = reasonInfo(reason);
  const ours = fault === "us" || (fault === "provider" && reasonInfo(reason).status >= 500);
  return ours || reason === "too-many-failures" ? "temporarily_unavailable" : otherwise;
}
