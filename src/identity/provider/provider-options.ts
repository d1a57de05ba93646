/** What a provider client is made of, as the options of an `oidc` authenticator say it. */
import type { KeyObject } from "node:crypto";
import type { Algorithm } from "../../crypto/algorithms.ts";

/** How we prove to the provider who we are (OpenID Connect Core section 9). */
export type ClientAuthentication =
  /** The provider's own choice of the two ways to send a secret. */
  | { readonly method: "client_secret"; readonly secret: string }
  | { readonly method: "client_secret_basic" | "client_secret_post"; readonly secret: string }
  | {
      readonly method: "private_key_jwt";
      readonly key: KeyObject;
      readonly kid: string | undefined;
    }
  /** A public client: PKCE alone says that the code is ours. */
  | { readonly method: "none" };

export interface ProviderOptions {
  /** Name of the authenticator, for logs and metrics. */
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly authentication: ClientAuthentication;
  /** With `openid` among them. */
  readonly scopes: readonly string[];
  /** Further audiences of an ID token that are trusted beside the client (OpenID Connect Core section 3.1.3.7, 3). */
  readonly trustedAudiences: readonly string[];
  /** Of ID tokens and logout tokens. */
  readonly algorithms: readonly Algorithm[];
  /** `auto`: where the provider offers it. */
  readonly pushedRequests: "auto" | "required" | "off";
  /** Whether userinfo is asked for claims that the ID token does not have. */
  readonly userinfo: boolean;
  readonly clockSkewSeconds: number;
  /** Authentication contexts of which every login has to be one; any when empty. */
  readonly acrValues: readonly string[];
  /** For each request to the provider as a whole. */
  readonly timeoutMs: number;
  readonly insecureHttp: boolean;
}
