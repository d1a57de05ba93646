/** What sessions ask of the provider that a person has logged in at. */
import type { JsonObject } from "../../model/json.ts";

/** What a login or a refresh brought. */
export interface SessionTokens {
  /** Of the verified ID token, with those of userinfo where asked for. Undefined: a refresh without an ID token. */
  readonly claims: JsonObject | undefined;
  readonly idToken: string | undefined;
  /** The provider's id of its own session. */
  readonly sid: string | undefined;
  /** Undefined of a refresh: the one that was used stays good. */
  readonly refreshToken: string | undefined;
  /** Of the access token, in seconds since the epoch. */
  readonly expiresAt: number | undefined;
}

export type RefreshOutcome =
  | { readonly outcome: "refreshed"; readonly tokens: SessionTokens }
  /** The provider says that it is over (`invalid_grant`), or gave what cannot be trusted. */
  | { readonly outcome: "ended"; readonly detail: string }
  /** It could not be asked; may be tried again. */
  | { readonly outcome: "unavailable"; readonly detail: string };

export interface SessionProvider {
  /**
   * `subject`, and `nonce` where it is known: whose the answer has to be, and of which login (OpenID Connect Core
   * section 12.2). Bounded in time; never rejects.
   */
  refresh(
    refreshToken: string,
    options: { readonly subject: string; readonly nonce: string | undefined },
  ): Promise<RefreshOutcome>;
}
