/** A dashboard as Grafana imports it. No id of a data source is in it: a variable asks for one. */
import { type Dashboard, type Panel, PICKED } from "./dashboard.ts";
import { layout, type Placed } from "./dashboard-layout.ts";

/** Of Grafana 12; older ones that Grafana still supports read it too. */
const SCHEMA_VERSION = 41;

const SOURCE = { type: "prometheus", uid: "${datasource}" };

export function grafanaFile(dashboard: Dashboard): string {
  const { name, title, description } = dashboard;
  const model = {
    id: null,
    uid: `sallyport-${name}`,
    title,
    description,
    tags: ["sallyport"],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "",
    annotations: { list: [] },
    links: [
      {
        type: "dashboards",
        title: "Sallyport",
        tags: ["sallyport"],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    templating: { list: variables() },
    panels: layout(dashboard).map(panelOf),
  };
  return `${JSON.stringify(model, null, 2)}\n`;
}

export const VARIABLES: readonly (readonly [name: string, query: string])[] = [
  ["job", "label_values(sallyport_build_info, job)"],
  ["instance", 'label_values(sallyport_build_info{job=~"$job"}, instance)'],
  ["service", `label_values(sallyport_upstream_endpoints{${PICKED}}, service)`],
  ["route", `label_values(sallyport_route_info{${PICKED}}, route)`],
];

function variables(): readonly object[] {
  const source = {
    name: "datasource",
    label: "Data source",
    type: "datasource",
    query: "prometheus",
    current: {},
    hide: 0,
  };
  const asked = VARIABLES.map(([name, query]) => ({
    name,
    label: name,
    type: "query",
    datasource: SOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: { text: ["All"], value: ["$__all"] },
    hide: 0,
  }));
  return [source, ...asked];
}

function panelOf({ heading, panel, place }: Placed, index: number): object {
  const common = { id: index + 1, gridPos: place };
  if (panel === undefined) {
    return { ...common, type: "row", title: heading?.title, collapsed: false, panels: [] };
  }
  const { kind, title, description, queries, needs } = panel;
  return {
    ...common,
    type: kind,
    title,
    description: needs === undefined ? description : `${description} No data without ${needs}.`,
    datasource: SOURCE,
    fieldConfig: fieldConfig(panel),
    options: OPTIONS[kind],
    targets: queries.map(({ expr, legend }, at) => ({
      refId: String.fromCodePoint(65 + at),
      datasource: SOURCE,
      expr,
      legendFormat: legend === "" ? "__auto" : legend,
      range: kind === "timeseries",
      instant: kind !== "timeseries",
      exemplar: kind === "timeseries" && expr.includes("_bucket"),
      ...(kind === "table" && { format: "table" }),
    })),
  };
}

const OPTIONS: Readonly<Record<Panel["kind"], object>> = {
  timeseries: {
    legend: { displayMode: "list", placement: "bottom", showLegend: true, calcs: [] },
    tooltip: { mode: "multi", sort: "desc" },
  },
  stat: {
    colorMode: "value",
    graphMode: "area",
    textMode: "value",
    reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
  },
  table: { showHeader: true, footer: { show: false } },
};

function fieldConfig({ kind, unit, stacked = false, thresholds, says }: Panel): object {
  const custom =
    kind === "timeseries"
      ? {
          drawStyle: "line",
          lineWidth: 1,
          fillOpacity: stacked ? 40 : 8,
          showPoints: "never",
          stacking: { mode: stacked ? "normal" : "none", group: "A" },
        }
      : {};
  return {
    defaults: {
      unit,
      min: 0,
      custom,
      ...(says !== undefined && { mappings: mappingsOf(says) }),
      thresholds: { mode: "absolute", steps: stepsOf(thresholds) },
    },
    overrides: [],
  };
}

function mappingsOf(says: NonNullable<Panel["says"]>): readonly object[] {
  const texts = Object.entries(says).map(([value, text]) => [value, { text }] as const);
  return [{ type: "value", options: Object.fromEntries(texts) }];
}

/** Rising: amber, then red. Falling: red below the second, amber below the first. */
function stepsOf(thresholds: Panel["thresholds"]): readonly object[] {
  if (thresholds === undefined) return [{ color: "blue", value: null }];
  const [amber, red] = thresholds;
  if (amber > red) {
    return [
      { color: "red", value: null },
      { color: "orange", value: red },
      { color: "green", value: amber },
    ];
  }
  return [
    { color: "green", value: null },
    { color: "orange", value: amber },
    ...(red > amber ? [{ color: "red", value: red }] : []),
  ];
}
