/**
 * Where operators are answered: open before anything else is, so that a process that still starts says
 * so, and what it says changes by one assignment once it runs.
 */
import { createHealthHandler } from "../admin/health.ts";
import type { AdminDoor } from "../admin/admin-options.ts";
import type { Config } from "../config/schema.ts";
import type { ExchangeHandler } from "../http/exchange.ts";
import { listenerSchema, OWN_LISTENERS } from "../http/listener-options.ts";
import { listen, type Listener } from "../http/listener.ts";
import { createListenerTls } from "../http/listener-tls.ts";
import type { WorkloadSource } from "../identity/spiffe/workload-source.ts";
import { readFileBytes } from "../platform/files.ts";
import { openWorkloadApi } from "./build-snapshot.ts";
import type { Instruments } from "./instruments.ts";
import { textOf } from "./listener-set.ts";

/** What answers behind each door. */
export type Doors = Readonly<Record<AdminDoor, ExchangeHandler>>;

export interface FrontDesk {
  /** Where it answers; undefined where no address is configured. */
  readonly address: string | undefined;
  readonly scheme: "http" | "https";
  /** What readiness says from now on, until `answer` is called. */
  waitsFor(text: string): void;
  /** From now on these answer. */
  answer(doors: Doors): void;
  close(): Promise<void>;
}

/** `waiting`: what readiness says until `answer` is called. Rejects with `listen-failed`. */
export async function openFrontDesk(
  { admin, workloadApi }: Pick<Config, "admin" | "workloadApi">,
  instruments: Instruments,
  waiting: string,
): Promise<FrontDesk> {
  const workload =
    admin?.tls?.identity === undefined ? undefined : openWorkloadApi({ workloadApi }, instruments);
  // Nobody is answered before it has come, and nothing waits for it.
  void workload?.want("svid");
  let waitsFor = waiting;
  const starting = untilItRuns(
    createHealthHandler({
      readiness: () => ({ ready: false, checks: { listeners: waitsFor } }),
      metrics: (accept) => instruments.metrics.render(accept),
    }),
  );
  let doors: Doors = { address: starting, socket: starting };
  const behind = (door: AdminDoor): ExchangeHandler => ({
    request: (exchange) => doors[door].request(exchange),
    malformed: (fault) => doors[door].malformed(fault),
  });
  const around = { ...instruments, workload };
  const address = await openAddress(admin, around, behind("address")).catch((error: unknown) => {
    workload?.close();
    throw error;
  });
  const socket = await openSocket(admin, instruments, behind("socket")).catch(
    async (error: unknown) => {
      await address?.close(0);
      workload?.close();
      throw error;
    },
  );
  return {
    address: address === undefined ? undefined : textOf(address.address),
    scheme: address?.scheme ?? "http",
    waitsFor(text) {
      waitsFor = text;
    },
    answer(next) {
      doors = next;
    },
    async close() {
      await Promise.all([address?.close(0), socket?.close(0)]);
      workload?.close();
    },
  };
}

/** What is not there yet is no 404 or 405: whoever asks has to ask again, and not to give up. */
function untilItRuns(health: ExchangeHandler): ExchangeHandler {
  return {
    ...health,
    request(exchange) {
      if (/^\/(?:livez|readyz|metrics)(?:\?|$)/.test(exchange.head.target))
        health.request(exchange);
      else exchange.reply(503, NOT_YET, '{"status":503,"title":"It is still starting"}\n');
    },
  };
}

const NOT_YET = ["content-type", "application/problem+json", "retry-after", "1"];

async function openAddress(
  admin: Config["admin"],
  {
    clock,
    timers,
    deadlines,
    log,
    metrics,
    trust,
    workload,
  }: Instruments & { readonly workload: WorkloadSource | undefined },
  handler: ExchangeHandler,
): Promise<Listener | undefined> {
  if (admin?.address === undefined) return undefined;
  const options = listenerSchema.parse({ name: OWN_LISTENERS.operators, address: admin.address });
  if (admin.tls === undefined) return await listen(options, { clock, deadlines, log, handler });
  const authorities = trust.of(admin.tls.clients?.authenticators ?? []);
  const deps = { clock, timers, log, metrics, workload, readFile: readFileBytes, authorities };
  const tls = createListenerTls(options.name, admin.tls, deps);
  return await listen({ ...options, tls: admin.tls }, { clock, deadlines, log, handler, tls });
}

async function openSocket(
  admin: Config["admin"],
  { clock, deadlines, log }: Instruments,
  handler: ExchangeHandler,
): Promise<Listener | undefined> {
  if (admin?.socket === undefined) return undefined;
  // The address says nothing: it is bound to the file.
  const options = listenerSchema.parse({ name: "admin-socket", address: "127.0.0.1:0" });
  return await listen(options, { clock, deadlines, log, handler, socketFile: admin.socket });
}
