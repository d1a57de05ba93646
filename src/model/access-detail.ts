/** What a credential is narrowed to, and what it was derived from. */

/** `type` of the entries of `authorization_details` (RFC 9396 section 2) that we issue and enforce. */
export const ACCESS_DETAIL_TYPE = "sallyport";

/**
 * One entry of `authorization_details`. A request fits where each member that is there names it; a
 * narrowed key is good for requests that fit one of its entries at least. Never empty lists.
 */
export interface AccessDetail {
  readonly type: typeof ACCESS_DETAIL_TYPE;
  /** Names of services. */
  readonly services?: readonly string[] | undefined;
  /** Names of routes. */
  readonly routes?: readonly string[] | undefined;
  /** Upper case. */
  readonly methods?: readonly string[] | undefined;
  /** Ids of actions of described services, such as `billing:getInvoice`. */
  readonly operations?: readonly string[] | undefined;
}

/** One credential that a key was derived from, by the names under which it can be revoked. */
export interface Ancestor {
  /** Of its facts: who verified it. */
  readonly authenticator: string;
  /** `jti`; left out where it has none. */
  readonly id?: string | undefined;
  /** Its principal, where that is another than the key's own: an actor's. */
  readonly principal?: { readonly authenticator: string; readonly subject: string } | undefined;
}
