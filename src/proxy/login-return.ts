/**
 * Where a browser goes after it has logged in: a path of the very host that it is on, which leads to a route with
 * a login. Nothing else is an address to return to (RFC 9700 section 4.11, open redirectors): no scheme, no
 * host in any spelling (`//evil`, `/\evil`, `https:evil`), no control byte, no fragment.
 */
import type { GateRoute } from "../gate/snapshot.ts";
import type { Router } from "../gate/router.ts";
import { canonicalPath, isPathFault } from "../wire/path.ts";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";

export interface ReturnAddress {
  /** Canonical path, and the query as it was: begins with exactly one slash. */
  readonly location: string;
  /** Ways to log in that its route takes, in its order; at least one. */
  readonly logins: readonly LoginAuthenticator[];
}

export interface ReturnRules {
  readonly router: Router<GateRoute>;
  readonly byRoute: ReadonlyMap<GateRoute, readonly LoginAuthenticator[]>;
}

export const RETURN_LIMITS = {
  /** It is kept in a cookie while the browser is at the provider. */
  chars: 2048,
} as const;

/** Undefined: not an address to return to. */
export function readReturn(
  text: string,
  host: string,
  { router, byRoute }: ReturnRules,
): ReturnAddress | undefined {
  if (text.length > RETURN_LIMITS.chars || !VISIBLE.test(text)) return undefined;
  const end = text.indexOf("?");
  const path = canonicalPath(end === -1 ? text : text.slice(0, end), { pathParameters: "allow" });
  if (isPathFault(path)) return undefined;
  const route = router.find(host, path.path)?.method("GET");
  if (route === undefined) return undefined;
  if (!route.pathParameters && path.path.includes(";")) return undefined;
  const logins = byRoute.get(route);
  if (logins === undefined || logins.length === 0) return undefined;
  // A canonical path has no run of slashes and no backslash, so it never names another host.
  return { location: end === -1 ? path.path : path.path + text.slice(end), logins };
}

/** One slash, then neither `/` nor `\`, which browsers take for the beginning of a host. */
const VISIBLE = /^\/(?![/\\])[\x21\x22\x24-\x5b\x5d-\x7e]*$/;
