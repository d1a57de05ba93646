/** A dashboard as it is written here: rows of panels, from which Grafana's JSON and the pictures in docs/ are made. */

export interface Dashboard {
  /** Of the file, and in Grafana's addresses. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Grafana's names of units. */
export type Unit =
  | "reqps"
  | "ops"
  | "s"
  | "percentunit"
  | "bytes"
  | "Bps"
  | "short"
  | "none"
  | "cps";

export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly kind: "timeseries" | "stat" | "table";
  readonly unit: Unit;
  /** Of 24 columns. */
  readonly width: number;
  readonly queries: readonly Query[];
  /** Stacked areas: parts of a whole. */
  readonly stacked?: boolean;
  /** From where on a stat is amber and red; falling where red is the smaller. */
  readonly thresholds?: readonly [amber: number, red: number];
  /** What a stat shows in the place of a number. */
  readonly says?: Readonly<Record<number, string>>;
  /** What it takes to have data, where not every proxy has it. Operators read it behind the description. */
  readonly needs?: string;
}

export interface Query {
  readonly expr: string;
  /** `{{label}}` is filled in. */
  readonly legend: string;
}

/** Which processes a dashboard is about. */
export const PICKED = 'job=~"$job",instance=~"$instance"';

/** `name{picked,more}`. */
export function of(name: string, more = ""): string {
  return `${name}{${PICKED}${more && `,${more}`}}`;
}

export function rate(name: string, more = ""): string {
  return `rate(${of(name, more)}[$__rate_interval])`;
}

/** Summed up by labels. */
export function rateBy(by: string, name: string, more = ""): string {
  return `sum by (${by}) (${rate(name, more)})`;
}

export function quantile(share: number, name: string, by = "", more = ""): string {
  const labels = by === "" ? "le" : `le, ${by}`;
  return `histogram_quantile(${share}, sum by (${labels}) (${rate(`${name}_bucket`, more)}))`;
}

type Rest = Pick<Panel, "unit"> &
  Partial<Pick<Panel, "width" | "stacked" | "needs" | "thresholds" | "says">>;
type Asked = readonly (readonly [expr: string, legend: string])[];

export function series(title: string, description: string, queries: Asked, rest: Rest): Panel {
  return panel("timeseries", { title, description, queries, rest: { width: 8, ...rest } });
}

export function stat(title: string, description: string, expr: string, rest: Rest): Panel {
  return panel("stat", { title, description, queries: [[expr, ""]], rest: { width: 4, ...rest } });
}

export function table(title: string, description: string, expr: string, rest: Rest): Panel {
  return panel("table", { title, description, queries: [[expr, ""]], rest: { width: 8, ...rest } });
}

function panel(
  kind: Panel["kind"],
  given: {
    readonly title: string;
    readonly description: string;
    readonly queries: Asked;
    readonly rest: Rest & { readonly width: number };
  },
): Panel {
  const { title, description, queries, rest } = given;
  const asked = queries.map(([expr, legend]) => ({ expr, legend }));
  return { kind, title, description, queries: asked, ...rest };
}
