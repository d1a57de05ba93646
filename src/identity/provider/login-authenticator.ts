/** What the endpoints of login and logout need of an authenticator of people in a browser. */
import type { OidcOptions } from "../oidc-options.ts";
import type { Provider } from "./provider.ts";
import type { SessionSealer } from "../session/session-seal.ts";
import type { Sessions } from "../session/sessions.ts";

export interface LoginAuthenticator {
  readonly name: string;
  /** What a person chooses it by. */
  readonly label: string;
  readonly options: OidcOptions;
  readonly sessions: Sessions;
  readonly provider: Provider;
  /** For what a browser keeps while it is at the provider. */
  readonly transactions: SessionSealer;
}
