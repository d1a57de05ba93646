/**
 * One OpenID provider as a client of it sees it: where to send a browser, what a code is worth, refresh,
 * logout. OpenID Connect Core 1.0 (authorization code flow), RFC 7636 (S256), RFC 9126, RFC 9207.
 *
 * Refuses an answer that is not for the login that was begun: another provider's (`iss`, mix-up), another
 * login's (`state`, `nonce`), and all that `provider-id-token.ts` refuses. What goes wrong is a fault with its
 * reason; nothing here rejects.
 */
import { hash } from "node:crypto";
import { SallyportError } from "../../model/errors.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Clock, DocumentFetcher, Log } from "../../model/ports.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import type { SendOutgoing } from "../../platform/outgoing-http.ts";
import type { KeySet, KeySetFigures } from "../key-set/key-set.ts";
import { createProviderClient, type Examine, type TokenAnswer } from "./provider-client.ts";
import { checkIdToken, type IdTokenExpected } from "./provider-id-token.ts";
import { type LogoutNotice, readLogoutToken } from "./provider-logout-token.ts";
import { createMetadataSource, type ProviderMetadata } from "./provider-metadata.ts";
import type { ProviderOptions } from "./provider-options.ts";
import { type SignedByProvider, verifyProviderToken } from "./provider-signature.ts";
import type { TokenFault } from "../token-precheck.ts";

/** What is asked of a login beyond who it is: by configuration, or by a policy (step-up). */
export interface LoginDemands {
  /** Any of them will do; any context when empty. */
  readonly acrValues: readonly string[];
  readonly maxAgeSeconds: number | undefined;
}

/** What one login is known by, on its way there and back. */
export interface LoginSecrets {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

export interface LoginRequest extends LoginSecrets, LoginDemands {
  readonly redirectUri: string;
}

export interface LoginAnswer extends LoginSecrets, LoginDemands {
  /** Where the browser came back to, without its query. */
  readonly redirectUri: string;
  /** The query that it came back with, without `?`. */
  readonly query: string;
}

export interface ProviderTokens {
  /** Of the ID token, with those of userinfo beside them where asked for; undefined: a refresh that brought none. */
  readonly claims: JsonObject | undefined;
  readonly accessToken: string;
  /** The one to use from now on (rotation); undefined: there is none, or it stays as it was. */
  readonly refreshToken: string | undefined;
  /** When the access token ends, seconds since the epoch; undefined where it is not said. */
  readonly expiresAt: number | undefined;
  /** For the provider only, as a hint of whom to log out. */
  readonly idToken: string | undefined;
}

export interface Provider {
  readonly issuer: string;
  /** First fetch of its document and keys. Resolves when it has ended, well or not. */
  start(): Promise<void>;
  keys(): KeySetFigures;
  /** Where to send the browser. */
  authorizationUrl(request: LoginRequest): Promise<string | TokenFault>;
  /** What came of a login, once its `state` was found to be ours. */
  redeem(answer: LoginAnswer): Promise<ProviderTokens | TokenFault>;
  /** `login-refused`: the session is over; `identity-unavailable`: the provider cannot be asked now. */
  refresh(
    refreshToken: string,
    of: { readonly subject: string; readonly nonce: string | undefined },
  ): Promise<ProviderTokens | TokenFault>;
  /** Where a browser logs out at the provider as well; undefined where it offers nothing. */
  endSessionUrl(logout: {
    readonly postLogoutRedirectUri: string;
    readonly idToken: string | undefined;
  }): Promise<string | undefined>;
  verifyLogoutToken(token: string): Promise<LogoutNotice | TokenFault>;
  close(): void;
}

export interface ProviderDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly fetcher: DocumentFetcher;
  readonly send: SendOutgoing;
  readonly shared: SharedMemory;
  /** The provider's keys, by discovery. Closed with the provider. */
  readonly keys: KeySet;
}

/** More than these, or one of them twice, is no answer of an honest provider (RFC 6749 section 3.1). */
const SINGLE = ["code", "state", "iss", "error"] as const;

export function createProvider(options: ProviderOptions, deps: ProviderDeps): Provider {
  const source = createMetadataSource(options, deps);
  const client = createProviderClient(options, deps);
  const { algorithms } = options;
  const idTokenRules = { algorithms, types: ID_TOKEN_TYPES };
  const logoutTokenRules = { algorithms, types: LOGOUT_TOKEN_TYPES };

  async function withMetadata<T>(
    run: (metadata: ProviderMetadata) => Promise<T | TokenFault>,
  ): Promise<T | TokenFault> {
    let metadata: ProviderMetadata;
    try {
      metadata = await source.get();
    } catch (error) {
      return unavailable(error);
    }
    return run(metadata);
  }

  /** Reads and checks the ID token of an answer; what it says is kept in `found`. */
  function idTokenCheck(
    expected: Omit<IdTokenExpected, "accessToken" | "nowSeconds">,
    found: { verified: SignedByProvider | undefined },
  ): Examine {
    return async ({ id_token: idToken, access_token: accessToken }) => {
      if (typeof accessToken !== "string" || accessToken === "") {
        return invalid("the answer has no access token");
      }
      if (idToken === undefined) {
        // OpenID Connect Core section 12.2: a refresh may bring none.
        return expected.subject === undefined ? invalid("the answer has no ID token") : undefined;
      }
      if (typeof idToken !== "string") return invalid("the ID token is not a text");
      const verified = await verifyProviderToken(idToken, deps.keys, idTokenRules);
      if ("fault" in verified) return verified;
      const nowSeconds = deps.clock.now() / 1000;
      const fault = checkIdToken(verified, options, { ...expected, accessToken, nowSeconds });
      if (fault === undefined) found.verified = verified;
      return fault;
    };
  }

  async function finish(
    metadata: ProviderMetadata,
    answer: TokenAnswer,
    verified: SignedByProvider | undefined,
    subject: string,
  ): Promise<ProviderTokens | TokenFault> {
    const beside = await userinfo(metadata, answer.accessToken, subject);
    if ("fault" in beside) return beside;
    const { accessToken, refreshToken, expiresIn, idToken } = answer;
    const nowSeconds = Math.floor(deps.clock.now() / 1000);
    return {
      claims:
        verified === undefined && beside.claims === undefined
          ? undefined
          : merged(verified?.claims, beside.claims),
      accessToken,
      refreshToken,
      expiresAt: expiresIn === undefined ? undefined : nowSeconds + expiresIn,
      idToken,
    };
  }

  async function userinfo(
    metadata: ProviderMetadata,
    accessToken: string,
    subject: string,
  ): Promise<{ readonly claims: JsonObject | undefined } | TokenFault> {
    if (!options.userinfo) return { claims: undefined };
    if (metadata.userinfoEndpoint === undefined) {
      return { fault: "identity-unavailable", detail: "the provider has no userinfo endpoint" };
    }
    // OpenID Connect Core section 5.3.2: an access token that was swapped shows another's claims.
    return client.userinfo(metadata, { accessToken, subject }, ({ sub }) =>
      sub === subject
        ? undefined
        : { fault: "wrong-subject", detail: "userinfo is about another subject" },
    );
  }

  return {
    issuer: options.issuer,
    async start() {
      await Promise.allSettled([
        deps.keys.start(),
        source.get().catch((error: unknown) => {
          deps.log.warn("an OpenID provider cannot be reached; logins fail until it can", {
            authenticator: options.name,
            error: error instanceof Error ? error : undefined,
          });
        }),
      ]);
    },
    keys: () => deps.keys.figures(),
    authorizationUrl: (request) =>
      withMetadata(async (metadata) => {
        const { pushedRequestEndpoint, requiresPushedRequests } = metadata;
        const wanted = options.pushedRequests;
        if (
          pushedRequestEndpoint === undefined &&
          (wanted === "required" || requiresPushedRequests)
        ) {
          return {
            fault: "identity-unavailable",
            detail: "the provider offers no pushed requests",
          };
        }
        const pushed =
          requiresPushedRequests || (wanted !== "off" && pushedRequestEndpoint !== undefined);
        return client.authorizationUrl(metadata, parametersOf(request, options, metadata), pushed);
      }),
    redeem: (answer) =>
      withMetadata(async (metadata) => {
        const refused = checkAnswer(answer, metadata);
        if (refused !== undefined) return refused;
        const found: { verified: SignedByProvider | undefined } = { verified: undefined };
        const { acrValues, maxAgeSeconds, nonce } = answer;
        const expected = { nonce, subject: undefined, acrValues, maxAgeSeconds };
        const callbackUrl = `${answer.redirectUri}?${answer.query}`;
        const tokens = await client.redeem(
          metadata,
          { ...answer, callbackUrl },
          idTokenCheck(expected, found),
        );
        if ("fault" in tokens) return tokens;
        const { verified } = found;
        const subject = verified?.claims["sub"];
        if (typeof subject !== "string") return invalid("no ID token was verified");
        return finish(metadata, tokens, verified, subject);
      }),
    refresh: (refreshToken, { subject, nonce }) =>
      withMetadata(async (metadata) => {
        const found: { verified: SignedByProvider | undefined } = { verified: undefined };
        const expected = { nonce, subject, acrValues: [], maxAgeSeconds: undefined };
        const tokens = await client.refresh(metadata, refreshToken, idTokenCheck(expected, found));
        if ("fault" in tokens) return tokens;
        return finish(metadata, tokens, found.verified, subject);
      }),
    async endSessionUrl({ postLogoutRedirectUri, idToken }) {
      const metadata = await source.get().catch(() => undefined);
      if (metadata?.endSessionEndpoint === undefined) return undefined;
      return client.endSessionUrl(metadata, {
        post_logout_redirect_uri: postLogoutRedirectUri,
        ...(idToken === undefined ? {} : { id_token_hint: idToken }),
      });
    },
    async verifyLogoutToken(token) {
      const verified = await verifyProviderToken(token, deps.keys, logoutTokenRules);
      if ("fault" in verified) return verified;
      const nowSeconds = deps.clock.now() / 1000;
      try {
        return await readLogoutToken(verified.claims, options, { shared: deps.shared, nowSeconds });
      } catch (error) {
        return unavailable(error);
      }
    },
    close: () => deps.keys.close(),
  };
}

const ID_TOKEN_TYPES = ["jwt"] as const;
/** Providers that are older than the type write `JWT`; `events` then tells it from an ID token. */
const LOGOUT_TOKEN_TYPES = ["logout+jwt", "jwt"] as const;

/** OpenID Connect Core Error Code unmet_authentication_requirements 1.0: it cannot be as strong as was asked. */
const UNMET = "unmet_authentication_requirements";

function parametersOf(
  request: LoginRequest,
  { scopes }: ProviderOptions,
  { takesClaims }: ProviderMetadata,
): Record<string, string> {
  const { acrValues, maxAgeSeconds } = request;
  return {
    redirect_uri: request.redirectUri,
    scope: scopes.join(" "),
    state: request.state,
    nonce: request.nonce,
    code_challenge: hash("sha256", request.codeVerifier, "base64url"),
    code_challenge_method: "S256",
    response_mode: "query",
    ...(acrValues.length === 0 ? {} : contextParameter(acrValues, takesClaims)),
    ...(maxAgeSeconds === undefined ? {} : { max_age: String(maxAgeSeconds) }),
  };
}

/**
 * `acr_values` is a wish (section 3.1.2.1), which some providers answer from what a session has; what a login is
 * refused without is asked for as essential where that can be said. Not both: what that means is unspecified
 * (section 5.5.1.1).
 */
function contextParameter(values: readonly string[], takesClaims: boolean): Record<string, string> {
  if (!takesClaims) return { acr_values: values.join(" ") };
  return { claims: JSON.stringify({ id_token: { acr: { essential: true, values } } }) };
}

/** Before a code goes anywhere: who answers (RFC 9207), and whether it is an answer. */
function checkAnswer(
  { query, state }: LoginAnswer,
  metadata: ProviderMetadata,
): TokenFault | undefined {
  const parameters = new URLSearchParams(query);
  for (const name of SINGLE) {
    if (parameters.getAll(name).length > 1) return invalid(`the answer has more than one ${name}`);
  }
  const issuer = parameters.get("iss");
  // Section 2.4: required where it was announced; wherever it stands, it must be whom we asked.
  if (issuer === null ? metadata.sendsIssuer : issuer !== metadata.issuer) {
    return { fault: "wrong-issuer", detail: "iss of the answer is not whom was asked (mix-up)" };
  }
  if (parameters.get("state") !== state) {
    return { fault: "unknown-login", detail: "state is not that of the login" };
  }
  const error = parameters.get("error");
  if (error !== null) {
    const code = /^[a-z_]{1,64}$/.test(error) ? error : "an error";
    const detail = `the provider says ${code}`;
    return { fault: error === UNMET ? "insufficient-login" : "login-refused", detail };
  }
  if (!parameters.has("code")) return invalid("the answer has no code");
  return undefined;
}

/** What the provider signed is never overridden by what it says beside it. */
function merged(signed: JsonObject | undefined, beside: JsonObject | undefined): JsonObject {
  return Object.freeze(
    Object.assign(Object.create(null) as Record<string, never>, beside, signed),
  ) as JsonObject;
}

function invalid(detail: string): TokenFault {
  return { fault: "invalid-provider-answer", detail };
}

function unavailable(error: unknown): TokenFault {
  const detail =
    error instanceof SallyportError ? error.message : "the provider's document cannot be used";
  return { fault: "identity-unavailable", detail };
}
