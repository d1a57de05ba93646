/** What operators see of the tree. */
import type { Counter, Metrics } from "../../model/ports.ts";

export interface TreeFigures {
  readonly failures: Counter;
}

export function registerTreeFigures(
  metrics: Metrics,
  read: { size: () => number; unsealed: () => number; ageSeconds: () => number },
): TreeFigures {
  metrics.sampled(
    "sallyport_audit_tree_size",
    "Records that a signed checkpoint of the audit log covers.",
    read.size,
  );
  metrics.sampled(
    "sallyport_audit_unsealed_records",
    "Records that were read back and wait for their checkpoint.",
    read.unsealed,
  );
  metrics.sampled(
    "sallyport_audit_checkpoint_age_seconds",
    "Seconds since the last checkpoint of the audit log; it grows while nothing is recorded.",
    read.ageSeconds,
  );
  const failures = metrics
    .counter("sallyport_audit_checkpoint_failures", "Checkpoints that could not be made in time.")
    .with();
  return { failures };
}
