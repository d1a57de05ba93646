/**
 * Gets access tokens as a client would: workloads by client credentials (RFC 6749 section 4.4),
 * people by authorization code with PKCE (RFC 7636), here with a script in place of the browser.
 */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  clientCredentialsGrant,
  discovery,
  None,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";
import { AUDIENCE, LOGIN_CLIENT, LOGIN_REDIRECT, type Person } from "./cast.ts";
import type { ProviderFacts } from "./provider-process.ts";

const LIMITS = {
  /** Redirects of one login; more is a circle. */
  redirects: 10,
} as const;

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
  const callback = await logIn(start, person);
  const answer = await authorizationCodeGrant(server, callback, {
    pkceCodeVerifier,
    expectedState,
    idTokenExpected: true,
  });
  return answer.access_token;
}

/** Does what a browser does: keeps cookies, follows redirects, fills in the login form once. */
async function logIn(start: URL, person: Person): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = start;
  let form: URLSearchParams | undefined;
  for (let step = 0; step < LIMITS.redirects; step += 1) {
    if (url.href.startsWith(LOGIN_REDIRECT)) return url;
    const response = await fetch(url, {
      method: form === undefined ? "GET" : "POST",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      redirect: "manual",
      ...(form === undefined ? {} : { body: form }),
    });
    await response.arrayBuffer();
    keepCookies(cookies, response.headers.getSetCookie());
    const location = response.headers.get("location");
    if (location !== null) {
      url = new URL(location, url);
      form = undefined;
    } else if (response.status === 200 && form === undefined) {
      form = new URLSearchParams({ login: person.id, password: person.password });
    } else {
      throw new Error(`the login of ${person.id} ended with status ${response.status}`);
    }
  }
  throw new Error(`the login of ${person.id} goes round in circles`);
}

function keepCookies(cookies: Map<string, string>, received: readonly string[]): void {
  for (const line of received) {
    const pair = /^([^=;]+)=([^;]*)/.exec(line);
    if (pair === null) continue;
    const [, name = "", value = ""] = pair;
    if (value === "") cookies.delete(name);
    else cookies.set(name, value);
  }
}
