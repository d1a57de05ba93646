/**
 * Gets access tokens as a client would: workloads by client credentials (RFC 6749 section 4.4),
 * people by authorization code with PKCE (RFC 7636), here with a script in place of the browser.
 */
import type { webcrypto } from "node:crypto";
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  clientCredentialsGrant,
  discovery,
  getDPoPHandle,
  None,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";
import { AUDIENCE, LOGIN_CLIENT, LOGIN_REDIRECT, type Person } from "./cast.ts";
import { Browser } from "./browser.ts";
import type { ProviderFacts } from "./provider-process.ts";

/** The demo's provider speaks plain HTTP on loopback. */
const LOOPBACK = { execute: [allowInsecureRequests] };

/** An access token of the workload, meant for `resource`. */
export async function workloadToken(
  provider: ProviderFacts,
  client: string,
  resource: string = AUDIENCE,
): Promise<string> {
  const secret = provider.secrets[client];
  const server = await discovery(new URL(provider.issuer), client, secret, undefined, LOOPBACK);
  const answer = await clientCredentialsGrant(server, { resource, scope: "read write" });
  return answer.access_token;
}

/** An access token that is bound to a fresh key (RFC 9449), and the key. */
export async function boundToken(
  provider: ProviderFacts,
  client: string,
): Promise<{ readonly token: string; readonly key: webcrypto.JsonWebKey }> {
  const secret = provider.secrets[client];
  const server = await discovery(new URL(provider.issuer), client, secret, undefined, LOOPBACK);
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const parameters = { resource: AUDIENCE, scope: "read write" };
  const answer = await clientCredentialsGrant(server, parameters, {
    DPoP: getDPoPHandle(server, pair),
  });
  const key = await crypto.subtle.exportKey("jwk", pair.privateKey);
  return { token: answer.access_token, key };
}

/** An access token of a person who logs in with name and password. */
export async function personToken(provider: ProviderFacts, person: Person): Promise<string> {
  const server = await discovery(
    new URL(provider.issuer),
    LOGIN_CLIENT,
    undefined,
    None(),
    LOOPBACK,
  );
  const pkceCodeVerifier = randomPKCECodeVerifier();
  const expectedState = randomState();
  const start = buildAuthorizationUrl(server, {
    redirect_uri: LOGIN_REDIRECT,
    scope: "openid read write",
    resource: AUDIENCE,
    state: expectedState,
    code_challenge: await calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
  });
  const callback = await new Browser(person).open(start, LOGIN_REDIRECT);
  const answer = await authorizationCodeGrant(server, callback.url, {
    pkceCodeVerifier,
    expectedState,
    idTokenExpected: true,
  });
  return answer.access_token;
}
