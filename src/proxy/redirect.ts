/**
 * Where a redirect sends a permitted caller. `Location` is made of what the route says and of the
 * canonical request: its path and query, and its host only where the route names the hosts that it
 * takes. So nobody can be sent to a place that a link or a Host field chose.
 */
import type { Permit } from "../gate/decision.ts";
import type { RedirectOptions } from "../gate/rewrite-options.ts";
import { createPathShape } from "./path-shape.ts";

export interface Redirect {
  readonly status: number;
  /** Undefined where the new path could be read in two ways. */
  location(permit: Permit): string | undefined;
}

export function createRedirect(
  options: RedirectOptions,
  route: {
    readonly path: string;
    readonly pathParameters: boolean;
    /** Scheme by which callers know a listener, by its name, where `publicOrigin` says so. */
    readonly schemes: ReadonlyMap<string, string>;
  },
): Redirect {
  const { scheme, host, keepQuery, status } = options;
  const shape =
    options.path === undefined
      ? (path: string): string => path
      : createPathShape(options.path, route.path, route.pathParameters);
  return {
    status,
    location({ request }) {
      const path = shape(request.path);
      if (path === undefined) return undefined;
      const query = keepQuery && request.query !== undefined ? `?${request.query}` : "";
      // A canonical path begins with one slash, so it never names another host.
      if (scheme === undefined && host === undefined) return path + query;
      // Behind a balancer that ends TLS, the connection's own scheme is not the caller's.
      const own = route.schemes.get(request.listener) ?? request.scheme;
      return `${scheme ?? own}://${host ?? request.host}${path}${query}`;
    },
  };
}
