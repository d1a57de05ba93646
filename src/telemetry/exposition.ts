/**
 * The text of metrics: OpenMetrics 1.0 (`# TYPE`, `# UNIT`, `# HELP`, samples, `# EOF`) and the older
 * Prometheus format 0.0.4, which differs in the name of a counter's family and in what it leaves out:
 * units, the end, and exemplars.
 */

export interface FamilyText {
  /** A counter's without `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly buckets: readonly number[];
  readonly series: readonly SeriesText[];
}

export interface SeriesText {
  readonly labelValues: readonly string[];
  /** For a histogram: counts per bucket, the last one beyond all bounds, not summed up. */
  readonly value: number | { readonly counts: readonly number[]; readonly sum: number };
  /** Of the last decision that was counted, for each bucket that has one; a counter has bucket 0 only. */
  readonly exemplars?: readonly ExemplarText[];
}

export interface ExemplarText {
  readonly bucket: number;
  readonly decision: string;
  /** What was observed: it lies in the bucket. */
  readonly value: number;
}

/** Units that a name can end in; OpenMetrics wants them named. */
const UNITS: readonly string[] = ["seconds", "bytes", "ratio"];

export function renderFamilies(families: readonly FamilyText[], openMetrics: boolean): string {
  let text = "";
  for (const family of families) {
    if (family.series.length > 0) text += renderFamily(family, openMetrics);
  }
  return openMetrics ? `${text}# EOF\n` : text;
}

function renderFamily(family: FamilyText, openMetrics: boolean): string {
  const counterName = `${family.name}_total`;
  const name = family.type === "counter" && !openMetrics ? counterName : family.name;
  const unit = UNITS.find((candidate) => family.name.endsWith(`_${candidate}`));
  let text = `# TYPE ${name} ${family.type}\n`;
  if (openMetrics && unit !== undefined) text += `# UNIT ${name} ${unit}\n`;
  text += `# HELP ${name} ${escapeHelp(family.help, openMetrics)}\n`;
  for (const { labelValues, value, exemplars } of family.series) {
    const shown = openMetrics ? exemplars : undefined;
    const labels = family.labels.map((label, index) => pair(label, labelValues[index] ?? ""));
    if (typeof value === "number") {
      const sample = family.type === "counter" ? counterName : family.name;
      text += `${sample}${braces(labels)} ${float(value)}${exemplarOf(shown, 0)}\n`;
    } else {
      text += renderHistogram(family, labels, { ...value, exemplars: shown });
    }
  }
  return text;
}

function renderHistogram(
  family: FamilyText,
  labels: readonly string[],
  value: {
    readonly counts: readonly number[];
    readonly sum: number;
    readonly exemplars: readonly ExemplarText[] | undefined;
  },
): string {
  let text = "";
  let total = 0;
  for (const [index, count] of value.counts.entries()) {
    total += count;
    const bound = family.buckets[index];
    const le = pair("le", bound === undefined ? "+Inf" : floatBound(bound));
    const exemplar = exemplarOf(value.exemplars, index);
    text += `${family.name}_bucket${braces([...labels, le])} ${float(total)}${exemplar}\n`;
  }
  text += `${family.name}_sum${braces(labels)} ${float(value.sum)}\n`;
  return `${text}${family.name}_count${braces(labels)} ${float(total)}\n`;
}

/** OpenMetrics 1.0, Exemplars. Without a time: a scraper takes its own, and knows one that it has seen. */
function exemplarOf(exemplars: readonly ExemplarText[] | undefined, bucket: number): string {
  const found = exemplars?.find((one) => one.bucket === bucket);
  if (found === undefined) return "";
  return ` # {${pair("decision", found.decision)}} ${float(found.value)}`;
}

function pair(name: string, value: string): string {
  return `${name}="${escapeValue(value)}"`;
}

function braces(pairs: readonly string[]): string {
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeValue(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** Only OpenMetrics escapes quotation marks in HELP. */
function escapeHelp(text: string, openMetrics: boolean): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return openMetrics ? escaped.replaceAll('"', '\\"') : escaped;
}

function float(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

/** OpenMetrics: a bound is written as a float, `1.0` and not `1`, so that it is the same text everywhere. */
function floatBound(bound: number): string {
  return Number.isInteger(bound) && Math.abs(bound) < 1e15 ? `${bound}.0` : String(bound);
}
