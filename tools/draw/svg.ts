/** Pieces of SVG, and the colours of the pictures: readable on white and on dark pages alike. */

export const COLOURS = [
  "#73bf69",
  "#5794f2",
  "#f2cc0c",
  "#ff780a",
  "#b877d9",
  "#f2495c",
  "#8ab8ff",
  "#37872d",
  "#fade2a",
  "#c4162a",
  "#96d98d",
  "#ffa6b0",
];

export const INK = {
  page: "#111217",
  panel: "#181b1f",
  line: "#2c3235",
  grid: "#262a2f",
  text: "#ccccdc",
  faint: "#8e8e99",
} as const;

export function text(
  content: string,
  at: {
    readonly x: number;
    readonly y: number;
    readonly size?: number;
    readonly fill?: string;
    readonly anchor?: "start" | "middle" | "end";
    readonly weight?: number;
  },
): string {
  const { x, y, size = 12, fill = INK.text, anchor = "start", weight = 400 } = at;
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" text-anchor="${anchor}" font-weight="${weight}">${escaped(content)}</text>`;
}

/** As much of it as fits. */
export function fitting(content: string, width: number, size: number): string {
  if (widthOf(content, size) <= width) return content;
  let shown = content;
  while (shown.length > 1 && widthOf(`${shown}…`, size) > width) shown = shown.slice(0, -1);
  return `${shown}…`;
}

/** By an average letter; capitals, such as those of gRPC's statuses and of hashes, are wider. */
export function widthOf(content: string, size: number): number {
  const capitals = content.replaceAll(/[^A-Z_]/g, "").length;
  return size * (capitals * 0.73 + (content.length - capitals) * 0.56);
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
