/**
 * Looks whether the configuration or a policy has changed on disk, where `reload.watch` says so. It
 * looks as `platform/watched-files.ts` does, and beside that knows what a reload has just taken, and
 * that which files there are, and whether they are watched, changes with each configuration.
 */
import type { Config } from "../config/schema.ts";
import { stampOf } from "../platform/watched-files.ts";

const LIMITS = {
  /** Milliseconds between looks: a change is in force within some two of them. */
  everyMs: 1000,
} as const;

/** Files that count within a folder. */
const POLICY = /\.cedar$/;
const DATA = /\.(?:ya?ml|json)$/;
const TEST = /\.ya?ml$/;

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

  async function seenNow(): Promise<string> {
    const { entities = [], tests } = config().policies;
    const described = Object.values(config().services).flatMap(({ openapi, descriptors }) =>
      [openapi, descriptors].filter((path) => path !== undefined),
    );
    const stamps = [
      stampOf([file, ...policyPaths(config()), ...described], POLICY),
      stampOf(entities, DATA),
      stampOf(tests, TEST),
    ];
    return (await Promise.all(stamps)).join(" ");
  }

  async function look(): Promise<void> {
    const seen = await seenNow();
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
      taken = await seenNow();
    },
    again: next,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function policyPaths({ policies }: Config): readonly string[] {
  const { enforce = [], shadow = [], bundle } = policies;
  return [...enforce, ...shadow, ...(bundle?.file === undefined ? [] : [bundle.file])];
}
