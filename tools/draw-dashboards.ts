/**
 * `node tools/draw-dashboards.ts [SECONDS]`: docs/dashboards/*.svg. Starts a proxy under load and Debian's Prometheus
 * beside it, waits, asks what the dashboards ask, and draws the answers in Grafana's grid.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startGround } from "../test/monitoring/ground.ts";
import {
  type Answer,
  filledIn,
  missingPrometheus,
  type Prometheus,
  startPrometheus,
} from "../test/monitoring/prometheus.ts";
import type { Panel, Query } from "./deploy/dashboard.ts";
import { DASHBOARDS } from "./deploy/dashboards.ts";
import { drawDashboard, type PanelData } from "./draw/dashboard.ts";
import type { Line } from "./draw/series.ts";

const LIMITS = {
  /** Seconds of load: enough that rates over a quarter of a minute show their course. */
  seconds: 120,
  interval: 15,
  step: 2,
} as const;

const missing = missingPrometheus();
if (missing !== undefined) throw new Error(missing);
const seconds = Number(process.argv[2] ?? LIMITS.seconds);
const folder = fileURLToPath(new URL("../docs/dashboards/", import.meta.url));
mkdirSync(folder, { recursive: true });
const ends: (() => unknown)[] = [];
const context = { after: (end: () => unknown) => void ends.push(end) } as unknown as Parameters<
  typeof startGround
>[0];
try {
  const ground = await startGround(context);
  const targets = ground.processes.map(({ admin }) => admin);
  const prometheus = await startPrometheus(context, targets);
  const until = Date.now() + seconds * 1000;
  await ground.load(() => Date.now() < until);
  const to = Math.floor(Date.now() / 1000);
  const span = { from: to - seconds + 5, to, step: LIMITS.step };
  for (const dashboard of DASHBOARDS) {
    const panels = dashboard.rows.flatMap((row) => row.panels);
    const data = new Map<Panel, PanelData>();
    for (const panel of panels) data.set(panel, await dataOf(panel, prometheus, span));
    const empty = { lines: [], rows: [] };
    writeFileSync(
      `${folder}${dashboard.name}.svg`,
      drawDashboard(dashboard, (panel) => data.get(panel) ?? empty),
    );
  }
} finally {
  for (const end of ends.toReversed()) await end();
}

async function dataOf(
  panel: Panel,
  prometheus: Prometheus,
  span: Parameters<Prometheus["range"]>[1],
): Promise<PanelData> {
  const lines: Line[] = [];
  for (const query of panel.queries) {
    const expr = filledIn(query.expr, LIMITS.interval);
    if (panel.kind === "table") {
      const { result } = await prometheus.query(expr);
      return { lines, rows: result.map(({ metric }) => metric) };
    }
    lines.push(...linesOf(query, await prometheus.range(expr, span)));
  }
  return { lines, rows: [] };
}

function linesOf({ legend }: Query, { result }: Answer): readonly Line[] {
  return result.map(({ metric, values = [] }) => ({
    legend: legend.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => metric[name] ?? ""),
    points: values.map(([time, value]) => [time, Number(value)] as const),
  }));
}
