/**
 * One serving process: a prepared configuration as running instances, how it takes the next one, and
 * how it ends. It has no operators' listener: the process alone puts one beside it, workers have
 * their supervisor's.
 */
import { randomBytes } from "node:crypto";
import type { Readiness } from "../admin/health.ts";
import { createAuditLog, type RunningAuditLog } from "../audit/log.ts";
import type { AuditLog } from "../model/records.ts";
import { isKeeper } from "../authority/authority-options.ts";
import type { Config } from "../config/schema.ts";
import { createTokenEndpoints } from "../authority/token/token-endpoints.ts";
import { createGate, type Gate } from "../gate/gate.ts";
import type { GateDeps } from "../gate/step.ts";
import type { ListenerOptions } from "../http/listener-options.ts";
import { listen } from "../http/listener.ts";
import { createListenerTls, type ListenerTls } from "../http/listener-tls.ts";
import { type AdjustableFailureBudget, createFailureBudget } from "../limits/failure-budget.ts";
import type { RedisMemory } from "../memory/redis-memory.ts";
import { ConfigError } from "../model/errors.ts";
import type { KeyIssuing } from "../model/issued-keys.ts";
import { NO_REVOCATIONS, type Revocations } from "../model/revocation.ts";
import { createDecisionIds } from "../platform/decision-id.ts";
import { readFileBytes } from "../platform/files.ts";
import type { WorkloadSource } from "../identity/spiffe/workload-source.ts";
import { HeldBytes } from "../http/held-bytes.ts";
import { createProxyHandler, type HandlerDeps } from "../proxy/handler.ts";
import { createLoginEndpoints } from "../proxy/login.ts";
import { createWellKnown } from "../proxy/well-known.ts";
import { createStreams, type Streams } from "../proxy/streams.ts";
import type { FamilyText } from "../telemetry/exposition.ts";
import { sumFamilies } from "../telemetry/sum-families.ts";
import { registerProcessMetrics } from "../telemetry/process-metrics.ts";
import { allKeys, type AssertionSigning } from "./assertion-signing.ts";
import type { Standing } from "./authority/standing.ts";
import { publishAuthorities } from "./authenticators.ts";
import { buildSnapshot, openWorkloadApi, type RunningSnapshot } from "./build-snapshot.ts";
import { registerPlaces } from "./place-metrics.ts";
import type { Instruments } from "./instruments.ts";
import { type Keeping, openKeeping } from "./keeping/keeping.ts";
import { openShared } from "./shared-memory.ts";
import { reportCompleted } from "./report-completed.ts";
import { ListenerSet, textOf } from "./listener-set.ts";
import type { Prepared } from "./prepare.ts";
import { warnOfOpenFiles } from "./open-files.ts";
import { createRunningEgress, type RunningEgress } from "./egress.ts";
import { ALONE, type Seat, seated } from "./seat.ts";

const LIMITS = {
  /** What was decided by a former snapshot may ask it for keys until its request has ended. */
  formerMs: 30_000,
} as const;

export interface Instance {
  /** Where it accepts requests, by listener name. */
  readonly listeners: readonly {
    readonly name: string;
    readonly scheme: "http" | "https";
    readonly address: string;
  }[];
  /** In force now. */
  readonly config: Config;
  readonly configHash: string;
  readonly prepared: Prepared;
  /** What the gate decides with: the operators' gate has the same. */
  readonly gate: GateDeps;
  /** What it decides by now. */
  readonly snapshot: RunningSnapshot;
  readiness(): Readiness;
  /** What it counts, with what the thread that keeps its log does. */
  families(): Promise<readonly FamilyText[]>;
  /**
   * Puts another configuration in force for the requests that come, by one assignment. Throws
   * ConfigError (or SallyportError where an address cannot be had), and changes nothing, where it
   * changes what only a restart can change.
   */
  reload(prepared: Prepared, seat?: Seat): Promise<void>;
  /**
   * Not ready; after `shutdown.delay` accepts no more; lets what is in flight end, at most as long as
   * `shutdown.grace`; closes the audit log last. With `atOnce` neither is waited for, also in a
   * second call while a first one waits.
   */
  close(options?: { readonly atOnce?: boolean }): Promise<void>;
}

/** Where it stands among others, and what it knows from its authority. */
export interface InstancePlace {
  readonly seat?: Seat;
  /** Undefined where there is no authority. */
  readonly standing?: Standing | undefined;
  /** Who signs assertions; undefined where nobody does. */
  readonly signing?: AssertionSigning | undefined;
  /** Issues keys, where the authority is kept on this machine. */
  readonly issuing?: KeyIssuing | undefined;
}

/** Resolves when every listener accepts connections. */
export async function startInstance(
  prepared: Prepared,
  instruments: Instruments,
  { seat = ALONE, standing, signing, issuing }: InstancePlace = {},
): Promise<Instance> {
  const written = prepared.loaded.config;
  const config = seated(written, seat);
  instruments.log.adjust(config.log);
  warnOfOpenFiles(config, instruments.log);
  const shared = openShared(config, instruments);
  instruments.tracing.adjust(config.tracing, { of: seat.of, redact: config.audit.redact });
  const snapshot = await buildSnapshot(prepared, instruments, signing).catch((error: unknown) => {
    shared?.close();
    throw error;
  });
  const instance = seat.instance === undefined ? {} : { instance: seat.instance };
  const audit = await createAuditLog(config.audit, { ...instruments, ...instance });
  await instruments.quotas.open(config, { book: seat === ALONE });
  // A worker's supervisor keeps the log for all of them.
  const keeping =
    seat === ALONE
      ? await openKeeping(config, {
          ...instruments,
          events: audit,
          news: (news) => {
            if (news.topic === "quotas") instruments.quotas.usedBefore(news.steps);
          },
        }).catch(async (error: unknown) => {
          await audit.close();
          shared?.close();
          throw error;
        })
      : undefined;
  const parts = {
    snapshot,
    audit,
    keeping,
    instruments,
    config,
    written,
    seat,
    standing,
    signing,
    issuing,
    shared,
    prepared,
  };
  const running = new RunningInstance(parts);
  await Promise.all([snapshot.start(), running.identify(config), shared?.start()]);
  publishAuthorities(snapshot.authenticators(), instruments);
  if (keeping !== undefined && shared !== undefined && config.usage?.across === "cluster") {
    instruments.quotas.share(shared.quotas, (steps) => {
      keeping.usedElsewhere(instruments.quotas.meter?.asLogged(steps) ?? steps);
    });
  }
  try {
    await running.open(prepared.loaded.file);
  } catch (error) {
    await running.close({ atOnce: true });
    throw error;
  }
  return running;
}

/** What is opened once, at start. */
const FIXED = [
  "admin",
  "audit",
  "signs",
  "usage",
  "accessLog",
  "authority",
  "assertions",
  "egress",
  "workloadApi",
  "shared",
  "workers",
  "supervisor",
] as const;

interface Parts {
  readonly snapshot: RunningSnapshot;
  readonly audit: RunningAuditLog;
  readonly keeping: Keeping | undefined;
  readonly instruments: Instruments;
  readonly config: Config;
  readonly written: Config;
  readonly seat: Seat;
  readonly standing: Standing | undefined;
  readonly signing: AssertionSigning | undefined;
  readonly issuing: KeyIssuing | undefined;
  readonly shared: RedisMemory | undefined;
  readonly prepared: Prepared;
}

class RunningInstance implements Instance {
  readonly #audit: RunningAuditLog;
  /** Undefined in a worker. */
  readonly #keeping: Keeping | undefined;
  readonly #instruments: Instruments;
  readonly #set: ListenerSet;
  readonly #stopProcessMetrics: () => void;
  readonly #streams: Streams;
  readonly #standing: Standing | undefined;
  readonly #signing: AssertionSigning | undefined;
  readonly #shared: RedisMemory | undefined;
  /** Of the listeners, which stay open while snapshots come and go. */
  readonly #workload: WorkloadSource | undefined;
  /** The sidecar; undefined where none is configured. */
  readonly #egress: RunningEgress | undefined;
  readonly gate: AdjustableGateDeps;
  prepared: Prepared;
  /** The one in force; a reload assigns it. */
  #snapshot: RunningSnapshot;
  /** As this process runs it, and as it is written. */
  #config: Config;
  #written: Config;
  #draining = false;
  #closed: Promise<void> | undefined;
  readonly #hurry = Promise.withResolvers<void>();

  constructor(parts: Parts) {
    const { snapshot, instruments, config, written, seat, standing, signing, prepared } = parts;
    this.prepared = prepared;
    this.#snapshot = snapshot;
    this.#audit = parts.audit;
    this.#keeping = parts.keeping;
    const audit = instruments.quotas.watching(parts.audit);
    this.#instruments = instruments;
    this.#config = config;
    this.#written = written;
    this.#standing = standing;
    this.#signing = signing;
    this.#shared = parts.shared;
    this.#workload = openWorkloadApi(config, instruments);
    this.#stopProcessMetrics = registerProcessMetrics(instruments.metrics);
    const { clock, deadlines, log, metrics, requests } = instruments;
    const revocations = standing?.revocations ?? NO_REVOCATIONS;
    this.gate = createGateDeps(config, { audit, revocations }, instruments);
    const gate = createGate(this.gate);
    this.#egress =
      config.egress &&
      createRunningEgress(config.egress, config, {
        ...instruments,
        gate: this.gate,
        audit: parts.audit,
      });
    this.#streams = createStreams({
      ...instruments,
      gate,
      revocations,
      snapshot: () => this.#snapshot.gate,
    });
    const heldBytes = new HeldBytes();
    metrics.sampled(
      "sallyport_held_bytes",
      "Bytes of request bodies held because policies look into them.",
      () => heldBytes.held,
    );
    const handler = createProxyHandler({
      clock,
      log,
      audit,
      gate,
      tracing: instruments.tracing,
      snapshot: () => this.#snapshot,
      heldBytes,
      completed: reportCompleted(requests, log),
      wellKnown: createWellKnown({
        keys: () => allKeys(standing?.keys() ?? [], signing?.published() ?? []),
        metrics,
      }),
      login: createLoginEndpoints({ ...instruments, audit, gate }),
      own: this.#tokenEndpoints(parts, gate),
      streamEnded: (kind, end) => this.#streams.ended(kind, end),
    });
    const deps = { clock, deadlines, log, handler, metrics, reusePort: seat.reusePort };
    this.#set = new ListenerSet((options) =>
      listen(options, { ...deps, tls: listenerTls(options, instruments, this.#workload) }),
    );
    metrics.sampled(
      "sallyport_connections",
      "Connections of callers open now.",
      () => this.#set.connections,
    );
    registerPlaces(metrics, { fill: () => this.#set.fill(), config: () => this.#config });
    metrics.sampled(
      "sallyport_deadlines",
      "Connections, handshakes and tunnels whose time is watched.",
      () => deadlines.size,
    );
    metrics.sampled(
      "sallyport_connections_refused",
      "Connections closed because as many as allowed were open.",
      () => this.#set.refused,
    );
  }

  /** Undefined where nobody issues keys. */
  #tokenEndpoints({ issuing, audit, instruments }: Parts, gate: Gate): HandlerDeps["own"] {
    if (issuing === undefined) return undefined;
    const endpoints = createTokenEndpoints({
      ...instruments,
      issuing,
      audit,
      gate,
      random: randomBytes,
    });
    return (exchange, snapshot) => {
      const { tokens } = this.#snapshot;
      return tokens !== undefined && endpoints.handle(exchange, { gate: snapshot, tokens });
    };
  }

  get listeners(): Instance["listeners"] {
    const open = this.#set.listeners.map(({ name, scheme, address }) => ({
      name,
      scheme,
      address: textOf(address),
    }));
    return [...open, ...(this.#egress?.listeners ?? [])];
  }

  get config(): Config {
    return this.#config;
  }

  get configHash(): string {
    return this.#snapshot.configHash;
  }

  get snapshot(): RunningSnapshot {
    return this.#snapshot;
  }

  /** Asks for what listeners show of themselves. Resolves after the first try; never rejects. */
  async identify({ listeners }: Config): Promise<void> {
    if (listeners.some(({ tls }) => tls?.identity !== undefined)) {
      await this.#workload?.want("svid");
    }
  }

  async open(file: string): Promise<void> {
    const change = await this.#set.change(this.#config.listeners, file);
    await change.commit(0);
    await this.#egress?.open();
  }

  readiness(): Readiness {
    const writable = this.#audit.writable();
    const authority = this.#standing?.check(this.#instruments.clock.now());
    const missing = this.#set.missing;
    const workload = standingText(this.#workload);
    const egress = this.#egress?.readiness();
    const trouble = this.#keeping?.trouble;
    const able = authority?.fresh !== false && egress?.ready !== false;
    return {
      ready: writable && !this.#draining && able && missing === undefined,
      checks: {
        listeners: this.#draining ? "draining" : (missing ?? "accepting"),
        audit: writable ? "writable" : "cannot be written; traffic is refused",
        ...(trouble === undefined ? {} : { auditKeeping: trouble }),
        ...(authority === undefined ? {} : { authority: authority.text }),
        ...(workload === undefined ? {} : { workloadApi: workload }),
        ...(this.#shared === undefined ? {} : { sharedMemory: this.#shared.check() }),
        ...(egress === undefined ? {} : { egress: egress.text }),
      },
    };
  }

  async families(): Promise<readonly FamilyText[]> {
    const own = this.#instruments.metrics.families();
    if (this.#keeping === undefined) return own;
    return sumFamilies([own, await this.#keeping.families()]);
  }

  async reload(prepared: Prepared, seat: Seat = ALONE): Promise<void> {
    const { file, config: written } = prepared.loaded;
    refuseFixed(this.#written, written, file);
    const config = seated(written, seat);
    const next = await buildSnapshot(prepared, this.#instruments, this.#signing);
    try {
      await Promise.all([next.start(), this.identify(config)]);
      // Before listeners are bound that verify callers by what is new.
      publishAuthorities(next.authenticators(), this.#instruments);
      const { redact } = config.audit;
      const trace = this.#instruments.tracing.prepare(config.tracing, { of: seat.of, redact });
      const change = await this.#set.change(config.listeners, file);
      // A drain that began meanwhile goes before: nothing new is opened any more.
      if (this.#draining) return await change.undo();
      const former = this.#snapshot;
      this.#snapshot = next;
      this.gate.budget.adjust(config.limits.failures);
      trace();
      this.#config = config;
      this.#written = written;
      this.prepared = prepared;
      this.#instruments.log.adjust(config.log);
      this.#streams.redecide();
      void change.commit(config.shutdown.grace);
      this.#instruments.timers.after(LIMITS.formerMs, () => former.close());
    } finally {
      if (this.#snapshot !== next) {
        publishAuthorities(this.#snapshot.authenticators(), this.#instruments);
        next.close();
      }
    }
  }

  close({ atOnce = false }: { readonly atOnce?: boolean } = {}): Promise<void> {
    if (atOnce) this.#hurry.resolve();
    this.#closed ??= this.#close(atOnce);
    return this.#closed;
  }

  async #close(atOnce: boolean): Promise<void> {
    const { delay, grace } = this.#config.shutdown;
    this.#draining = true;
    this.#set.announceEnd();
    this.#egress?.announceEnd();
    if (!atOnce && delay > 0) await this.#wait(delay);
    const close = async (ms: number): Promise<void> => {
      await Promise.all([this.#set.close(ms), this.#egress?.close(ms)]);
    };
    const ended = close(atOnce ? 0 : grace);
    void this.#hurry.promise.then(() => close(0));
    await ended;
    this.#egress?.stop();
    this.#streams.close();
    if (this.#keeping !== undefined) await this.#instruments.quotas.close();
    this.#shared?.close();
    this.#snapshot.close();
    this.#workload?.close();
    this.#stopProcessMetrics();
    await this.#keeping?.hush();
    const traces = this.#instruments.tracing.close();
    try {
      await this.#audit.close();
    } finally {
      await Promise.all([traces, this.#keeping?.close()]);
    }
  }

  async #wait(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const time = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([time, this.#hurry.promise]);
    clearTimeout(timer);
  }
}

/** Files that cannot be used were found by loading the configuration; what is left is a race. */
function listenerTls(
  { name, tls }: ListenerOptions,
  { clock, timers, log, metrics, trust }: Instruments,
  workload: WorkloadSource | undefined,
): ListenerTls | undefined {
  if (tls === undefined) return undefined;
  const authorities = trust.of(tls.clients?.authenticators ?? []);
  const deps = { clock, timers, log, metrics, workload, authorities, readFile: readFileBytes };
  return createListenerTls(name, tls, deps);
}

/** One text of all that is asked of the agent; undefined where nothing is. */
function standingText(workload: WorkloadSource | undefined): string | undefined {
  const parts = Object.entries(workload?.standing() ?? {});
  return parts.length === 0 ? undefined : parts.map(([part, text]) => `${part} ${text}`).join("; ");
}

/** Throws ConfigError where a reload would have to change what is opened once. */
export function refuseFixed(running: Config, wanted: Config, file: string): void {
  const changed = FIXED.filter((key) => fixedText(wanted, key) !== fixedText(running, key));
  if (changed.length === 0) return;
  const message = `${changed.join(" and ")} changed, which a reload cannot put in force`;
  throw new ConfigError([{ file, message, remedy: "restart, or undo that change" }]);
}

/** Who gets what is published anew with each configuration, and so is who can get keys: they may change. */
function fixedText(config: Config, key: (typeof FIXED)[number]): string | undefined {
  const part = config[key];
  const fixed =
    key === "authority" && isKeeper(config.authority)
      ? { ...config.authority, proxies: undefined, clients: undefined, tokens: undefined }
      : part;
  // Attributes may be whole numbers that JSON does not know.
  return JSON.stringify(fixed, (_, value: unknown) =>
    typeof value === "bigint" ? `${value}n` : value,
  );
}

/** With what a reload changes in place. */
export interface AdjustableGateDeps extends GateDeps {
  readonly budget: AdjustableFailureBudget;
}

/** What a gate of this process decides with. */
export function createGateDeps(
  config: Config,
  { audit, revocations }: { readonly audit: AuditLog; readonly revocations: Revocations },
  { clock, log, metrics, requests, quotas, tracing }: Instruments,
): AdjustableGateDeps {
  return {
    clock,
    log,
    audit,
    quotas: quotas.meter,
    budget: createFailureBudget(config.limits.failures, { clock, metrics }),
    revocations,
    nextDecisionId: createDecisionIds(clock),
    tracing,
    decided: (route, reason, milliseconds, grpc, id) =>
      requests.decided(route, reason, milliseconds, grpc, id),
    unbound: (route) => requests.unbound(route),
    shadowed: (outcome) => requests.shadowed(outcome),
  };
}
