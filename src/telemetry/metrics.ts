/**
 * Counters, gauges and histograms with pre-bound handles, and their text.
 *
 * Counting is one addition into a number array; everything that costs (names, labels, text) happens
 * when a handle is bound or when somebody scrapes. It refuses names and labels that OpenMetrics does
 * not allow (TypeError: a programmer's mistake), and bounds how many series a family can have, so
 * that nothing that a caller sends can grow it.
 *
 * What is counted for a decision keeps the id of the last one: a reference is put into an array, no text
 * is made. It is shown as an exemplar where OpenMetrics is asked for.
 *
 * Families are named as OpenMetrics 1.0 names them, a counter without `_total`; one that is given
 * with it loses it.
 */
import type { Counter, Family, Gauge, Histogram, Metrics, Sample } from "../model/ports.ts";
import { OPENMETRICS_TYPE, PROMETHEUS_TYPE, prefersOpenMetrics } from "./exposition-format.ts";
import {
  type ExemplarText,
  type FamilyText,
  renderFamilies,
  type SeriesText,
} from "./exposition.ts";

const LIMITS = {
  /**
   * Series of one family; those beyond share one whose label values are all `other`. 10 000 routes
   * with a handful of outcomes each fit; what does not fit costs memory here and in every scraper.
   */
  series: 50_000,
  /** Series of a histogram, each of which is as many lines as it has buckets. */
  histogramSeries: 5000,
  /** Numbers of one array. Arrays never move, so that a handle is an array and an index. */
  slab: 1024,
} as const;

const NAME = /^[a-z][a-z0-9_]*$/;

/** Label values of the series that stands for all beyond the limit. */
const OTHER = "other";

export interface RunningMetrics extends Metrics {
  /** A gauge that is always 1 and says something by its one label, read when it is scraped. */
  info(name: string, help: string, label: string, read: () => string): void;
  /** Everything as values, to be added to those of other processes. */
  families(): FamilyText[];
  /** The text of everything, in the format that the `Accept` field asks for (OpenMetrics where it is named). */
  render(accept?: string): { readonly contentType: string; readonly body: string };
}

export interface MetricsOptions {
  /** Series of one family; for tests. */
  readonly maxSeries?: number;
}

/** An empty set of metrics. */
export function createMetrics(options: MetricsOptions = {}): RunningMetrics {
  const families = new Map<string, Registered>();
  const slots = createSlots();
  const overflow = (name: string): void => overflows.with(name).inc();

  function family<T>(spec: FamilySpec, make: () => Bound<T>): Family<T> {
    const known = families.get(spec.name);
    if (known !== undefined) return sameFamily<T>(known, spec);
    const limit =
      options.maxSeries ?? (spec.type === "histogram" ? LIMITS.histogramSeries : LIMITS.series);
    const made = new LabelledFamily<T>({ spec, make, limit, overflow });
    families.set(spec.name, { spec, family: made, text: () => made.text() });
    return made;
  }

  const metrics: RunningMetrics = {
    counter(name, help, labels = []) {
      const spec = checkSpec({ name: name.replace(/_total$/, ""), help, labels, type: "counter" });
      return family<Counter>(spec, () => counterOf(slots()));
    },
    gauge(name, help, labels = []) {
      return family<Gauge>(checkSpec({ name, help, labels, type: "gauge" }), () =>
        gaugeOf(slots()),
      );
    },
    histogram(name, help, { buckets, labels = [] }) {
      const spec = checkSpec({ name, help, labels, type: "histogram", buckets });
      return family<Histogram>(spec, () => histogramOf(buckets));
    },
    sampled(name, help, read) {
      const spec = checkSpec({ name, help, labels: [], type: "gauge" });
      // The newest reader counts: after a reload the old one reads what is no longer there.
      families.set(spec.name, { spec, family: undefined, text: () => sampledText(spec, read) });
    },
    info(name, help, label, read) {
      const spec = checkSpec({ name, help, labels: [label], type: "gauge" });
      const series = (): SeriesText[] => [{ labelValues: [read()], value: 1 }];
      const text = (): FamilyText => ({ ...spec, buckets: [], series: series() });
      families.set(spec.name, { spec, family: undefined, text });
    },
    sampledEach(name, help, { labels, read }) {
      const spec = checkSpec({ name, help, labels, type: "gauge" });
      families.set(spec.name, { spec, family: undefined, text: () => samplesText(spec, read) });
    },
    families: () => [...families.values()].map((entry) => entry.text()),
    render: (accept) => renderMetrics(metrics.families(), accept),
  };
  const overflows = metrics.counter(
    "sallyport_metrics_overflow",
    "Label values that were counted as `other` because the family had reached its limit.",
    ["metric"],
  );
  return metrics;
}

/** The text of families, sorted by name, in the format that the `Accept` field asks for. */
export function renderMetrics(
  families: readonly FamilyText[],
  accept: string | undefined,
): { readonly contentType: string; readonly body: string } {
  const open = prefersOpenMetrics(accept);
  const sorted = families.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    contentType: open ? OPENMETRICS_TYPE : PROMETHEUS_TYPE,
    body: renderFamilies(sorted, open),
  };
}

interface FamilySpec {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly type: "counter" | "gauge" | "histogram";
  readonly buckets?: readonly number[];
}

interface Registered {
  readonly spec: FamilySpec;
  /** Undefined for a gauge that is read when it is scraped. */
  readonly family: unknown;
  readonly text: () => FamilyText;
}

/** A number that can be added to, without an allocation. */
interface Slot {
  readonly array: Float64Array;
  readonly decisions: (string | undefined)[];
  readonly index: number;
}

interface Bound<T> {
  readonly handle: T;
  readonly read: () => SeriesText["value"];
  readonly exemplars?: () => readonly ExemplarText[];
}

function checkSpec(spec: FamilySpec): FamilySpec {
  if (!NAME.test(spec.name)) throw new TypeError(`not a metric name: ${spec.name}`);
  for (const label of spec.labels) {
    if (!NAME.test(label) || label === "le") throw new TypeError(`not a label: ${label}`);
  }
  const buckets = spec.buckets ?? [];
  const rising = buckets.every(
    (bound, index) => Number.isFinite(bound) && bound > (buckets[index - 1] ?? -Infinity),
  );
  if (!rising || (spec.type === "histogram" && buckets.length === 0)) {
    throw new TypeError(`buckets of ${spec.name}: finite bounds, each larger than the one before`);
  }
  return spec;
}

function sameFamily<T>(known: Registered, spec: FamilySpec): Family<T> {
  const same = (a: FamilySpec): string => JSON.stringify([a.type, a.labels, a.buckets ?? []]);
  if (known.family === undefined || same(known.spec) !== same(spec)) {
    throw new TypeError(`${spec.name} is already registered as something else`);
  }
  return known.family as Family<T>;
}

class LabelledFamily<T> implements Family<T> {
  readonly #spec: FamilySpec;
  readonly #make: () => Bound<T>;
  readonly #limit: number;
  readonly #overflow: (name: string) => void;
  readonly #series = new Map<string, Bound<T> & { readonly labelValues: readonly string[] }>();

  constructor(parts: {
    readonly spec: FamilySpec;
    readonly make: () => Bound<T>;
    readonly limit: number;
    readonly overflow: (name: string) => void;
  }) {
    this.#spec = parts.spec;
    this.#make = parts.make;
    this.#limit = parts.limit;
    this.#overflow = parts.overflow;
    // A family without labels has its one series from the start, so that it is seen at 0.
    if (parts.spec.labels.length === 0) this.with();
  }

  with(...labelValues: string[]): T {
    if (labelValues.length !== this.#spec.labels.length) {
      throw new TypeError(`${this.#spec.name} has ${this.#spec.labels.length} labels`);
    }
    const key = labelValues.join("\0");
    const found = this.#series.get(key);
    if (found !== undefined) return found.handle;
    const others = labelValues.map(() => OTHER);
    const isOther = key === others.join("\0");
    if (this.#series.size >= this.#limit && !isOther) {
      this.#overflow(this.#spec.name);
      return this.with(...others);
    }
    const bound = this.#make();
    this.#series.set(key, { ...bound, labelValues });
    return bound.handle;
  }

  text(): FamilyText {
    const { name, help, type, labels, buckets } = this.#spec;
    const series = [...this.#series.values()].map(({ labelValues, read, exemplars }) => {
      const found = exemplars?.() ?? [];
      return { labelValues, value: read(), ...(found.length > 0 && { exemplars: found }) };
    });
    return { name, help, type, labels, buckets: buckets ?? [], series };
  }
}

function sampledText(spec: FamilySpec, read: () => number): FamilyText {
  return { ...spec, buckets: [], series: [{ labelValues: [], value: read() }] };
}

function samplesText(spec: FamilySpec, read: () => Iterable<Sample>): FamilyText {
  const series = [...read()].map(({ labels, value }) => ({ labelValues: labels, value }));
  return { ...spec, buckets: [], series };
}

function counterOf({ array, decisions, index }: Slot): Bound<Counter> {
  return {
    handle: {
      inc(by = 1, decision) {
        // A counter that goes down reads as a restart.
        if (!(by >= 0)) throw new TypeError("a counter only grows");
        array[index] = (array[index] ?? 0) + by;
        if (decision !== undefined) decisions[index] = decision;
      },
    },
    read: () => array[index] ?? 0,
    exemplars() {
      const decision = decisions[index];
      return decision === undefined ? [] : [{ bucket: 0, decision, value: 1 }];
    },
  };
}

function gaugeOf({ array, index }: Slot): Bound<Gauge> {
  return {
    handle: {
      set(value) {
        array[index] = value;
      },
      add(by) {
        array[index] = (array[index] ?? 0) + by;
      },
    },
    read: () => array[index] ?? 0,
  };
}

/** Counts per bucket (not yet summed up), then the sum: one array of its own. */
function histogramOf(buckets: readonly number[]): Bound<Histogram> {
  const counts = new Float64Array(buckets.length + 1);
  const bounds = Float64Array.from(buckets);
  /** Of the last decision in each bucket, and how much it was. */
  const decisions: (string | undefined)[] = Array.from({ length: counts.length });
  const values = new Float64Array(counts.length);
  let sum = 0;
  return {
    handle: {
      observe(value, decision) {
        let index = 0;
        while (index < bounds.length && value > (bounds[index] ?? 0)) index++;
        counts[index] = (counts[index] ?? 0) + 1;
        sum += value;
        if (decision === undefined) return;
        decisions[index] = decision;
        values[index] = value;
      },
    },
    read: () => ({ counts: [...counts], sum }),
    exemplars: () =>
      decisions.flatMap((decision, bucket) =>
        decision === undefined ? [] : [{ bucket, decision, value: values[bucket] ?? 0 }],
      ),
  };
}

function createSlots(): () => Slot {
  const fresh = (): Omit<Slot, "index"> => ({
    array: new Float64Array(LIMITS.slab),
    decisions: Array.from({ length: LIMITS.slab }),
  });
  let slab = fresh();
  let next = 0;
  return () => {
    if (next === LIMITS.slab) {
      slab = fresh();
      next = 0;
    }
    return { ...slab, index: next++ };
  };
}
