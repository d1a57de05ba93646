/** Wires a configuration to running instances, and ends them in order. No logic lives here. */
import { createHealthHandler, type Readiness } from "../admin/health.ts";
import { createAuditLog, type RunningAuditLog } from "../audit/log.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { createGate, type Gate } from "../gate/gate.ts";
import { listen, type Listener } from "../http/listener.ts";
import { listenerSchema } from "../http/listener-options.ts";
import { createFailureBudget } from "../limits/failure-budget.ts";
import { ConfigError } from "../model/errors.ts";
import type { Log } from "../model/ports.ts";
import { createDecisionIds } from "../platform/decision-id.ts";
import { createProxyHandler } from "../proxy/handler.ts";
import { registerProcessMetrics } from "../telemetry/process-metrics.ts";
import { buildSnapshot, type RunningSnapshot } from "./build-snapshot.ts";
import { createInstruments, type Instruments } from "./instruments.ts";

const LIMITS = {
  /** What is in flight may take this long to end once the process is told to stop. */
  drainMs: 30_000,
} as const;

export interface Sallyport {
  /** Where it accepts requests, by listener name. */
  readonly listeners: readonly { readonly name: string; readonly address: string }[];
  /** Where it answers operators; undefined where no admin address is configured. */
  readonly admin: string | undefined;
  /**
   * Reads the configuration again and puts it in force for the requests that come, by one
   * assignment. Throws ConfigError, and changes nothing, where it does not validate or changes what
   * only a restart can change (listeners, admin, audit, limits.failures).
   */
  reload(): Promise<void>;
  /** Stops accepting, lets what is in flight end, closes the audit log last. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Runs the proxy that `file` describes. Resolves when every listener accepts connections.
 * Throws ConfigError, or SallyportError where an address or the audit log cannot be had.
 */
export async function startSallyport(file: string, log: Log): Promise<Sallyport> {
  const loaded = await loadConfig(file);
  for (const warning of loaded.warnings) {
    log.warn("configuration", { finding: warning.message, remedy: warning.remedy });
  }
  const instruments = createInstruments(log);
  const snapshot = await buildSnapshot(loaded, instruments);
  const { config } = loaded;
  const audit = await createAuditLog(config.audit, instruments);
  const stopProcessMetrics = registerProcessMetrics(instruments.metrics);
  await snapshot.start();
  const parts: Parts = { instruments, audit, snapshot };
  const opened = await openListeners(config, parts).catch(async (error: unknown) => {
    snapshot.close();
    stopProcessMetrics();
    await audit.close();
    throw error;
  });
  return {
    listeners: opened.listeners.map(({ name, address }) => ({ name, address: textOf(address) })),
    admin: opened.admin === undefined ? undefined : textOf(opened.admin.address),
    reload: () => swapSnapshot(file, config, parts),
    async close(graceMs = LIMITS.drainMs) {
      opened.state.draining = true;
      await Promise.all(opened.listeners.map((listener) => listener.close(graceMs)));
      parts.snapshot.close();
      stopProcessMetrics();
      await audit.close();
      await opened.admin?.close(0);
    },
  };
}

interface Parts {
  readonly instruments: Instruments;
  readonly audit: RunningAuditLog;
  /** The one in force; a reload assigns it. */
  snapshot: RunningSnapshot;
}

/** What is bound or opened once, at start. */
const FIXED = ["listeners", "admin", "audit"] as const;

/** Builds the new one whole before the old one is let go. */
async function swapSnapshot(file: string, running: Config, parts: Parts): Promise<void> {
  const loaded = await loadConfig(file);
  const changed: string[] = FIXED.filter(
    (key) => JSON.stringify(loaded.config[key]) !== JSON.stringify(running[key]),
  );
  const budget = (one: Config): string => JSON.stringify(one.limits.failures);
  if (budget(loaded.config) !== budget(running)) changed.push("limits.failures");
  if (changed.length > 0) {
    const message = `${changed.join(" and ")} changed, which a reload cannot put in force`;
    throw new ConfigError([{ file, message, remedy: "restart, or undo that change" }]);
  }
  const next = await buildSnapshot(loaded, parts.instruments);
  await next.start();
  const former = parts.snapshot;
  parts.snapshot = next;
  // What was decided by the former one may still be asking it for keys.
  parts.instruments.timers.after(LIMITS.drainMs, () => former.close());
}

interface Opened {
  readonly listeners: readonly Listener[];
  readonly admin: Listener | undefined;
  readonly state: { draining: boolean };
}

/** All of them or none: what was opened before a failure is closed again. */
async function openListeners(config: Config, parts: Parts): Promise<Opened> {
  const { clock, deadlines, log, metrics, requests } = parts.instruments;
  const handler = createProxyHandler({
    clock,
    log,
    audit: parts.audit,
    gate: createRunningGate(config, parts),
    snapshot: () => parts.snapshot,
    completed: (route, outcome) => requests.completed(route, outcome),
  });
  const opened: Listener[] = [];
  const state = { draining: false };
  const readiness = (): Readiness => readinessOf(state.draining, parts.audit);
  const health = createHealthHandler({ readiness, metrics: (accept) => metrics.render(accept) });
  const deps = { clock, deadlines, log };
  try {
    for (const options of config.listeners) {
      opened.push(await listen(options, { ...deps, handler }));
    }
    const listeners = [...opened];
    let admin: Listener | undefined;
    if (config.admin !== undefined) {
      const options = listenerSchema.parse({ name: "admin", address: config.admin.address });
      admin = await listen(options, { ...deps, handler: health });
      opened.push(admin);
    }
    registerConnectionMetrics(listeners, parts.instruments);
    return { listeners, admin, state };
  } catch (error) {
    await Promise.all(opened.map((listener) => listener.close(0)));
    throw error;
  }
}

function createRunningGate(config: Config, { instruments, audit }: Parts): Gate {
  const { clock, log, metrics, requests } = instruments;
  return createGate({
    clock,
    log,
    audit,
    budget: createFailureBudget(config.limits.failures, { clock, metrics }),
    nextDecisionId: createDecisionIds(clock),
    decided: (route, reason, milliseconds) => requests.decided(route, reason, milliseconds),
  });
}

function readinessOf(draining: boolean, audit: RunningAuditLog): Readiness {
  const writable = audit.writable();
  return {
    ready: writable && !draining,
    checks: {
      listeners: draining ? "draining" : "accepting",
      audit: writable ? "writable" : "cannot be written; traffic is refused",
    },
  };
}

function registerConnectionMetrics(listeners: readonly Listener[], { metrics }: Instruments): void {
  metrics.sampled("sallyport_connections", "Connections of callers open now.", () =>
    listeners.reduce((sum, listener) => sum + listener.connections, 0),
  );
  metrics.sampled(
    "sallyport_connections_refused",
    "Connections closed because as many as allowed were open.",
    () => listeners.reduce((sum, listener) => sum + listener.refused, 0),
  );
}

function textOf(address: { readonly host: string; readonly port: number }): string {
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}
