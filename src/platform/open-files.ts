/** How many files and sockets the system lets this process have open. */
import { readdirSync, readFileSync } from "node:fs";

/** How many are open now; undefined where the system does not say. */
export function openFilesCount(path = "/proc/self/fd"): number | undefined {
  try {
    // One of them is the folder, which is open while it is read.
    return readdirSync(path).length - 1;
  } catch {
    return undefined;
  }
}

/** The soft limit (`ulimit -n`); undefined where the system does not say, Infinity where there is none. */
export function openFilesLimit(path = "/proc/self/limits"): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const soft = /^Max open files\s+(\d+|unlimited)\s/m.exec(text)?.[1];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}
