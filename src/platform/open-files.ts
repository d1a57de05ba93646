/** How many files and sockets the system lets this process have open. */
import { readFileSync } from "node:fs";

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
