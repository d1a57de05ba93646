/**
 * The deadline of a gRPC call (`grpc-timeout`): what is left of it bounds the exchange with the service,
 * and is what the service is told. One that cannot be read is refused, since the service would work on
 * when nobody waits any more.
 */
import type { Exchange } from "../http/exchange.ts";
import type { Permit } from "../gate/decision.ts";
import type { Clock } from "../model/ports.ts";
import { formatGrpcTimeout, grpcTimeout } from "../wire/grpc/timeout.ts";
import type { Unsent } from "./unsent.ts";

const LIMITS = {
  /** Deciding takes microseconds unless a key has to be fetched: below this the caller's own text goes on. */
  unnoticedMs: 1,
} as const;

const INVALID: Unsent = Object.freeze({
  reason: "invalid-deadline",
  detail: "grpc-timeout is not one number of at most eight digits with a unit",
});
const PASSED: Unsent = Object.freeze({
  reason: "deadline-exceeded",
  detail: "the deadline passed before the call was sent",
});

/**
 * The milliseconds that the caller gives the call, from its head on; undefined where it gives none.
 * `fields` are what the service gets: the caller's own `grpc-timeout` among them becomes what is left. A
 * value that the route sets in its place stays.
 */
export function passDeadline(
  fields: string[],
  given: { readonly permit: Permit; readonly exchange: Exchange; readonly clock: Clock },
): number | undefined | Unsent {
  const { permit, exchange, clock } = given;
  const deadlineMs = grpcTimeout(permit.request.head.fields);
  if (deadlineMs === null) return INVALID;
  if (deadlineMs === Number.POSITIVE_INFINITY) return undefined;
  const spentMs = clock.monotonic() - exchange.receivedAt;
  const leftMs = deadlineMs - spentMs;
  if (leftMs <= 0) return PASSED;
  if (spentMs >= LIMITS.unnoticedMs) replaceTimeout(fields, deadlineMs, leftMs);
  return deadlineMs;
}

function replaceTimeout(fields: string[], deadlineMs: number, leftMs: number): void {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] !== "grpc-timeout") continue;
    if (grpcTimeout(fields.slice(index, index + 2)) !== deadlineMs) continue;
    fields[index + 1] = formatGrpcTimeout(leftMs);
  }
}
