/**
 * Who may still be writing which segment. A segment is over when its writer has begun another one or is
 * gone. Where that cannot be known it is not over: what is taken for over may be compressed and removed.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { isAlive, type SegmentFile } from "../segment-names.ts";

const LIMITS = {
  /** Milliseconds between looks at what a process has open: it may be thousands of files. */
  openFilesMs: 60_000,
} as const;

export interface Writers {
  /** Of all segments of the folder, those that grow no more. */
  over(segments: readonly SegmentFile[]): ReadonlySet<string>;
}

export interface WritersDeps {
  readonly now: () => number;
  readonly alive?: (pid: number) => boolean;
  /** Paths of what a process has open; undefined where nobody says. */
  readonly openFiles?: (pid: number) => readonly string[] | undefined;
}

export function createWriters(
  folder: string,
  { now, alive = isAlive, openFiles = openFilesOf }: WritersDeps,
): Writers {
  const looked = new Map<string, { readonly atMs: number; readonly open: boolean }>();

  /** A process with that id may be another one by now: in a container ids begin anew with each start. */
  function hasOpen({ pid, segment, file }: SegmentFile): boolean {
    const known = looked.get(segment);
    if (known !== undefined && now() - known.atMs < LIMITS.openFilesMs) return known.open;
    const paths = openFiles(pid);
    const path = join(folder, file);
    const open = paths === undefined || paths.some((one) => isSame(one, path));
    looked.set(segment, { atMs: now(), open });
    return open;
  }

  return {
    over(segments) {
      const newest = new Map<string, SegmentFile>();
      // In the order of their names: the last one of an instance is its newest.
      for (const file of segments) newest.set(file.instance, file);
      const over = new Set<string>();
      for (const file of segments) {
        const last = newest.get(file.instance) === file;
        if (last && !file.compressed && alive(file.pid) && hasOpen(file)) continue;
        over.add(file.segment);
        looked.delete(file.segment);
      }
      return over;
    },
  };
}

/** A file that was opened by way of a link has another path there: its name has to do. */
function isSame(open: string, path: string): boolean {
  return open === path || open.slice(open.lastIndexOf("/")) === path.slice(path.lastIndexOf("/"));
}

function openFilesOf(pid: number): readonly string[] | undefined {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).flatMap((descriptor) => {
      try {
        return [readlinkSync(join(folder, descriptor))];
      } catch {
        // Closed meanwhile.
        return [];
      }
    });
  } catch {
    // No such system, or somebody else's process.
    return undefined;
  }
}
