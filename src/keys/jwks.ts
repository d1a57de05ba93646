/**
 * The key sets that anybody may fetch: `/.well-known/sallyport/jwks.json` (tokens) and
 * `/.well-known/sallyport/assertions.json` (what services check `x-sallyport-assertion` with).
 *
 * Nothing but public halves of those two uses is ever shown. Free of transport: it takes a method, a
 * path and a field, and gives an answer.
 */
import { createHash } from "node:crypto";
import type { KeyUse, PublishedKey } from "../model/signing.ts";
import { JWKS_MAX_AGE_SECONDS } from "./key-policy.ts";

/** Who serves our own paths answers for all that begin so. */
export const WELL_KNOWN_PREFIX = "/.well-known/sallyport/";

const DOCUMENTS: ReadonlyMap<string, KeyUse> = new Map([
  [`${WELL_KNOWN_PREFIX}jwks.json`, "tokens"],
  [`${WELL_KNOWN_PREFIX}assertions.json`, "assertions"],
]);

export interface KeySetRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly ifNoneMatch?: string | undefined;
}

export interface KeySetAnswer {
  /** For metrics: which document it is about. */
  readonly use: KeyUse;
  readonly status: 200 | 304 | 405;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  /** To HEAD as well: whoever sends it leaves it out and keeps its length. */
  readonly body: string;
}

/** Undefined where the path is none of ours. */
export function answerKeySet(
  request: KeySetRequest,
  keys: readonly PublishedKey[],
): KeySetAnswer | undefined {
  const use = DOCUMENTS.get(request.path);
  if (use === undefined) return undefined;
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { use, status: 405, fields: ["allow", "GET, HEAD"], body: "" };
  }
  const body = keySetText(keys, use);
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  const caching = ["cache-control", `public, max-age=${JWKS_MAX_AGE_SECONDS}`, "etag", etag];
  if (matches(request.ifNoneMatch, etag)) return { use, status: 304, fields: caching, body: "" };
  // RFC 7517 section 8.5.2. No page of another origin is kept from what is public.
  const fields = [
    "content-type",
    "application/jwk-set+json",
    "access-control-allow-origin",
    "*",
    ...caching,
  ];
  return { use, status: 200, fields, body };
}

/** The set as text: the same keys give the same bytes, whichever replica is asked. */
export function keySetText(keys: readonly PublishedKey[], use: KeyUse): string {
  const jwks = keys
    .filter((key) => key.use === use)
    .toSorted((a, b) => (a.kid < b.kid ? -1 : 1))
    .map(({ jwk }) =>
      Object.fromEntries(Object.entries(jwk).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    );
  return `${JSON.stringify({ keys: jwks })}\n`;
}

/** RFC 9110 section 13.1.2: any of a list, weak or not, or `*`. */
function matches(field: string | undefined, etag: string): boolean {
  if (field === undefined) return false;
  const tags = field.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}
