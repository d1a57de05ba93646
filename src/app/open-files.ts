/** Says at start when the system lets the process open fewer files than its limits allow connections. */
import type { Config } from "../config/schema.ts";
import type { Log } from "../model/ports.ts";
import { openFilesLimit } from "../platform/open-files.ts";

const LIMITS = {
  /** The log, the audit log, key sets, listeners, the runtime's own. */
  others: 100,
} as const;

/** Sockets and files that the configuration may need at once. */
export function openFilesNeeded({ listeners, services }: Config): number {
  const callers = listeners.reduce((sum, { limits }) => sum + limits.connections, 0);
  const upstream = Object.values(services).reduce(
    (sum, { connections, endpoints }) => sum + connections * endpoints.length,
    0,
  );
  return callers + upstream + LIMITS.others;
}

/** Beyond the limit connections would fail one by one, at the time of the most traffic. */
export function warnOfOpenFiles(config: Config, log: Log, limit = openFilesLimit()): void {
  const needed = openFilesNeeded(config);
  if (limit === undefined || limit >= needed) return;
  log.warn("fewer files may be open than the connections that are allowed may need", {
    limit,
    needed,
    remedy: "raise the limit (ulimit -n), or lower connections of listeners and services",
  });
}
