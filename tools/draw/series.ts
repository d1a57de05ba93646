/** A panel of lines or stacked areas: grid, axes, legend. */
import type { Panel } from "../deploy/dashboard.ts";
import { COLOURS, fitting, INK, text, widthOf } from "./svg.ts";
import { shownAs, timeStep } from "./units.ts";

export interface Line {
  readonly legend: string;
  /** Seconds since the epoch and values. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

const LEGEND = 34;
const SCALE = 64;

export function drawSeries(
  { unit, stacked = false }: Panel,
  all: readonly Line[],
  box: Box,
): string {
  const lines = all.slice(0, COLOURS.length);
  const plot = { x: box.x + SCALE, y: box.y, w: box.w - SCALE - 12, h: box.h - LEGEND - 18 };
  const times = lines.flatMap(({ points }) => points.map(([time]) => time));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const shown = stacked ? stack(lines) : lines.map((line) => ({ ...line, base: undefined }));
  const tops = shown
    .flatMap(({ points }) => points.map(([, value]) => value))
    .filter(Number.isFinite);
  const highest = Math.max(...tops);
  const step = stepOf(highest > 0 ? highest : 1, unit);
  const top = Math.max(step, Math.ceil(highest / step - 1e-9) * step);
  const xOf = (time: number): number => plot.x + ((time - from) / Math.max(1, to - from)) * plot.w;
  const yOf = (value: number): number => plot.y + plot.h - (Math.max(0, value) / top) * plot.h;
  let svg = "";
  for (let value = 0; value <= top * 1.001; value += step) {
    svg += `<path d="M${plot.x} ${round(yOf(value))}h${plot.w}" stroke="${INK.grid}"/>`;
    svg += text(shownAs(value, unit), {
      x: plot.x - 8,
      y: round(yOf(value)) + 4,
      size: 11,
      fill: INK.faint,
      anchor: "end",
    });
  }
  const pace = timeStep((to - from) / 5) ?? 1;
  for (let seconds = 0; seconds <= to - from; seconds += pace) {
    svg += text(shownAs(seconds, "s"), {
      x: round(xOf(from + seconds)),
      y: plot.y + plot.h + 16,
      size: 11,
      fill: INK.faint,
      anchor: "middle",
    });
  }
  for (const [index, { points, base }] of shown.entries()) {
    svg += drawLine({ points, base, colour: COLOURS[index] ?? INK.text }, { xOf, yOf });
  }
  return (
    svg + drawLegend(lines, { x: box.x + 12, y: box.y + box.h - LEGEND + 16, w: box.w - 24, h: 0 })
  );
}

type Stacked = Line & { readonly base: readonly (readonly [number, number])[] | undefined };

/** Each on top of those before it; what is not there at a time counts nothing. */
function stack(lines: readonly Line[]): readonly Stacked[] {
  const times = [...new Set(lines.flatMap(({ points }) => points.map(([time]) => time)))].toSorted(
    (a, b) => a - b,
  );
  const sums = new Map<number, number>();
  return lines.map(({ legend, points }) => {
    const values = new Map(points);
    const base = times.map((time) => [time, sums.get(time) ?? 0] as const);
    for (const time of times) {
      const value = values.get(time) ?? 0;
      sums.set(time, (sums.get(time) ?? 0) + (Number.isFinite(value) ? value : 0));
    }
    return { legend, base, points: times.map((time) => [time, sums.get(time) ?? 0] as const) };
  });
}

function drawLine(
  {
    points,
    base,
    colour,
  }: {
    readonly points: Line["points"];
    readonly base: Line["points"] | undefined;
    readonly colour: string;
  },
  { xOf, yOf }: { readonly xOf: (time: number) => number; readonly yOf: (value: number) => number },
): string {
  const drawn = points.filter(([, value]) => Number.isFinite(value));
  if (drawn.length === 0) return "";
  const at = ([time, value]: readonly [number, number]): string =>
    `${round(xOf(time))} ${round(yOf(value))}`;
  const path = drawn.map(at).join("L");
  const first = drawn[0]?.[0] ?? 0;
  const last = drawn.at(-1)?.[0] ?? 0;
  const under =
    base === undefined
      ? `${round(xOf(last))} ${round(yOf(0))}L${round(xOf(first))} ${round(yOf(0))}`
      : base.toReversed().map(at).join("L");
  return `<path d="M${path}L${under}Z" fill="${colour}" fill-opacity="${base === undefined ? 0.08 : 0.4}"/><path d="M${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
}

/** Two lines of names; what has no room is counted. */
function drawLegend(lines: readonly Line[], { x, y, w }: Box): string {
  let svg = "";
  let [left, row] = [0, 0];
  for (const [index, { legend }] of lines.entries()) {
    const name = fitting(legend, 190, 11);
    const width = 26 + widthOf(name, 11);
    if (left + width > w) {
      left = 0;
      row += 1;
    }
    if (row > 1) {
      svg += text(`+${lines.length - index}`, {
        x: x + w,
        y: y + 14,
        size: 11,
        fill: INK.faint,
        anchor: "end",
      });
      break;
    }
    const top = y + row * 15;
    svg += `<path d="M${x + left} ${top - 4}h12" stroke="${COLOURS[index] ?? ""}" stroke-width="3"/>`;
    svg += text(name, { x: x + left + 17, y: top, size: 11 });
    left += width;
  }
  return svg;
}

/** About four lines of the grid at values that can be read in the unit. */
function stepOf(top: number, unit: Panel["unit"]): number {
  if (unit === "bytes" || unit === "Bps") return 2 ** Math.ceil(Math.log2(top / 4));
  return (unit === "s" ? timeStep(top / 4) : undefined) ?? niceStep(top);
}

function niceStep(top: number): number {
  const raw = top / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const factor = [1, 2, 2.5, 5, 10].find((one) => one * power >= raw) ?? 10;
  return factor * power;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
