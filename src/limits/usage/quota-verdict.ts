/**
 * Whether one more request fits into a quota, and the fields of the answer that say so
 * (draft-ietf-httpapi-ratelimit-headers, as for rates).
 */
import { rateItem, ratePolicyItem, seconds } from "../limit-fields.ts";
import type { Admission } from "../route-limits.ts";
import type { QuotaUse } from "../../model/quota-steps.ts";
import type { Tally } from "./tally.ts";
import type { QuotaOptions } from "./usage-options.ts";
import { COST_SCALE } from "./usage-lines.ts";

export interface QuotaVerdict {
  /** What is used up. Undefined: it fits. */
  readonly refused: QuotaPart | undefined;
  readonly policy: string;
  readonly left: string;
  /** Until the period ends; at least 1. */
  readonly retryAfterSeconds: number;
}

export type QuotaPart = "requests" | "bytes" | "cost";

/** Names of the parts in the fields. */
const NAMES = { requests: "quota", bytes: "quota-bytes", cost: "quota-cost" } as const;
const PARTS = ["requests", "bytes", "cost"] as const;

/** `cost`: of the request, in thousandths. */
export function quotaVerdict(
  quota: QuotaOptions,
  tally: Tally,
  { cost, nowMs }: { readonly cost: number; readonly nowMs: number },
): QuotaVerdict {
  const refused = PARTS.find((part) => !fits(quota, tally, { part, cost }));
  const after: QuotaUse = refused === undefined ? withRequest(tally, cost) : tally;
  const endsInMs = Math.max(0, tally.end - nowMs);
  const left: string[] = [];
  for (const part of PARTS) {
    const most = quota[part];
    if (most === undefined) continue;
    const used = part === "cost" ? after.cost / COST_SCALE : after[part];
    left.push(rateItem(NAMES[part], Math.max(0, Math.floor(most - used)), endsInMs));
  }
  const retryAfterSeconds = Math.max(1, seconds(endsInMs));
  const policy = policyOf(quota, tally.end - tally.start);
  return { refused, policy, left: left.join(", "), retryAfterSeconds };
}

/** The same for all requests of a plan, until a month has another number of days. */
function policyOf(quota: QuotaOptions, windowMs: number): string {
  const known = POLICIES.get(quota);
  if (known?.windowMs === windowMs) return known.text;
  const items = PARTS.flatMap((part) => {
    const most = quota[part];
    return most === undefined ? [] : [ratePolicyItem(NAMES[part], most, windowMs)];
  });
  const text = items.join(", ");
  POLICIES.set(quota, { windowMs, text });
  return text;
}

const POLICIES = new WeakMap<QuotaOptions, { readonly windowMs: number; readonly text: string }>();

/** With what the limits of the route said; undefined where it has none. */
export function withQuota(admission: Admission | undefined, verdict: QuotaVerdict): Admission {
  const { refused, policy, left } = verdict;
  if (admission !== undefined) {
    const [, policies = "", , items] = admission.fields;
    const fields = ["ratelimit-policy", `${policies}, ${policy}`];
    fields.push("ratelimit", items === undefined ? left : `${items}, ${left}`);
    return { ...admission, fields };
  }
  return {
    reason: refused === undefined ? undefined : "quota-exceeded",
    limit: refused === undefined ? undefined : NAMES[refused],
    retryAfterSeconds: refused === undefined ? 0 : verdict.retryAfterSeconds,
    fields: ["ratelimit-policy", policy, "ratelimit", left],
    release: () => undefined,
  };
}

/** Bytes are known when a request has ended, so it is let through while any are left. */
function fits(
  quota: QuotaOptions,
  used: QuotaUse,
  { part, cost }: { readonly part: QuotaPart; readonly cost: number },
): boolean {
  const most = quota[part];
  if (most === undefined) return true;
  if (part === "requests") return used.requests + 1 <= most;
  if (part === "bytes") return used.bytes < most;
  // What costs nothing is let through, however much is used.
  return cost === 0 || used.cost + cost <= most * COST_SCALE;
}

function withRequest({ requests, bytes, cost }: QuotaUse, more: number): QuotaUse {
  return { requests: requests + 1, bytes, cost: cost + more };
}
