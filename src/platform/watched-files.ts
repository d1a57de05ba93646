/**
 * Says when files have changed. Looks at them by and by (a watch of the file system is lost when a
 * folder is switched by a symbolic link, as Kubernetes does it, and on network file systems), and
 * waits until two looks in a row see the same: files that are switched one by one, or are still
 * being written, are not read half-way.
 */
import { type BigIntStats, statSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Timers } from "../model/ports.ts";

const LIMITS = {
  /** A change is in force after two looks: some three seconds. A look costs 30 µs a file. */
  intervalMs: 1000,
} as const;

export interface WatchedFiles {
  /** One look; what the timer does. */
  look(): Promise<void>;
  close(): void;
}

/**
 * Calls `changed` after the files have changed and rest. `changed` must not throw. To be made before
 * the files are read for the first time: so no change between the two is missed.
 */
export function watchFiles(
  files: readonly string[],
  { timers }: { readonly timers: Timers },
  changed: () => void,
): WatchedFiles {
  let known = files.map(stampNow).join("\n");
  let last = known;
  let closed = false;
  let callOff = (): void => undefined;
  const look = async (): Promise<void> => {
    const seen = await stampOf(files);
    if (closed) return;
    const rests = seen === last;
    last = seen;
    if (!rests || seen === known) return;
    known = seen;
    changed();
  };
  const plan = (): void => {
    callOff = timers.after(LIMITS.intervalMs, () => {
      void look().finally(() => {
        if (!closed) plan();
      });
    });
  };
  plan();
  return {
    look,
    close() {
      closed = true;
      callOff();
    },
  };
}

/** One text that changes whenever one of the files does, or, in a folder, one of those whose names fit the pattern. */
export async function stampOf(paths: readonly string[], inside?: RegExp): Promise<string> {
  return (await Promise.all(paths.map((path) => stamp(path, inside)))).join("\n");
}

async function stamp(path: string, inside?: RegExp): Promise<string> {
  try {
    const found = await stat(path, { bigint: true });
    const own = text(found);
    if (inside === undefined || !found.isDirectory()) return own;
    const names = (await readdir(path)).filter((name) => inside.test(name)).toSorted();
    const stamps = await Promise.all(
      names.map(async (name) => `${name} ${await stamp(join(path, name))}`),
    );
    return [own, ...stamps].join("\n");
  } catch (error) {
    return codeOf(error);
  }
}

function stampNow(file: string): string {
  try {
    return text(statSync(file, { bigint: true }));
  } catch (error) {
    return codeOf(error);
  }
}

/** What changes when a file, or the link to it, is changed or replaced, also within a second. */
function text({ dev, ino, size, mtimeNs, ctimeNs, mode }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}:${mode}`;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unreadable";
}
