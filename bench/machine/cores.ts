/** Which two cores a run uses: one for the proxy in turn, one for load, service and harness. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Cores {
  readonly proxy: number;
  readonly load: number;
}

/** `0-3,8` as numbers (the list format of taskset and of /proc/self/status). */
export function parseCoreList(list: string): number[] {
  return list
    .trim()
    .split(",")
    .flatMap((part) => {
      const [first = NaN, last = first] = part.split("-").map(Number);
      if (!Number.isInteger(first) || !Number.isInteger(last)) {
        throw new TypeError(`not a list of cores: ${list}`);
      }
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/** The first two cores that this process may use, or undefined when it has only one. */
export function chooseCores(): Cores | undefined {
  const found = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  const [proxy, load] = parseCoreList(found?.[1] ?? "0");
  return proxy === undefined || load === undefined ? undefined : { proxy, load };
}

/** Keeps this process, and what it starts without saying otherwise, off the proxy's core. */
export function moveToCore(core: number): void {
  const result = spawnSync("taskset", ["-a", "-pc", String(core), String(process.pid)]);
  if (result.status !== 0) throw new Error(`taskset failed: ${String(result.stderr)}`);
}
