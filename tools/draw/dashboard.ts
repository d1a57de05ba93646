/** A dashboard as an SVG picture: Grafana's grid, with what Prometheus has answered. */
import type { Dashboard, Panel } from "../deploy/dashboard.ts";
import { layout } from "../deploy/dashboard-layout.ts";
import { type Box, drawSeries, type Line } from "./series.ts";
import { fitting, INK, text } from "./svg.ts";
import { shownAs } from "./units.ts";

const COLUMN = 60;
const UNIT = 30;
const GAP = 8;
const TOP = 64;

export interface PanelData {
  readonly lines: readonly Line[];
  /** Of a table: labels by row. */
  readonly rows: readonly Readonly<Record<string, string>>[];
}

export function drawDashboard(dashboard: Dashboard, dataOf: (panel: Panel) => PanelData): string {
  const placed = layout(dashboard);
  const bottom = Math.max(...placed.map(({ place }) => place.y + place.h));
  const [width, height] = [24 * COLUMN + GAP, TOP + bottom * UNIT + GAP];
  const head =
    text(dashboard.title, { x: 16, y: 30, size: 20, weight: 600 }) +
    text(dashboard.description, { x: 16, y: 52, size: 13, fill: INK.faint });
  const body = placed.map(({ heading, panel, place }) => {
    const box = {
      x: place.x * COLUMN + GAP,
      y: TOP + place.y * UNIT,
      w: place.w * COLUMN - GAP,
      h: place.h * UNIT - GAP,
    };
    if (panel === undefined)
      return text(`▾ ${heading?.title ?? ""}`, {
        x: box.x + 4,
        y: box.y + 20,
        size: 14,
        weight: 600,
      });
    return drawPanel(panel, dataOf(panel), box);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Inter, 'Helvetica Neue', Arial, sans-serif">
<title>${dashboard.title}</title>
<rect width="${width}" height="${height}" fill="${INK.page}"/>
${head}
${body.join("\n")}
</svg>
`;
}

function drawPanel(panel: Panel, data: PanelData, box: Box): string {
  const frame = `<rect x="${box.x}" y="${box.y}" width="${box.w}" height="${box.h}" rx="3" fill="${INK.panel}" stroke="${INK.line}"/>`;
  const title = text(fitting(panel.title, box.w - 20, 13), {
    x: box.x + 10,
    y: box.y + 20,
    size: 13,
    weight: 600,
  });
  const inner = { x: box.x, y: box.y + 38, w: box.w, h: box.h - 42 };
  return `<g>${frame}${title}${content(panel, data, inner)}</g>`;
}

function content(panel: Panel, { lines, rows }: PanelData, box: Box): string {
  if (panel.kind === "table" && rows.length > 0) return drawTable(rows, box);
  const drawable = lines.filter(({ points }) => points.some(([, value]) => Number.isFinite(value)));
  if (drawable.length === 0 || panel.kind === "table") return nothing(box);
  return panel.kind === "stat"
    ? drawStat(panel, drawable[0] as Line, box)
    : drawSeries(panel, drawable, box);
}

function nothing(box: Box): string {
  return text("No data", {
    x: box.x + box.w / 2,
    y: box.y + box.h / 2,
    anchor: "middle",
    fill: INK.faint,
  });
}

function drawStat(panel: Panel, { points }: Line, box: Box): string {
  const finite = points.filter(([, value]) => Number.isFinite(value));
  const value = finite.at(-1)?.[1] ?? 0;
  const colour = colourOf(value, panel.thresholds);
  const top = Math.max(...finite.map(([, one]) => one), 1e-9);
  const y = (one: number): number => box.y + box.h - 2 - (Math.max(0, one) / top) * 26;
  const x = (index: number): number =>
    box.x + 2 + (index / Math.max(1, finite.length - 1)) * (box.w - 4);
  const path = finite
    .map(([, one], index) => `${x(index).toFixed(1)} ${y(one).toFixed(1)}`)
    .join("L");
  const area = `<path d="M${path}L${box.x + box.w - 2} ${box.y + box.h}L${box.x + 2} ${box.y + box.h}Z" fill="${colour}" fill-opacity="0.2"/>`;
  return (
    area +
    text(panel.says?.[value] ?? shownAs(value, panel.unit), {
      x: box.x + box.w / 2,
      y: box.y + 32,
      size: 32,
      weight: 600,
      fill: colour,
      anchor: "middle",
    })
  );
}

function colourOf(value: number, thresholds: Panel["thresholds"]): string {
  if (thresholds === undefined) return "#5794f2";
  const [amber, red] = thresholds;
  const falling = amber > red;
  const beyond = (bound: number): boolean => (falling ? value < bound : value >= bound);
  if (beyond(red)) return "#f2495c";
  return beyond(amber) ? "#ff780a" : "#73bf69";
}

function drawTable(rows: PanelData["rows"], box: Box): string {
  const columns = Object.keys(rows[0] ?? {}).filter(
    (name) => !name.startsWith("__") && name !== "job",
  );
  const width = (box.w - 24) / Math.max(1, columns.length);
  const line = (cells: readonly string[], y: number, fill: string): string =>
    cells
      .map((cell, index) =>
        text(fitting(cell, width - 8, 12), { x: box.x + 12 + index * width, y, fill }),
      )
      .join("");
  const shown = rows.slice(0, Math.floor((box.h - 30) / 22));
  const body = shown.map((row, index) =>
    line(
      columns.map((name) => row[name] ?? ""),
      box.y + 38 + index * 22,
      INK.text,
    ),
  );
  return (
    line(columns, box.y + 12, INK.faint) +
    `<path d="M${box.x + 10} ${box.y + 20}h${box.w - 20}" stroke="${INK.line}"/>` +
    body.join("")
  );
}
