/**
 * The fields that go to the service, and those that come back. Drop what is hop-by-hop, strip every name in which
 * we speak and whatever the caller offers as a credential, then set; the key itself is set last, each time that
 * the request is written.
 */
import type { Permit } from "../gate/decision.ts";
import type { Fields } from "../model/http.ts";
import { spansOf, traceparentOf } from "../telemetry/traces/request-trace.ts";
import { getField, HOP_BY_HOP, isEndToEndName } from "../wire/fields.ts";
import { isIdentityName } from "../wire/identity-fields.ts";

/** Written anew, or the caller's to leave to us. `proxy-…` are hop-by-hop. */
const OURS: ReadonlySet<string> = new Set([
  "host",
  "x-request-id",
  "authorization",
  "dpop",
  "traceparent",
  "tracestate",
]);

/** `host`: as the service's ingress is known. */
export function requestFields(
  { request, requestId, trace }: Permit,
  { host, newTraceparent }: { readonly host: string; readonly newTraceparent: () => string },
): string[] {
  const { fields, connectionOptions } = request.head;
  const result = ["host", host];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (OURS.has(name) || HOP_BY_HOP.has(name) || isIdentityName(name)) continue;
    if (connectionOptions?.includes(name) === true && !isEndToEndName(name)) continue;
    result.push(name, fields[index + 1] as string);
  }
  // Of a trace that is recorded each attempt has its own, which is written with it.
  if (spansOf(trace) === undefined) {
    result.push("traceparent", traceparentOf(trace) ?? newTraceparent());
  }
  const dropped = connectionOptions?.includes("tracestate") === true;
  if (typeof trace === "object" && trace.tracestate !== undefined && !dropped) {
    result.push("tracestate", trace.tracestate);
  }
  result.push("x-request-id", requestId);
  return result;
}

/** Under which the caller sees the decision of the service's own ingress, beside ours. */
const THEIR_DECISION = "sallyport-service-decision";
const OUR_DECISION = "sallyport-decision";

/** What the caller gets of the service's answer. Nonces are between the service and us. */
export function responseFields(fields: Fields, decisionId: string): string[] {
  const result: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (name !== "dpop-nonce" && !isIdentityName(name)) {
      result.push(name, fields[index + 1] as string);
    }
  }
  result.push(OUR_DECISION, decisionId);
  const theirs = getField(fields, OUR_DECISION);
  if (theirs !== undefined) result.push(THEIR_DECISION, theirs);
  return result;
}
