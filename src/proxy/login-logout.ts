/**
 * `/.sallyport/logout`: ends the sessions of the browser that asks, then logs it out at the provider as well
 * (OpenID Connect RP-Initiated Logout 1.0). Only a POST of a page of the same origin does that, so no link and no
 * image on another site logs anybody out; a GET shows the button.
 */
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import type { CanonicalRequest } from "../model/http.ts";
import { getAllFields } from "../wire/fields.ts";
import type { Endpoint, LoginCall, LoginOutcome } from "./login-call.ts";
import { originOf } from "./login-origin.ts";
import { loggedOutPage, logoutPage } from "./login-pages.ts";

const LOGGED_OUT = "/.sallyport/logged-out";

export const loggedOut: Endpoint = () => ({
  reason: "answered-by-proxy",
  status: 200,
  page: loggedOutPage(),
});

export const logout: Endpoint = (call) =>
  call.own.request.method === "GET" ? showButton(call) : endSessions(call);

async function showButton({ logins, own, gate }: LoginCall): Promise<LoginOutcome> {
  const postLogoutRedirectUri = originOf(own.request, gate) + LOGGED_OUT;
  const urls = await Promise.all(
    [...logins.byName.values()].map(({ provider }) =>
      provider.endSessionUrl({ postLogoutRedirectUri, idToken: undefined }),
    ),
  );
  const origins = urls.flatMap((url) => (url === undefined ? [] : [new URL(url).origin]));
  return {
    reason: "answered-by-proxy",
    status: 200,
    // Without it the form's `Origin` would be `null`.
    referrer: "same-origin",
    page: logoutPage("/.sallyport/logout", [...new Set(origins)]),
  };
}

async function endSessions(call: LoginCall): Promise<LoginOutcome> {
  const { own, logins, gate } = call;
  const { request, timeMs } = own;
  const origin = originOf(request, gate);
  if (!isSameOrigin(request, origin)) {
    return { reason: "cross-site-request", detail: "not from a page of the same origin" };
  }
  const setCookies: string[] = [];
  let first: { readonly login: LoginAuthenticator; readonly ended: Ended } | undefined;
  for (const login of logins.byName.values()) {
    const ended = await login.sessions.end(request, timeMs);
    setCookies.push(...ended.setCookies);
    if (ended.session !== undefined) first ??= { login, ended };
  }
  const location = await nextPlace(first, origin);
  const going = isFetch(request) ? { status: 204 } : { location };
  if (first === undefined) {
    return { reason: "answered-by-proxy", detail: "no session to end", setCookies, ...going };
  }
  return {
    reason: "logged-out",
    detail: `by the person, of ${first.login.name}`,
    principal: first.ended.session?.principal,
    authenticator: first.login.name,
    setCookies,
    ...going,
  };
}

type Ended = Awaited<ReturnType<LoginAuthenticator["sessions"]["end"]>>;

/** At the provider whose session it was; one that offers nothing keeps its own. */
async function nextPlace(
  first: { readonly login: LoginAuthenticator; readonly ended: Ended } | undefined,
  origin: string,
): Promise<string> {
  if (first === undefined) return LOGGED_OUT;
  const url = await first.login.provider.endSessionUrl({
    postLogoutRedirectUri: origin + LOGGED_OUT,
    idToken: first.ended.session?.idToken,
  });
  return url ?? LOGGED_OUT;
}

/**
 * As browsers say it (Fetch Metadata), or by `Origin`. A page with a strict referrer policy sends `Origin: null`
 * with its own forms too, so there Sec-Fetch-Site has to say it.
 */
function isSameOrigin({ head: { fields } }: CanonicalRequest, own: string): boolean {
  const sites = getAllFields(fields, "sec-fetch-site");
  const origins = getAllFields(fields, "origin");
  if (sites.length > 1 || origins.length > 1) return false;
  const [site] = sites;
  const [origin] = origins;
  if (site !== undefined) {
    return site === "same-origin" && (origin === undefined || origin === own || origin === "null");
  }
  return origin === own;
}

/** A script cannot follow to the provider; it hears that it is done. */
function isFetch({ head: { fields } }: CanonicalRequest): boolean {
  const modes = getAllFields(fields, "sec-fetch-mode");
  return modes.length > 0 && modes[0] !== "navigate";
}
