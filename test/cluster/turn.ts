/**
 * Clusters of real processes take minutes, and what they show does not hang on the runtime: each file runs
 * on one of the two, and on both with SALLYPORT_CLUSTER=both.
 */
import type { TestOptions } from "node:test";

const TIMEOUT_MS = 300_000;

export function turnOf(runtime: "bun" | "node"): TestOptions {
  const here = process.versions["bun"] === undefined ? "node" : "bun";
  const both = process.env["SALLYPORT_CLUSTER"] === "both";
  if (both || here === runtime) return { timeout: TIMEOUT_MS };
  return { timeout: TIMEOUT_MS, skip: `runs on ${runtime}; on both with SALLYPORT_CLUSTER=both` };
}
