/**
 * Counts what the limits of a listener refused or cut off, by the name of the limit as the
 * configuration has it.
 */
import type { Metrics } from "../model/ports.ts";
import { HTTP2_LIMITS } from "./http2/floods.ts";

/** `headBytes` stands for `headFields` too. What begins with `http2` is explained in http2/floods.ts. */
export const LISTENER_LIMITS = [
  "connections",
  "connectionsPerAddress",
  "proxyProtocol",
  "headBytes",
  "targetBytes",
  "headTimeout",
  "bodyBytes",
  "bodyTimeout",
  "readTimeout",
  ...HTTP2_LIMITS,
] as const;

export type ListenerLimit = (typeof LISTENER_LIMITS)[number];

/** Counts one. */
export type LimitHit = (limit: ListenerLimit) => void;

/** Each counter is there from the start, so that it is seen at 0. */
export function createLimitHits(metrics: Metrics | undefined, listener: string): LimitHit {
  if (metrics === undefined) return () => undefined;
  const family = metrics.counter(
    "sallyport_listener_limits",
    "What a limit of a listener refused or cut off.",
    ["listener", "limit"],
  );
  const counters = new Map(LISTENER_LIMITS.map((limit) => [limit, family.with(listener, limit)]));
  return (limit) => counters.get(limit)?.inc();
}
