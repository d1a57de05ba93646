/**
 * Reads CPU profiles (`.cpuprofile`, which Node and Bun both write) and says in which folders and
 * functions the time went. `node bench/profile.ts FILE…` prints it.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { figure, formatTable } from "./report.ts";
import type { Table } from "./report.ts";

/** The part of the format (Chrome DevTools Protocol, `Profiler.Profile`) that is read here. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface ProfileSummary {
  /** Time on the processor, in milliseconds; waiting is left out. */
  readonly busyMs: number;
  /** Self time as parts of it, largest first. */
  readonly functions: readonly ProfileShare[];
  readonly folders: readonly ProfileShare[];
}

export interface ProfileShare {
  readonly name: string;
  readonly share: number;
}

const SHOWN_FUNCTIONS = 40;

/**
 * Most that one sample stands for. Runtimes sample each millisecond; a longer gap is time in which
 * the process slept or was stopped, and would else count for whatever ran last.
 */
const LONGEST_SAMPLE_US = 3_000;

/** Where a frame without a file of ours belongs. */
const WAITING = new Set(["(idle)", "(program)", "(root)"]);

export function summarizeProfile(text: string): ProfileSummary {
  const profile = JSON.parse(text) as CpuProfile;
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const functions = new Map<string, number>();
  const folders = new Map<string, number>();
  let busyUs = 0;
  profile.samples.forEach((id, index) => {
    const frame = frames.get(id);
    const microseconds = Math.min(LONGEST_SAMPLE_US, Math.max(0, profile.timeDeltas[index] ?? 0));
    if (frame === undefined || WAITING.has(frame.functionName)) return;
    busyUs += microseconds;
    const place = ourPlace(frame.url);
    const line = place === undefined ? "" : `  ${place}:${frame.lineNumber + 1}`;
    add(functions, `${frame.functionName || "(anonymous)"}${line}`, microseconds);
    add(folders, folderOf(place, frame.url), microseconds);
  });
  return {
    busyMs: busyUs / 1000,
    functions: shares(functions, busyUs),
    folders: shares(folders, busyUs),
  };
}

export function formatProfile(summary: ProfileSummary): string {
  const table = (title: string, list: readonly ProfileShare[]): Table => ({
    columns: [title, "self %"],
    rows: list.map(({ name, share }) => [name, figure(share * 100)]),
  });
  return [
    formatTable(table("folder", summary.folders)),
    formatTable(table("function", summary.functions.slice(0, SHOWN_FUNCTIONS))),
  ].join("\n\n");
}

/** Path from `src/` or `node_modules/` on, or undefined for the runtime's own code. */
function ourPlace(url: string): string | undefined {
  const found = /\/((?:src|node_modules)\/(?!.*\/node_modules\/).*)$/.exec(url);
  return found?.[1];
}

function folderOf(place: string | undefined, url: string): string {
  if (place !== undefined) return place.split("/").slice(0, 2).join("/");
  return url.startsWith("node:") ? "node: modules" : "native, and not attributed";
}

function add(map: Map<string, number>, key: string, value: number): void {
  map.set(key, (map.get(key) ?? 0) + value);
}

function shares(map: ReadonlyMap<string, number>, whole: number): ProfileShare[] {
  return [...map]
    .map(([name, microseconds]) => ({ name, share: microseconds / whole }))
    .toSorted((a, b) => b.share - a.share);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const file of process.argv.slice(2)) {
    console.log(`${file}\n\n${formatProfile(summarizeProfile(readFileSync(file, "utf8")))}\n`);
  }
}
