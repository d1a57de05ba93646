/**
 * Whether a proof was made for this request: `htu` against the URL that callers know it by (RFC 9449
 * section 4.3, check 9). Query and fragment of `htu` count for nothing; what RFC 3986 section 6.2 calls
 * equivalent is equal, and nothing else is: `//` is not `/`, and case counts in a path.
 */
import { parseAuthority } from "../../wire/authority.ts";
import { isPathFault, normalPath } from "../../wire/path.ts";

/** `url` without query and fragment. */
export function isSameTarget(htu: string, url: string): boolean {
  if (htu === url) return true;
  const named = normalForm(htu);
  return named !== undefined && named === normalForm(url);
}

const URL_PARTS = /^(https?):\/\/([^/?#]*)([^?#]*)(?:[?#][!-~]*)?$/i;

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** Undefined for what is no http or https URL, or names somebody in it. */
function normalForm(url: string): string | undefined {
  const [whole, scheme = "", host = "", path = ""] = URL_PARTS.exec(url) ?? [];
  const authority = parseAuthority(host);
  if (whole === undefined || authority === undefined) return undefined;
  // A `;` is for the route to refuse; a request that had one and got here was let through.
  const normal = normalPath(path === "" ? "/" : path, { pathParameters: "allow" });
  if (isPathFault(normal)) return undefined;
  const protocol = scheme.toLowerCase();
  const { port } = authority;
  const suffix = port === undefined || port === DEFAULT_PORTS[protocol] ? "" : `:${port}`;
  return `${protocol}://${authority.host}${suffix}${normal.path}`;
}
