/**
 * Which refusals a browser is not shown but sent to login for: it goes to a page, by GET, on a route with a login,
 * on a listener that serves it. Scripts, API clients, parts of pages and calls of other origins get the
 * problem document: they could not log in, and would take the provider's page for an answer.
 */
import type { Denial } from "../gate/decision.ts";
import type { RequestHead } from "../model/http.ts";
import type { Reason } from "../model/reason.ts";
import { isNavigation } from "../wire/navigation.ts";
import type { LoginSnapshot } from "./login-call.ts";
import { RETURN_LIMITS } from "./login-return.ts";
import { loginAddress } from "./login-start.ts";

/** What logging in, or logging in again, may help against. */
const HELPS: ReadonlySet<Reason> = new Set([
  "missing-credential",
  "session-expired",
  // Its answer takes the cookie away; what is left is a browser without a session.
  "invalid-session",
  // Not `credential-revoked`: where another login is good, the gate takes the session for absent; who is blocked
  // would be sent to a provider that still knows them, and back, until the loop is noticed.
  "step-up-required",
]);

/** Where to send the browser; undefined: it is refused as everybody is. */
export function loginRedirect(
  { denied, route, request, stepUp }: Denial,
  head: RequestHead,
  logins: LoginSnapshot,
): string | undefined {
  if (!HELPS.has(denied) || route === undefined || request === undefined) return undefined;
  if (head.method !== "GET" || !isNavigation(head)) return undefined;
  if (!logins.listeners.has(request.listener) || !logins.byRoute.has(route)) return undefined;
  const { path, query } = request;
  const address = query === undefined ? path : `${path}?${query}`;
  const fitting = [address, path].find((one) => one.length <= RETURN_LIMITS.chars);
  return loginAddress(fitting, stepUp);
}
