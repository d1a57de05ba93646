/**
 * Services that outlive one configuration: one that is configured as before keeps its connections,
 * what is known of its endpoints, and who waits; one that has changed begins with what was known of
 * the endpoints that it still has.
 */
import type { Upstream } from "./exchange.ts";
import type { EndpointRecord } from "./health/endpoint-record.ts";

export type Records = ReadonlyMap<string, EndpointRecord>;

/** What is shared. */
export interface RunningService extends Upstream {
  /** What is known of its endpoints, by their names. */
  records(): Records;
}

export interface RunningServices {
  /**
   * The service of this name with these options, or what `create` makes. Each is to be closed once by
   * each who opened it.
   */
  open(name: string, options: unknown, create: (records: Records) => RunningService): Upstream;
}

interface Shared {
  readonly key: string;
  readonly service: RunningService;
  users: number;
}

export function createRunningServices(): RunningServices {
  /** By name; the newest last. There is more than one while a former configuration ends. */
  const running = new Map<string, Shared[]>();
  return {
    open(name, options, create) {
      const all = running.get(name) ?? [];
      running.set(name, all);
      const key = JSON.stringify(options);
      let shared = all.find((one) => one.key === key);
      if (shared === undefined) {
        shared = { key, service: create(all.at(-1)?.service.records() ?? new Map()), users: 0 };
        all.push(shared);
      }
      const one = shared;
      one.users += 1;
      return handleOf(one.service, () => {
        one.users -= 1;
        if (one.users > 0) return;
        all.splice(all.indexOf(one), 1);
        if (all.length === 0) running.delete(name);
        one.service.close();
      });
    },
  };
}

function handleOf(service: RunningService, close: () => void): Upstream {
  let open = true;
  return {
    forward: (exchange, request, observer) => service.forward(exchange, request, observer),
    start: () => service.start(),
    close() {
      if (!open) return;
      open = false;
      close();
    },
  };
}
