/**
 * The metrics of several processes as one: counters and histograms are added, gauges too (open
 * connections, memory), save those of which only the worst or first says anything.
 */
import type { ExemplarText, FamilyText, SeriesText } from "./exposition.ts";

/** Gauges of which the smallest counts. */
export const LEAST_OF_WORKERS: ReadonlySet<string> = new Set([
  "process_start_time_seconds",
  // What is, not how much of it.
  "sallyport_api_keys",
  "sallyport_build_info",
  "sallyport_config_info",
  "sallyport_key_set_keys",
  "sallyport_revocations",
  "sallyport_route_info",
  "sallyport_shared_memory_connected",
  "sallyport_audit_free_bytes",
  "sallyport_audit_writable",
  // Times: added up they say nothing.
  "sallyport_key_set_loaded_timestamp_seconds",
  "sallyport_egress_key_seconds",
  "sallyport_tls_certificate_not_after_seconds",
  "sallyport_trust_bundle_loaded_timestamp_seconds",
  "sallyport_workload_api_current",
  "sallyport_workload_api_updated_timestamp_seconds",
  "sallyport_workload_svid_not_after_seconds",
]);

/** The sum, family by family in the order in which they first appear. */
export function sumFamilies(lists: readonly (readonly FamilyText[])[]): FamilyText[] {
  const families = new Map<string, { family: FamilyText; series: Map<string, SeriesText> }>();
  for (const family of lists.flat()) {
    const found = families.get(family.name);
    const target = found ?? { family, series: new Map<string, SeriesText>() };
    if (found === undefined) families.set(family.name, target);
    // Processes of two versions may disagree on what a family is: the first one counts.
    else if (found.family.type !== family.type || !sameShape(found.family, family)) continue;
    for (const series of family.series)
      add(target.series, series, LEAST_OF_WORKERS.has(family.name));
  }
  return [...families.values()].map(({ family, series }) => ({
    ...family,
    series: [...series.values()],
  }));
}

/** What goes on counting once its process has ended: not what it had open. */
export function onlyCounts(families: readonly FamilyText[]): FamilyText[] {
  return families.filter(({ type }) => type !== "gauge");
}

function sameShape(one: FamilyText, other: FamilyText): boolean {
  const shape = ({ labels, buckets }: FamilyText): string => JSON.stringify([labels, buckets]);
  return shape(one) === shape(other);
}

function add(all: Map<string, SeriesText>, one: SeriesText, smallest: boolean): void {
  const key = one.labelValues.join("\0");
  const known = all.get(key);
  if (known === undefined) {
    all.set(key, one);
    return;
  }
  const value = sum(known.value, one.value, smallest);
  const exemplars = newest(known.exemplars ?? [], one.exemplars ?? []);
  const { labelValues } = known;
  all.set(key, { labelValues, value, ...(exemplars.length > 0 && { exemplars }) });
}

/** Ids of decisions sort by time: the larger one is the later one. */
function newest(some: readonly ExemplarText[], others: readonly ExemplarText[]): ExemplarText[] {
  const byBucket = new Map<number, ExemplarText>();
  for (const one of [...some, ...others]) {
    const known = byBucket.get(one.bucket);
    if (known === undefined || one.decision > known.decision) byBucket.set(one.bucket, one);
  }
  return [...byBucket.values()];
}

function sum(
  one: SeriesText["value"],
  other: SeriesText["value"],
  smallest: boolean,
): SeriesText["value"] {
  if (typeof one === "number" || typeof other === "number") {
    const [a, b] = [Number(one), Number(other)];
    return smallest ? Math.min(a, b) : a + b;
  }
  const counts = one.counts.map((count, index) => count + (other.counts[index] ?? 0));
  return { counts, sum: one.sum + other.sum };
}
