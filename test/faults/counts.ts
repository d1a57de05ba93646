/** What the proxy's process holds: counted from outside, by what the kernel and its metrics say. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

const LIMITS = {
  /** Milliseconds for what has ended to be let go: the longest timeout of the stage and some more. */
  settle: 20_000,
  poll: 50,
} as const;

export interface Counts {
  /** Sockets that the process has open, listening ones included. */
  readonly sockets: number;
  /** All open descriptors. */
  readonly descriptors: number;
  /** Callers' connections, as the metric says. */
  readonly connections: number;
  /** Bytes of the process that are resident. */
  readonly resident: number;
}

interface Proxy {
  readonly pid: number;
  readonly admin: string;
}

/** Only where the kernel shows a process's descriptors. */
export const COUNTS_ABSENT = process.platform === "linux" ? false : "counts are read from /proc";

export async function countsOf(proxy: Proxy): Promise<Counts> {
  const links = descriptorsOf(proxy.pid);
  return {
    sockets: links.filter((link) => link.startsWith("socket:")).length,
    descriptors: links.length,
    connections: await metricOf(proxy, "sallyport_connections"),
    resident: residentOf(proxy.pid),
  };
}

/** The counts once `holds`, or the last ones when it does not within the time. */
export async function countsOnce(
  proxy: Proxy,
  holds: (counts: Counts) => boolean,
): Promise<Counts> {
  const deadline = performance.now() + LIMITS.settle;
  for (;;) {
    const counts = await countsOf(proxy);
    if (holds(counts) || performance.now() > deadline) return counts;
    await wait(LIMITS.poll);
  }
}

/** The sum of a metric's series. */
export async function metricOf(proxy: Proxy, name: string): Promise<number> {
  const response = await fetch(`http://${proxy.admin}/metrics`, {
    // Or the scrape itself would be counted later.
    headers: { connection: "close" },
  });
  let sum = 0;
  for (const line of (await response.text()).split("\n")) {
    const parts = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line);
    if (parts?.[1] === name) sum += Number(parts[2]);
  }
  return sum;
}

function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      return []; // Closed meanwhile.
    }
  });
}

function residentOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
