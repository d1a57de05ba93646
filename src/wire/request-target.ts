/**
 * Methods and request targets that are served (RFC 9110 section 9, RFC 9112 section 3.2), in every
 * version of HTTP. What a path means is for path.ts.
 */
import { headFault, type HeadFault } from "./head-fault.ts";
import type { HeadLimits } from "./head-limits.ts";
import { isToken } from "./token.ts";

const FAULTS = {
  method: headFault("the method is not a token"),
  methodRefused: headFault("CONNECT and TRACE are not served", "not-implemented"),
  target: headFault("the target holds something other than visible ASCII"),
  targetForm: headFault("the target is in none of origin, absolute and asterisk form"),
  targetLength: headFault("the target is longer than the limit", "uri-too-long"),
} as const;

const TARGET = /^[!-~]+$/;
/** Whether the authority is the Host is for path.ts; that it has no user info and no fragment is seen here. */
const ABSOLUTE = /^https?:\/\/[A-Za-z0-9._:[\]-]+(?:[/?]|$)/i;
const SLASH = 0x2f;

/** Tokens that need no test. All others are tested, and answered 405 later by the gate. */
const COMMON_METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
]);

/** Why the method is not served, or undefined. */
export function methodFault(method: string): HeadFault | undefined {
  if (COMMON_METHODS.has(method)) return undefined;
  if (!isToken(method)) return FAULTS.method;
  return method === "CONNECT" || method === "TRACE" ? FAULTS.methodRefused : undefined;
}

/** Why the target is none, or undefined. */
export function targetFault(
  method: string,
  target: string,
  limits: HeadLimits,
): HeadFault | undefined {
  if (target.length > limits.maxTargetBytes) return FAULTS.targetLength;
  if (!TARGET.test(target)) return FAULTS.target;
  if (target.charCodeAt(0) === SLASH || ABSOLUTE.test(target)) return undefined;
  return target === "*" && method === "OPTIONS" ? undefined : FAULTS.targetForm;
}
