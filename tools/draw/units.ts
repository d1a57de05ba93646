/** Values as Grafana writes them, near enough. */
import type { Unit } from "../deploy/dashboard.ts";

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
  return size < 172_800 ? `${plain(seconds / 3600)} h` : `${plain(seconds / 86_400)} d`;
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
