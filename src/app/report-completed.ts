/**
 * What becomes known of a permitted request when it has ended: a figure, and where it was not the
 * caller's doing a line in the log that says more than the reason does. The log bounds its rate.
 */
import type { HandlerDeps } from "../proxy/handler.ts";
import type { Log } from "../model/ports.ts";
import { reasonInfo } from "../model/reason.ts";
import type { RequestMetrics } from "../telemetry/request-metrics.ts";

export function reportCompleted(requests: RequestMetrics, log: Log): HandlerDeps["completed"] {
  return (route, outcome, decisionId) => {
    requests.completed(route, outcome, decisionId);
    const { end, upstream, status, grpcStatus, detail } = outcome;
    if (end === "complete" || reasonInfo(end).fault === "caller") return;
    log.warn("a request was not completed", {
      route,
      upstream: upstream ?? "none",
      reason: end,
      detail: detail ?? "none",
      status,
      grpcStatus,
      decision: decisionId,
    });
  };
}
