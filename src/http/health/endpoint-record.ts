/**
 * What is known of an endpoint's health. Apart from the endpoint, so that a reload can hand it on:
 * an endpoint that was out before is not back because somebody changed a timeout.
 */
export interface EndpointRecord {
  health: "unknown" | "healthy" | "unhealthy";
  /** Checks in a row that speak against `health`. */
  against: number;
  /** Failed requests in a row. */
  failures: number;
  ejected: boolean;
  /** Monotonic milliseconds. */
  ejectedUntil: number;
  /** How often it was put out, less the quiet times since. */
  ejections: number;
}

export function newRecord(): EndpointRecord {
  return {
    health: "unknown",
    against: 0,
    failures: 0,
    ejected: false,
    ejectedUntil: 0,
    ejections: 0,
  };
}

/** Unknown counts as in order: a service must not be refused for want of a first check. */
export function isFit({ health, ejected }: EndpointRecord): boolean {
  return health !== "unhealthy" && !ejected;
}
