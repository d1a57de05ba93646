/**
 * The process that does not serve: starts workers that share the addresses, starts them again when
 * they end, gives each the same configuration, counts their rate limits, adds up their metrics, and
 * ends them in order. It sees no request, so nothing that a caller sends can end it.
 */
import type { Socket } from "node:net";
import type { Readiness } from "../../admin/health.ts";
import { ConfigError, SallyportError } from "../../model/errors.ts";
import type { FeedConsumer } from "../../model/feed.ts";
import type { Counter, Family, Log } from "../../model/ports.ts";
import { registerProcessMetrics } from "../../telemetry/process-metrics.ts";
import { renderMetrics } from "../../telemetry/metrics.ts";
import { sumFamilies } from "../../telemetry/sum-families.ts";
import { type ConfigStatus, createConfigStatus } from "../config-status.ts";
import { type AssertionSigning, signingAlone } from "../assertion-signing.ts";
import type { Config } from "../../config/schema.ts";
import type { Standing } from "../authority/standing.ts";
import { refuseFixed } from "../instance.ts";
import type { Instruments } from "../instruments.ts";
import { type PreparedSource, type Sallyport, type Surroundings, warnOf } from "../sallyport.ts";
import type { Prepared } from "../prepare.ts";
import { createDoors } from "../operators.ts";
import { EarlyEvents } from "../keeping/early-events.ts";
import { type Keeping, openKeeping } from "../keeping/keeping.ts";
import { createReloads, type Reloads } from "../reloads.ts";
import { openOperatorGate, type OperatorGate } from "./operator-gate.ts";
import { LeaseOffice } from "./leases.ts";
import { answerIssuing } from "./issuing.ts";
import { createRedisMemory, type RedisMemory } from "../../memory/redis-memory.ts";
import { readFileBytes } from "../../platform/files.ts";
import { answerFrom } from "./memory.ts";
import { type Bound, type Channel, isFromWorker, openChannel, PROTOCOL } from "./protocol.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";
import { spreadQuotas, tellQuotas } from "./quotas.ts";
import { openRunFolder, type RunFolder } from "./run-folder.ts";
import { Slot } from "./slot.ts";
import { encodePrepared } from "./transfer.ts";

const LIMITS = {
  /** Milliseconds in which the workers of a supervisor that crashed find this one; they look every 200. */
  adoptMs: 1000,
  /** Milliseconds between looks at what workers count: what one that crashes loses of its counts. */
  collectMs: 1000,
  /** Milliseconds from cutting off what is in flight to ending the process. */
  killMs: 5000,
} as const;

export interface SupervisorOptions extends PreparedSource {
  readonly workers: number;
}

/** Resolves when every worker accepts connections. Throws what keeps the first one from it. */
export async function startSupervisor(
  options: SupervisorOptions,
  around: Surroundings,
): Promise<Sallyport> {
  const supervisor = new Supervisor(options, around);
  try {
    await supervisor.start();
  } catch (error) {
    await supervisor.close({ atOnce: true });
    throw error;
  }
  return supervisor;
}

class Supervisor implements Sallyport {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #around: Surroundings;
  readonly #instruments: Instruments;
  readonly #standing: Standing | undefined;
  readonly #signing: AssertionSigning | undefined;
  readonly #status: ConfigStatus;
  readonly #office: LeaseOffice;
  /** When what workers hold in common was lost with a supervisor that had not ended in order; 0: it was not. */
  #memoryLostAt = 0;
  readonly #restarts: Family<Counter>;
  readonly #stopProcessMetrics: () => void;
  #slots: readonly Slot[] = [];
  /** Workers of another version: they serve until ours do. */
  readonly #strangers = new Set<Channel<ToWorker>>();
  #prepared: Prepared;
  #parts: readonly string[];
  #revision = 1;
  #folder: RunFolder | undefined;
  #reloads: Reloads | undefined;
  #collector: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #operators: OperatorGate | undefined;
  /** Reads the log of all workers back. */
  #keeping: Keeping | undefined;
  /** What quotas across machines are counted in. */
  #shared: RedisMemory | undefined;
  readonly #events = new EarlyEvents();
  readonly #drain = Promise.withResolvers<void>();
  #starting = true;

  constructor(options: SupervisorOptions, around: Surroundings) {
    this.#options = options;
    this.#around = around;
    this.#instruments = around.instruments;
    this.#log = around.instruments.log;
    this.#prepared = options.prepared;
    this.#parts = encodePrepared(options.prepared);
    const { metrics, clock } = this.#instruments;
    this.#office = new LeaseOffice(() => clock.monotonic());
    this.#status = createConfigStatus(
      options.prepared.loaded.hash,
      this.#instruments,
      () => this.#prepared,
    );
    this.#standing = around.backed?.standing;
    const { config } = options.prepared.loaded;
    this.#signing = around.backed?.signing ?? signingAlone(config, this.#instruments);
    this.#stopProcessMetrics = registerProcessMetrics(metrics);
    this.#restarts = metrics.counter(
      "sallyport_worker_restarts",
      "Workers that ended by themselves and were started again.",
      ["worker"],
    );
    metrics.sampled("sallyport_workers", "Workers that serve.", () => this.#serving().length);
    metrics.sampled("sallyport_workers_wanted", "Workers that should.", () => this.#slots.length);
  }

  get listeners(): readonly Bound[] {
    return this.#serving()[0]?.listeners ?? [];
  }

  get adminScheme(): "http" | "https" {
    return this.#around.desk.scheme;
  }

  get drainAsked(): Promise<void> {
    return this.#drain.promise;
  }

  get admin(): string | undefined {
    return this.#around.desk.address;
  }

  async start(): Promise<void> {
    const { workers, file, prepare } = this.#options;
    const { config } = this.#prepared.loaded;
    const backing = this.#around.backed?.backing;
    this.#instruments.log.adjust(config.log);
    warnOf(this.#prepared, this.#log);
    this.#signing?.serves(config);
    await this.#instruments.quotas.open(config, { book: true });
    const { quotas } = this.#instruments;
    this.#keeping = await openKeeping(config, {
      ...this.#instruments,
      events: this.#events,
      news: (news) => {
        if (news.topic === "quotas") {
          spreadQuotas(quotas.usedBefore(news.steps), { slots: this.#slots });
        }
      },
    });
    this.#shareQuotas(config);
    this.#slots = Array.from({ length: workers }, (_, index) => this.#slot(index + 1));
    this.#folder = await openRunFolder(config.supervisor.folder, (socket) => this.#greet(socket));
    if (this.#folder.abandoned) {
      this.#memoryLostAt = this.#instruments.clock.now();
      this.#log.warn("supervisor: the last one has not ended in order; taking its workers over");
      await pause(LIMITS.adoptMs);
    }
    // One first: it finds out what cannot be bound, and what port 0 becomes.
    const [first, ...others] = this.#slots.toSorted(
      (a, b) => Number(b.connected) - Number(a.connected),
    );
    if (first === undefined) throw new TypeError("a supervisor without workers");
    await this.#bring(first);
    await Promise.all(others.map((slot) => this.#bring(slot)));
    this.#starting = false;
    for (const stranger of this.#strangers) stranger.send({ type: "drain", atOnce: false });
    await this.#openDoors();
    await backing?.inForce(this.#prepared, "start");
    this.#collect();
    this.#reloads = createReloads(
      {
        reload: async () => {
          const hash = await this.#swap(await prepare());
          await backing?.inForce(this.#prepared, "asked");
          return hash;
        },
        config: () => this.#prepared.loaded.config,
        file,
      },
      { log: this.#log, status: this.#status },
    );
  }

  /** Across machines, where the configuration says so: workers count with us. */
  #shareQuotas({ usage, shared }: Config): void {
    if (usage?.across !== "cluster" || shared === undefined) return;
    this.#shared = createRedisMemory(shared, { ...this.#instruments, readFile: readFileBytes });
    // Not waited for: it never rejects, and quotas go on without it.
    void this.#shared.start();
    this.#instruments.quotas.share(this.#shared.quotas, (steps) => {
      spreadQuotas(steps, { slots: this.#slots });
      const { meter } = this.#instruments.quotas;
      this.#keeping?.usedElsewhere(meter?.asLogged(steps) ?? steps);
    });
  }

  async reload(): Promise<void> {
    await this.#reloads?.reload();
  }

  close({ atOnce = false }: { readonly atOnce?: boolean } = {}): Promise<void> {
    if (atOnce && this.#closing !== undefined) this.#hurry();
    this.#closing ??= this.#close(atOnce);
    return this.#closing;
  }

  async #close(atOnce: boolean): Promise<void> {
    this.#reloads?.stop();
    clearTimeout(this.#collector);
    const ended = Promise.all(this.#slots.map((slot) => slot.end(atOnce)));
    const { delay, grace } = this.#prepared.loaded.config.shutdown;
    if (atOnce) this.#hurry();
    // A worker that does not end by itself when it should have is ended.
    else setTimeout(() => this.#hurry(), delay + grace + LIMITS.killMs).unref();
    await ended;
    await this.#instruments.quotas.close();
    this.#shared?.close();
    this.#stopProcessMetrics();
    await this.#folder?.close();
    this.#around.backed?.stop();
    this.#signing?.close();
    await this.#keeping?.hush();
    try {
      await this.#operators?.close();
    } finally {
      await this.#keeping?.close();
    }
    await this.#around.backed?.backing.close();
    await this.#around.desk.close();
  }

  #hurry(): void {
    for (const slot of this.#slots) void slot.end(true);
    setTimeout(() => {
      for (const slot of this.#slots) slot.kill("SIGKILL");
    }, LIMITS.killMs).unref();
  }

  #slot(number: number): Slot {
    const { log, instruments } = { log: this.#log, instruments: this.#instruments };
    return new Slot(number, {
      log,
      now: () => instruments.clock.monotonic(),
      socket: `${this.#prepared.loaded.config.supervisor.folder}/supervisor.sock`,
      joined: (slot) => {
        this.#pass(slot);
        this.#joined(slot);
      },
      restarted: (slot) => this.#restarts.with(String(slot.number)).inc(),
    });
  }

  // Workers come

  #greet(socket: Socket): void {
    let slot: Slot | undefined;
    const channel: Channel<ToWorker> = openChannel<ToWorker>(socket, {
      message: (message) => {
        if (!isFromWorker(message)) {
          this.#log.warn("supervisor: a message that no worker sends; its connection is closed");
          channel.close();
        } else if (message.type === "hello") slot = this.#seat(message, channel);
        else if (slot !== undefined) this.#received(slot, message, channel);
      },
      close: () => {
        this.#strangers.delete(channel);
        slot?.detach(channel);
      },
    });
  }

  #seat(
    hello: FromWorker & { readonly type: "hello" },
    channel: Channel<ToWorker>,
  ): Slot | undefined {
    const { protocol, number, pid } = hello;
    const slot = this.#slots[number - 1];
    if (protocol === PROTOCOL && slot !== undefined && !slot.connected) {
      // Where it is bound is known before it serves again: others may be started meanwhile.
      if (hello.listeners.length > 0) slot.listeners = hello.listeners;
      slot.attach(channel, pid);
      return slot;
    }
    this.#log.info("supervisor: a worker of an earlier one will end", { worker: number, pid });
    if (this.#starting) this.#strangers.add(channel);
    else channel.send({ type: "drain", atOnce: false });
    return undefined;
  }

  /** Before its configuration: a worker must know what is revoked when it accepts its first request. */
  #pass(slot: Slot): void {
    tellQuotas(slot, this.#instruments.quotas, this.#instruments.clock.now());
    if (this.#signing?.local !== undefined) slot.sign(this.#signing.issuer, this.#signing.local);
    const backing = this.#around.backed?.backing;
    if (backing === undefined) return;
    slot.follow(backing, (consumer: FeedConsumer) => backing.follow(consumer));
  }

  #waiting = new Map<Slot, PromiseWithResolvers<void>>();

  /** Starts a worker, or takes the one that is there; settles when it serves. */
  async #bring(slot: Slot): Promise<void> {
    if (slot.connected) {
      await this.#serve(slot);
      return;
    }
    const joined = Promise.withResolvers<void>();
    this.#waiting.set(slot, joined);
    slot.start();
    await joined.promise;
    await this.#serve(slot);
  }

  #joined(slot: Slot): void {
    const waiting = this.#waiting.get(slot);
    this.#waiting.delete(slot);
    if (waiting !== undefined) waiting.resolve();
    // During the start, who was taken over waits for its turn.
    else if (!this.#starting) {
      this.#serve(slot).catch((error: unknown) => this.#failed(slot, error));
    }
  }

  async #serve(slot: Slot): Promise<void> {
    await slot.serve(this.#parts, {
      revision: this.#revision,
      of: this.#slots.length,
      addresses: this.listeners,
    });
    this.#log.info("supervisor: a worker serves", { worker: slot.number, pid: slot.pid });
  }

  #failed(slot: Slot, error: unknown): void {
    this.#log.error("supervisor: a worker does not take the configuration; it is started anew", {
      worker: slot.number,
      error: error instanceof Error ? error : new Error(String(error)),
    });
    slot.kill("SIGTERM");
  }

  #received(slot: Slot, message: FromWorker, channel: Channel<ToWorker>): void {
    if (message.type === "lease") {
      const { seq } = message;
      channel.send({ type: "granted", seq, ...this.#office.lease(message, this.#slots.length) });
    } else if (message.type === "remember") {
      const { seq } = message;
      const answer = answerFrom(this.#instruments.memory, message, this.#memoryLostAt);
      channel.send({ type: "remembered", seq, ...answer });
    } else if (message.type === "issue") {
      this.#issue(message, channel);
    } else if (message.type === "client-used") {
      this.#around.backed?.backing.issuing?.used(message.id, message.atMs);
    } else if (message.type === "quotas") {
      this.#instruments.quotas.used(message.steps);
      spreadQuotas(message.steps, { slots: this.#slots, from: slot });
    } else if (message.type === "used") {
      this.#around.backed?.backing.used(message.uses);
    } else if (message.type === "give-back") {
      this.#office.giveBack(message.id, message.key, message.cost);
    } else {
      slot.received(message, ({ message: text, problems }) =>
        problems === undefined
          ? new SallyportError("listen-failed", text)
          : new ConfigError(problems),
      );
    }
  }

  #issue(message: FromWorker & { readonly type: "issue" }, channel: Channel<ToWorker>): void {
    const { seq } = message;
    answerIssuing(this.#around.backed?.backing.issuing, message).then(
      (answer) => channel.send({ type: "issued", seq, ...answer }),
      (error: unknown) => {
        // What no worker of this version asks for.
        this.#log.error("supervisor: a key could not be issued", {
          error: error instanceof Error ? error : new Error(String(error)),
        });
        channel.send({ type: "issued", seq, fault: "signing-unavailable" });
      },
    );
  }

  // Reload

  /** One worker first: if it cannot, nothing has changed. Then all others at once. */
  async #swap(next: Prepared): Promise<string> {
    warnOf(next, this.#log);
    refuseFixed(this.#prepared.loaded.config, next.loaded.config, next.loaded.file);
    const [first, ...others] = this.#serving();
    if (first === undefined) throw new SallyportError("io-failed", "no worker serves");
    const parts = encodePrepared(next);
    const revision = this.#revision + 1;
    const of = this.#slots.length;
    await first.serve(parts, { revision, of, addresses: this.listeners });
    await this.#operators?.reload(next);
    this.#signing?.serves(next.loaded.config);
    this.#instruments.log.adjust(next.loaded.config.log);
    this.#prepared = next;
    this.#parts = parts;
    this.#revision = revision;
    await Promise.all(
      others.map(async (slot) => {
        try {
          await slot.serve(parts, { revision, of, addresses: first.listeners ?? [] });
        } catch (error) {
          this.#failed(slot, error);
        }
      }),
    );
    return next.loaded.hash;
  }

  // What operators see

  #serving(): readonly Slot[] {
    return this.#slots.filter((slot) => slot.connected && slot.listeners !== undefined);
  }

  /** Calls of operators are decided here, by the same policies, and recorded in a log of our own. */
  async #openDoors(): Promise<void> {
    const { backed, desk } = this.#around;
    const backing = backed?.backing;
    const operators = await openOperatorGate(this.#prepared, this.#instruments, this.#standing);
    this.#operators = operators;
    this.#events.goTo(operators.audit);
    desk.answer(
      await createDoors({
        instruments: this.#instruments,
        backing,
        gate: operators.gate,
        snapshot: () => operators.snapshot,
        prepared: () => this.#prepared,
        status: this.#status,
        readiness: async () => {
          await this.#ask();
          const authority = this.#standing && { ...this.#standing.detail(), ...backing?.detail() };
          return { ...this.#readiness(), ...(authority && { authority }) };
        },
        metrics: async (accept) => {
          await this.#ask();
          const lists = this.#slots.map(({ families }) => families);
          const own = this.#instruments.metrics.families();
          const keeping = (await this.#keeping?.families()) ?? [];
          return renderMetrics(sumFamilies([own, keeping, ...lists]), accept);
        },
        listeners: () => this.listeners,
        workers: () => ({ serving: this.#serving().length, wanted: this.#slots.length }),
        reload: () => this.reload(),
        drain: () => this.#drain.resolve(),
      }),
    );
  }

  #readiness(): Readiness {
    const reports = this.#serving().flatMap(({ report }) => report ?? []);
    const ready = reports.filter((report) => report.ready);
    const shown = reports.find((report) => !report.ready) ?? reports[0];
    const trouble = this.#keeping?.trouble;
    return {
      ready: ready.length > 0 && this.#closing === undefined,
      checks: {
        workers: `${ready.length} of ${this.#slots.length} ready`,
        ...shown?.checks,
        ...(trouble === undefined ? {} : { auditKeeping: trouble }),
        ...(this.#closing === undefined ? {} : { listeners: "draining" }),
      },
    };
  }

  async #ask(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.ask()));
  }

  #collect(): void {
    this.#collector = setTimeout(() => {
      void this.#ask().finally(() => {
        if (this.#closing === undefined) this.#collect();
      });
    }, LIMITS.collectMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
