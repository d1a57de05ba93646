/**
 * A process's place among those that serve the same addresses: what it shares, and what part of the
 * limits is its own.
 */
import type { Config } from "../config/schema.ts";

export interface Seat {
  /** How many share what the configuration allows; 1 alone. */
  readonly of: number;
  readonly reusePort: boolean;
  /** Tells its audit files apart: the process id and the worker's number. */
  readonly instance: string | undefined;
  /** Where the other workers are bound, by listener name: what port 0 became. */
  readonly addresses: ReadonlyMap<string, string>;
}

export const ALONE: Seat = Object.freeze({
  of: 1,
  reusePort: false,
  instance: undefined,
  addresses: new Map<string, string>(),
});

/** The configuration as this process runs it: its part of what is counted in each process. */
export function seated(config: Config, seat: Seat): Config {
  if (seat === ALONE) return config;
  const { failures } = config.limits;
  const part = (whole: number): number => Math.max(1, Math.ceil(whole / seat.of));
  return {
    ...config,
    listeners: config.listeners.map((listener) => ({
      ...listener,
      address: /:0+$/.test(listener.address)
        ? (seat.addresses.get(listener.name) ?? listener.address)
        : listener.address,
      limits: { ...listener.limits, ...connectionParts(listener.limits, part) },
    })),
    routes: config.routes.map(({ concurrency, ...route }) => ({
      ...route,
      ...(concurrency === undefined
        ? {}
        : { concurrency: concurrency.map((one) => ({ ...one, requests: part(one.requests) })) }),
    })),
    limits: {
      ...config.limits,
      failures: { burst: part(failures.burst), perSecond: failures.perSecond / seat.of },
    },
  };
}

/** Connections are spread over the processes by the system; each has its part of the limits. */
function connectionParts(
  limits: Config["listeners"][number]["limits"],
  part: (whole: number) => number,
): Pick<typeof limits, "connections" | "connectionsPerAddress"> {
  const { connections, connectionsPerAddress } = limits;
  return {
    connections: part(connections),
    connectionsPerAddress:
      connectionsPerAddress === undefined ? undefined : part(connectionsPerAddress),
  };
}
