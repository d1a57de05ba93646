/**
 * The requests of OAuth 2.0 and OpenID Connect as `openid-client` makes them: client authentication, PKCE,
 * pushed requests, code, refresh token, userinfo. The one file that knows the library.
 *
 * It reaches nothing but the endpoints in the checked metadata, over our own bounded requests. Whatever
 * comes back is shown to `examine` first, so that our checks give their reasons; the library then looks at it
 * again with its own.
 */
import type { KeyObject } from "node:crypto";
import {
  authorizationCodeGrant,
  allowInsecureRequests,
  buildAuthorizationUrl,
  buildAuthorizationUrlWithPAR,
  buildEndSessionUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  clockSkew,
  clockTolerance,
  Configuration,
  type CryptoKey,
  customFetch,
  type CustomFetchOptions,
  fetchUserInfo,
  None,
  PrivateKeyJwt,
  refreshTokenGrant,
  ResponseBodyError,
} from "openid-client";
import { SallyportError } from "../../model/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseJsonBytes } from "../../model/json.ts";
import type { Clock } from "../../model/ports.ts";
import type { SendOutgoing } from "../../platform/outgoing-http.ts";
import { clientKeyParameters } from "./client-key.ts";
import type { ProviderMetadata } from "./provider-metadata.ts";
import type { ClientAuthentication, ProviderOptions } from "./provider-options.ts";
import type { TokenFault } from "../token-precheck.ts";

/** A token endpoint's answer (RFC 6749 section 5.1), of the right types. */
export interface TokenAnswer {
  readonly accessToken: string;
  readonly idToken: string | undefined;
  readonly refreshToken: string | undefined;
  /** Seconds that the access token lives; undefined where it is not said. */
  readonly expiresIn: number | undefined;
}

/** Looks at an answer before anybody else does. A fault ends the request. */
export type Examine = (
  body: JsonObject,
) => TokenFault | undefined | Promise<TokenFault | undefined>;

export interface CodeRequest {
  /** The callback with its query, whose `iss`, `state` and `error` were looked at. */
  readonly callbackUrl: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly maxAgeSeconds: number | undefined;
}

/** None of them rejects. */
export interface ProviderClient {
  authorizationUrl(
    metadata: ProviderMetadata,
    parameters: Readonly<Record<string, string>>,
    pushed: boolean,
  ): Promise<string | TokenFault>;
  redeem(
    metadata: ProviderMetadata,
    request: CodeRequest,
    examine: Examine,
  ): Promise<TokenAnswer | TokenFault>;
  refresh(
    metadata: ProviderMetadata,
    refreshToken: string,
    examine: Examine,
  ): Promise<TokenAnswer | TokenFault>;
  userinfo(
    metadata: ProviderMetadata,
    request: { readonly accessToken: string; readonly subject: string },
    examine: Examine,
  ): Promise<{ readonly claims: JsonObject } | TokenFault>;
  endSessionUrl(metadata: ProviderMetadata, parameters: Readonly<Record<string, string>>): string;
}

const LIMITS = {
  /** A token answer with three JWTs has some 10 KB, userinfo with many groups some 100. */
  answerBytes: 512 * 1024,
  /** Under way at once: a provider that hangs must not pile up people's logins without end. */
  inFlight: 256,
} as const;

export interface ProviderClientDeps {
  readonly clock: Clock;
  readonly send: SendOutgoing;
}

export function createProviderClient(
  options: ProviderOptions,
  deps: ProviderClientDeps,
): ProviderClient {
  const authenticate = createAuthentication(options.authentication);
  let inFlight = 0;

  async function configure(metadata: ProviderMetadata, seen: Seen): Promise<Configuration> {
    const server = {
      issuer: metadata.issuer,
      authorization_endpoint: metadata.authorizationEndpoint,
      token_endpoint: metadata.tokenEndpoint,
      ...optional("userinfo_endpoint", metadata.userinfoEndpoint),
      ...optional("pushed_authorization_request_endpoint", metadata.pushedRequestEndpoint),
      ...optional("end_session_endpoint", metadata.endSessionEndpoint),
      authorization_response_iss_parameter_supported: metadata.sendsIssuer,
      // What is accepted is for us to say, not for the document.
      id_token_signing_alg_values_supported: [...options.algorithms],
    };
    const client = {
      [clockSkew]: Math.round((deps.clock.now() - Date.now()) / 1000),
      // Ours is exact, and comes first; its clock is read in whole seconds.
      [clockTolerance]: options.clockSkewSeconds + 2,
    };
    const auth = await authenticate(metadata);
    const configuration = new Configuration(server, options.clientId, client, auth);
    // Which of our endpoints may be plain http was decided where they were read.
    // oxlint-disable-next-line typescript/no-deprecated -- marked so to be noticed
    allowInsecureRequests(configuration);
    configuration.timeout = 0;
    const allowed = new Set([
      metadata.tokenEndpoint,
      metadata.userinfoEndpoint,
      metadata.pushedRequestEndpoint,
    ]);
    configuration[customFetch] = (url, request) => fetch(url, request, { allowed, seen });
    return configuration;
  }

  async function fetch(
    url: string,
    { method, headers, body }: CustomFetchOptions,
    { allowed, seen }: { readonly allowed: ReadonlySet<string | undefined>; readonly seen: Seen },
  ): Promise<Response> {
    if (!allowed.has(url)) throw new TypeError("not an endpoint of this provider");
    if (method !== "GET" && method !== "POST") throw new TypeError(`no ${method} is sent`);
    if (inFlight >= LIMITS.inFlight) {
      seen.fault = { fault: "overloaded", detail: "as many requests to the provider as may be" };
      throw new Error(seen.fault.detail);
    }
    inFlight += 1;
    try {
      const answer = await deps.send(
        {
          url,
          method,
          headers,
          body: textOf(body),
        },
        { timeoutMs: options.timeoutMs, maxBytes: LIMITS.answerBytes },
      );
      if (answer.status >= 500) {
        seen.fault = {
          fault: "identity-unavailable",
          detail: `the provider answered ${answer.status}`,
        };
        throw new Error(seen.fault.detail);
      }
      if (answer.status === 200) await examineFirst(answer.body, seen);
      const type = answer.headers["content-type"] ?? "";
      return new Response(answer.body, {
        status: answer.status,
        headers: { "content-type": type },
      });
    } finally {
      inFlight -= 1;
    }
  }

  async function ask<T>(
    metadata: ProviderMetadata,
    examine: Examine | undefined,
    run: (configuration: Configuration) => Promise<T>,
  ): Promise<T | TokenFault> {
    const seen: Seen = { examine, fault: undefined };
    try {
      return await run(await configure(metadata, seen));
    } catch (error) {
      return seen.fault ?? faultOf(error);
    }
  }

  return {
    authorizationUrl: (metadata, parameters, pushed) =>
      ask(metadata, undefined, async (configuration) => {
        const url = pushed
          ? await buildAuthorizationUrlWithPAR(configuration, { ...parameters })
          : buildAuthorizationUrl(configuration, { ...parameters });
        return url.href;
      }),
    redeem: (metadata, request, examine) =>
      ask(metadata, examine, async (configuration) => {
        const { maxAgeSeconds: maxAge } = request;
        const answer = await authorizationCodeGrant(configuration, new URL(request.callbackUrl), {
          expectedState: request.state,
          expectedNonce: request.nonce,
          pkceCodeVerifier: request.codeVerifier,
          idTokenExpected: true,
          ...(maxAge === undefined ? {} : { maxAge }),
        });
        return tokenAnswer(answer);
      }),
    refresh: (metadata, refreshToken, examine) =>
      ask(metadata, examine, async (configuration) =>
        tokenAnswer(await refreshTokenGrant(configuration, refreshToken)),
      ),
    userinfo: (metadata, { accessToken, subject }, examine) => {
      let body: JsonObject | undefined;
      const keep: Examine = (given) => {
        body = given;
        return examine(given);
      };
      return ask(metadata, keep, async (configuration) => {
        await fetchUserInfo(configuration, accessToken, subject);
        // As our own strict reader has read it.
        if (body === undefined) throw new TypeError("an answer that was not examined");
        return { claims: body };
      });
    },
    endSessionUrl(metadata, parameters) {
      const server = {
        issuer: metadata.issuer,
        ...optional("end_session_endpoint", metadata.endSessionEndpoint),
      };
      const configuration = new Configuration(server, options.clientId);
      // oxlint-disable-next-line typescript/no-deprecated -- marked so to be noticed
      allowInsecureRequests(configuration);
      return buildEndSessionUrl(configuration, { ...parameters }).href;
    },
  };
}

function textOf(body: CustomFetchOptions["body"]): string | undefined {
  if (body === undefined || body === null || typeof body === "string") return body ?? undefined;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError("only forms are sent");
}

/** What our own checks found, which says more than the library's error that follows from it. */
interface Seen {
  readonly examine: Examine | undefined;
  fault: TokenFault | undefined;
}

async function examineFirst(bytes: Buffer, seen: Seen): Promise<void> {
  if (seen.examine === undefined) return;
  let body: JsonValue | undefined;
  try {
    body = parseJsonBytes(bytes);
  } catch {
    body = undefined;
  }
  seen.fault = isJsonObject(body)
    ? await seen.examine(body)
    : { fault: "invalid-provider-answer", detail: "the answer is not a strict JSON object" };
  if (seen.fault !== undefined) throw new Error(seen.fault.detail);
}

/** Never says more than a code: messages and causes of the library hold what was sent and received. */
function faultOf(error: unknown): TokenFault {
  const sent = findSent(error);
  if (sent !== undefined) return { fault: "identity-unavailable", detail: sent.message };
  if (error instanceof ResponseBodyError) {
    const code = /^[a-z_]{1,64}$/.test(error.error) ? error.error : "an error";
    const detail = `the provider answered ${error.status} ${code}`;
    if (error.error === "invalid_grant") return { fault: "login-refused", detail };
    const down = error.error === "temporarily_unavailable";
    return { fault: down ? "identity-unavailable" : "invalid-provider-answer", detail };
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = /^[A-Z_]{1,64}$/.test(code) ? ` (${code})` : "";
  return {
    fault: "invalid-provider-answer",
    detail: `the answer is not what was asked for${known}`,
  };
}

function findSent(error: unknown): SallyportError | undefined {
  for (let one = error, depth = 0; one instanceof Error && depth < 4; one = one.cause, depth++) {
    if (one instanceof SallyportError) return one;
  }
  return undefined;
}

function tokenAnswer(answer: {
  readonly access_token: string;
  readonly id_token?: string | undefined;
  readonly refresh_token?: string | undefined;
  readonly expires_in?: number | undefined;
}): TokenAnswer {
  return {
    accessToken: answer.access_token,
    idToken: answer.id_token,
    refreshToken: answer.refresh_token,
    expiresIn: answer.expires_in,
  };
}

type Authenticate = (metadata: ProviderMetadata) => Promise<ClientAuth>;

function createAuthentication(given: ClientAuthentication): Authenticate {
  if (given.method === "none") return () => Promise.resolve(None());
  if (given.method === "private_key_jwt") {
    let auth: Promise<ClientAuth> | undefined;
    return () => {
      auth ??= importKey(given.key).then((key) =>
        PrivateKeyJwt(given.kid === undefined ? { key } : { key, kid: given.kid }),
      );
      return auth;
    };
  }
  const basic = ClientSecretBasic(given.secret);
  const post = ClientSecretPost(given.secret);
  return ({ authenticationMethods: offered }) => {
    if (given.method !== "client_secret") {
      return Promise.resolve(given.method === "client_secret_basic" ? basic : post);
    }
    // Discovery section 3: a provider that does not say means basic.
    const onlyPost =
      offered?.includes("client_secret_basic") === false && offered.includes("client_secret_post");
    return Promise.resolve(onlyPost ? post : basic);
  };
}

/** The key says the algorithm: RS256, ES256/384/512, Ed25519. Throws TypeError for any other. */
async function importKey(key: KeyObject): Promise<CryptoKey> {
  const der = key.export({ type: "pkcs8", format: "der" });
  return crypto.subtle.importKey("pkcs8", Uint8Array.from(der), clientKeyParameters(key), false, [
    "sign",
  ]);
}

function optional<N extends string>(name: N, value: string | undefined): { [K in N]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [K in N]?: string };
}
