/**
 * Looks whether the configuration or a policy has changed on disk, where `reload.watch` says so.
 *
 * It asks for the files' figures (real path, inode, size, time) once a second instead of being told
 * by the system: notifications do not follow a symbolic link that is renamed over, which is how
 * Kubernetes and every careful deployment switch. Only what two looks see alike counts, so that
 * nothing is taken while it is being written.
 */
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/schema.ts";

const LIMITS = {
  /** Milliseconds between looks: a change is in force within some two of them. */
  everyMs: 1000,
} as const;

export interface FileWatch {
  /** A reload is about to read them: what they are now is what it takes. */
  taking(): Promise<void>;
  /** A reload was made: the configuration may watch, or not, or watch other files. */
  again(): void;
  stop(): void;
}

export function watchFiles(
  file: string,
  config: () => Config,
  changed: () => void,
  everyMs: number = LIMITS.everyMs,
): FileWatch {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  /** What the configuration in force, or the last one that failed, was read from. */
  let taken: string | undefined;
  let last: string | undefined;

  async function look(): Promise<void> {
    const seen = await figuresOf([file, ...config().policies.enforce]);
    taken ??= seen;
    const settled = seen === last && seen !== taken;
    last = seen;
    if (settled) {
      taken = seen;
      changed();
    }
    next();
  }

  function next(): void {
    clearTimeout(timer);
    if (stopped || !config().reload.watch) return;
    timer = setTimeout(() => void look(), everyMs);
    timer.unref();
  }

  if (config().reload.watch) void look();
  return {
    async taking() {
      taken = await figuresOf([file, ...config().policies.enforce]);
    },
    again: next,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** One text that changes whenever one of the files, or which files there are, does. */
async function figuresOf(paths: readonly string[]): Promise<string> {
  const found = await Promise.all(paths.map((path) => figures(path, true)));
  return found.join("\n");
}

async function figures(path: string, enter: boolean): Promise<string> {
  try {
    const real = await realpath(path);
    const found = await stat(real);
    const own = [path, real, found.ino, found.size, found.mtimeMs, found.ctimeMs].join(" ");
    if (!enter || !found.isDirectory()) return own;
    const names = (await readdir(real)).filter((name) => name.endsWith(".cedar")).toSorted();
    const inside = await Promise.all(names.map((name) => figures(join(real, name), false)));
    return [own, ...inside].join("\n");
  } catch (error) {
    return `${path} ${(error as NodeJS.ErrnoException).code ?? "unreadable"}`;
  }
}
