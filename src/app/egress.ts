/** The sidecar of this process: its keys and ways to services, its gate, and its listeners. */
import type { RunningAuditLog } from "../audit/log.ts";
import type { Config } from "../config/schema.ts";
import { createEgressHandler } from "../egress/egress-handler.ts";
import { createEgress } from "../egress/egress.ts";
import type { EgressListenerOptions, EgressOptions } from "../egress/egress-options.ts";
import { createGate } from "../gate/gate.ts";
import type { GateDeps } from "../gate/step.ts";
import { listenerSchema } from "../http/listener-options.ts";
import { listen, type Listener } from "../http/listener.ts";
import { workloadParts } from "../http/upstream-tls.ts";
import type { WorkloadPart, WorkloadSource } from "../identity/spiffe/workload-source.ts";
import { NO_REVOCATIONS } from "../model/revocation.ts";
import { exchange } from "../platform/bounded-exchange.ts";
import { readFileBytes } from "../platform/files.ts";
import { openService, openWorkloadApi } from "./build-snapshot.ts";
import type { Instruments } from "./instruments.ts";
import { textOf } from "./listener-set.ts";
import { reportCompleted } from "./report-completed.ts";

export interface RunningEgress {
  /** Where it accepts requests, by listener name. */
  readonly listeners: readonly {
    readonly name: string;
    readonly scheme: "http" | "https";
    readonly address: string;
  }[];
  /** Asks for the first keys; resolves after the first try of each. Then accepts. Rejects with `listen-failed`. */
  open(): Promise<void>;
  readiness(): { readonly ready: boolean; readonly text: string };
  announceEnd(): void;
  /** Ends its listeners; what is in flight has `graceMs`. More than once: the last bound counts. */
  close(graceMs: number): Promise<void>;
  /** Once nothing is in flight. */
  stop(): void;
}

export interface EgressParts {
  readonly gate: GateDeps;
  readonly audit: RunningAuditLog;
}

export function createRunningEgress(
  options: EgressOptions,
  config: Config,
  { gate, audit, ...instruments }: Instruments & EgressParts,
): RunningEgress {
  const workload = openWorkloadApi(config, instruments);
  const egress = createEgress(options, {
    ...instruments,
    random: Math.random,
    readFile: readFileBytes,
    workload,
    send: exchange,
    reach: (name, service) => openService(`egress:${name}`, service, { instruments, workload }),
  });
  const { clock, deadlines, log, metrics, requests, newTraceparent, tracing } = instruments;
  const handler = createEgressHandler({
    ...egress,
    clock,
    log,
    audit,
    newTraceparent,
    tracing,
    // Its callers have no credential that could be taken away, and keys at hand serve while the authority is away.
    gate: createGate({ ...gate, revocations: NO_REVOCATIONS }),
    completed: reportCompleted(requests, log),
  });
  const listeners: Listener[] = [];
  return {
    get listeners() {
      return listeners.map(({ name, scheme, address }) => ({
        name,
        scheme,
        address: placeOf(address),
      }));
    },
    async open() {
      await askFor(workload, options);
      await egress.start();
      for (const one of options.listeners) {
        const { socket: socketFile } = one;
        const deps = { clock, deadlines, log, handler, metrics, socketFile, closedFolder: true };
        listeners.push(await listen(listenerOf(one), deps));
      }
    },
    readiness: () => egress.readiness(),
    announceEnd() {
      for (const listener of listeners) listener.announceEnd();
    },
    async close(graceMs) {
      await Promise.all(listeners.map((listener) => listener.close(graceMs)));
    },
    stop() {
      egress.close();
      workload?.close();
    },
  };
}

async function askFor(
  workload: WorkloadSource | undefined,
  { identity, allow }: EgressOptions,
): Promise<void> {
  const parts = new Set<WorkloadPart>(identity.workloadApi === true ? ["svid"] : []);
  for (const { tls } of Object.values(allow)) {
    if (tls !== undefined) for (const part of workloadParts(tls)) parts.add(part);
  }
  if (workload === undefined) return;
  await Promise.all([...parts].map((part) => workload.want(part)));
}

function listenerOf({ name, address, http2, limits }: EgressListenerOptions) {
  // Of a socket the address says nothing: it is bound to the file.
  const plain = listenerSchema.parse({ name, address: address ?? "127.0.0.1:0" });
  return { ...plain, http2, limits };
}

function placeOf(address: Listener["address"]): string {
  return address.host.startsWith("/") ? address.host : textOf(address);
}
