/** Values as Grafana writes them, near enough. */
import type { Unit } from "../deploy/dashboard.ts";

const YEAR = 365 * 86_400;

/** Steps of a scale of time that can be read: whole seconds, minutes, hours, days, years. */
const TIMES = [
  ...[1, 60].flatMap((unit) => [1, 2, 5, 10, 15, 30].map((count) => count * unit)),
  ...[1, 2, 4, 6, 12].map((hours) => hours * 3600),
  ...[1, 2, 5, 10, 20, 50, 100].map((days) => days * 86_400),
  ...[1, 2, 5, 10, 20, 50].map((years) => years * YEAR),
] as const;

/** The next of them that is no shorter; undefined below a second and beyond all. */
export function timeStep(seconds: number): number | undefined {
  return seconds < 1 ? undefined : TIMES.find((time) => time >= seconds);
}

export function shownAs(value: number, unit: Unit): string {
  if (unit === "s") return duration(value);
  if (unit === "percentunit") return `${plain(value * 100)} %`;
  if (unit === "bytes" || unit === "Bps")
    return `${scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"])}${unit === "Bps" ? "/s" : ""}`;
  if (unit === "reqps") return `${plain(value)} req/s`;
  if (unit === "ops" || unit === "cps") return `${plain(value)} /s`;
  return unit === "short" ? scaled(value, 1000, ["", "K", "M", "G"]) : plain(value);
}

function duration(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  if (size < 0.001) return `${plain(seconds * 1e6)} µs`;
  if (size < 1) return `${plain(seconds * 1000)} ms`;
  if (size < 120) return `${plain(seconds)} s`;
  if (size < 7200) return `${plain(seconds / 60)} min`;
  if (size < 172_800) return `${plain(seconds / 3600)} h`;
  return size < 2 * YEAR ? `${plain(seconds / 86_400)} d` : `${plain(seconds / YEAR)} y`;
}

function scaled(value: number, base: number, names: readonly string[]): string {
  let rest = value;
  let index = 0;
  while (Math.abs(rest) >= base && index < names.length - 1) {
    rest /= base;
    index += 1;
  }
  return `${plain(rest)} ${names[index] ?? ""}`.trim();
}

function plain(value: number): string {
  return String(Number(value.toPrecision(3)));
}
