/** What operators see of the signing keys. */
import type { Metrics, Sample } from "../model/ports.ts";
import { KEY_USES, type KeyUse } from "../model/signing.ts";
import type { KeyCause } from "./key-record.ts";

export interface KeyFigures {
  keys(): readonly { readonly use: KeyUse; readonly state: string }[];
  secondsToRotation(use: KeyUse): number | undefined;
}

export function registerKeyMetrics(metrics: Metrics, figures: KeyFigures) {
  metrics.sampledEach("sallyport_signing_keys", "Signing keys that are published.", {
    labels: ["use", "state"],
    read: () => counts(figures.keys()),
  });
  metrics.sampledEach(
    "sallyport_signing_key_rotation_due_seconds",
    "Until the successor of the key in use is to sign; below zero it is late.",
    {
      labels: ["use"],
      read: () =>
        KEY_USES.flatMap((use) => {
          const value = figures.secondsToRotation(use);
          return value === undefined ? [] : [{ labels: [use], value }];
        }),
    },
  );
  const seen = metrics.counter(
    "sallyport_signing_keys_seen_total",
    "Signing keys that were made while this process ran, by any replica, and why.",
    ["use", "because"],
  );
  const failures = metrics.counter(
    "sallyport_signing_key_failures_total",
    "Times that keys could not be kept as scheduled, or that there was none to sign with.",
    ["reason"],
  );
  return {
    seen: (use: KeyUse, because: KeyCause): void => seen.with(use, because).inc(),
    failed: (reason: string): void => failures.with(reason).inc(),
  };
}

function counts(keys: ReturnType<KeyFigures["keys"]>): Sample[] {
  const states = ["upcoming", "active", "retired"];
  return KEY_USES.flatMap((use) =>
    states.map((state) => ({
      labels: [use, state],
      value: keys.filter((key) => key.use === use && key.state === state).length,
    })),
  );
}
