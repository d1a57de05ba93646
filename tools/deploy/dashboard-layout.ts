/** Where panels stand in Grafana's grid of 24 columns: rows one below the other, each with its heading. */
import type { Dashboard, Panel, Row } from "./dashboard.ts";

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Placed {
  readonly heading?: Row;
  readonly panel?: Panel;
  readonly place: Place;
}

const HEIGHTS: Readonly<Record<Panel["kind"], number>> = { stat: 4, timeseries: 8, table: 8 };

export function layout({ rows }: Dashboard): readonly Placed[] {
  const placed: Placed[] = [];
  let y = 0;
  for (const heading of rows) {
    placed.push({ heading, place: { x: 0, y, w: 24, h: 1 } });
    y += 1;
    let x = 0;
    let tallest = 0;
    for (const panel of heading.panels) {
      if (x + panel.width > 24) {
        y += tallest;
        x = 0;
        tallest = 0;
      }
      const h = HEIGHTS[panel.kind];
      placed.push({ panel, place: { x, y, w: panel.width, h } });
      x += panel.width;
      tallest = Math.max(tallest, h);
    }
    y += tallest;
  }
  return placed;
}
