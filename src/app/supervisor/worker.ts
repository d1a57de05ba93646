/**
 * A worker process: serves what its supervisor gives it. When the supervisor is gone it goes on
 * serving, with its share of the limits, and looks for the next one until that is there.
 */
import { connect } from "node:net";
import { ConfigError } from "../../model/errors.ts";
import type { KeyIssuing } from "../../model/issued-keys.ts";
import type { AdjustableLog } from "../../model/ports.ts";
import { HandedSigning } from "../assertion-signing.ts";
import { createStanding, type Standing } from "../authority/standing.ts";
import { type Instance, startInstance } from "../instance.ts";
import { createInstruments, type Instruments } from "../instruments.ts";
import type { Seat } from "../seat.ts";
import { type LeaseRequest, type LeaseSource, leasedLimiters } from "./leases.ts";
import {
  type IssuingAnswer,
  type IssuingRequest,
  type IssuingSource,
  supervisedIssuing,
} from "./issuing.ts";
import {
  type MemoryAnswer,
  type MemoryRequest,
  type MemorySource,
  supervisedMemory,
} from "./memory.ts";
import { type Channel, type FromWorker, openChannel, PROTOCOL, type ToWorker } from "./protocol.ts";
import { LIMITS as QUOTA_LIMITS, pages } from "./quotas.ts";
import { PreparedReader } from "./transfer.ts";

const LIMITS = {
  /** Milliseconds between looks for a supervisor. */
  retryMs: 200,
  /** Milliseconds for an answer about a limit; a supervisor that is slower counts as gone until it says something. */
  answerMs: 1000,
} as const;

export interface WorkerOptions {
  /** The supervisor's socket. */
  readonly socket: string;
  readonly number: number;
}

/** Resolves to the exit code when it has ended. `atOnce` asks a drain not to wait any more. */
export function startWorker(
  options: WorkerOptions,
  log: AdjustableLog,
): { readonly ended: Promise<number>; drain(atOnce: boolean): void } {
  const worker = new Worker(options, log);
  worker.connect();
  return { ended: worker.ended, drain: (atOnce) => worker.drain(atOnce) };
}

class Worker implements LeaseSource, MemorySource, IssuingSource {
  readonly #options: WorkerOptions;
  readonly #log: AdjustableLog;
  readonly #instruments: Instruments;
  readonly #reader = new PreparedReader();
  readonly #asked = new Map<number, (answer: ToWorker | undefined) => void>();
  readonly #ended = Promise.withResolvers<number>();
  #channel: Channel<FromWorker> | undefined;
  #instance: Instance | undefined;
  /** What the authority says, by way of the supervisor; undefined where there is none. */
  #standing: Standing | undefined;
  #signing: HandedSigning | undefined;
  /** Undefined where the authority is kept elsewhere. */
  #issuing: KeyIssuing | undefined;
  #draining = false;
  #lost = false;
  /** Whether the supervisor, though connected, has left a question without an answer. */
  #mute = false;
  #seq = 0;
  /** One configuration after the other. */
  #turn: Promise<void> = Promise.resolve();
  of = 1;
  lostAt = 0;

  constructor(options: WorkerOptions, log: AdjustableLog) {
    this.#options = options;
    this.#log = log;
    this.#instruments = createInstruments(log, {
      createRateLimiter: leasedLimiters(this),
      shared: supervisedMemory(this),
    });
  }

  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  connect(): void {
    const socket = connect(this.#options.socket);
    socket.once("connect", () => this.#connected());
    this.#channel = openChannel<FromWorker>(socket, {
      message: (message) => this.#received(message as ToWorker),
      close: () => this.#disconnected(),
    });
  }

  drain(atOnce: boolean): void {
    if (!this.#draining) {
      this.#draining = true;
      void this.#turn.then(() => this.#end());
    }
    if (atOnce) void this.#instance?.close({ atOnce });
  }

  // LeaseSource

  get connected(): boolean {
    return this.#channel?.closed === false && !this.#lost && !this.#mute;
  }

  async ask(request: LeaseRequest): Promise<Granted | undefined> {
    const answer = await this.#question((seq) => ({ type: "lease", seq, ...request }));
    return answer?.type === "granted" ? answer : undefined;
  }

  giveBack(id: string, key: string, cost: number): void {
    this.#channel?.send({ type: "give-back", id, key, cost });
  }

  // MemorySource

  async remember(request: MemoryRequest): Promise<MemoryAnswer | undefined> {
    const answer = await this.#question((seq) => ({ type: "remember", seq, ...request }));
    return answer?.type === "remembered" ? answer : undefined;
  }

  // IssuingSource

  async issue(
    request: IssuingRequest,
    patienceMs: number | undefined,
  ): Promise<IssuingAnswer | undefined> {
    const answer = await this.#question((seq) => ({ type: "issue", seq, ...request }), patienceMs);
    return answer?.type === "issued" ? answer : undefined;
  }

  clientUsed(id: string, atMs: number): void {
    this.#send({ type: "client-used", id, atMs });
  }

  /**
   * Undefined where no answer comes in time. `patienceMs`: of what the supervisor has to ask somebody else
   * for, so that a late answer says nothing about itself.
   */
  #question(make: (seq: number) => FromWorker, patienceMs?: number): Promise<ToWorker | undefined> {
    const seq = ++this.#seq;
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.#asked.delete(seq);
        if (patienceMs === undefined) this.#silent();
        resolve(undefined);
      }, patienceMs ?? LIMITS.answerMs);
      this.#asked.set(seq, (answer) => {
        clearTimeout(late);
        resolve(answer);
      });
      this.#send(make(seq));
    });
  }

  /** It is there and does not answer: requests must not wait for it, nor what is asked pile up. */
  #silent(): void {
    if (this.#mute) return;
    this.#mute = true;
    this.#log.warn("worker: the supervisor does not answer; serving on", this.#who());
  }

  // Events

  #connected(): void {
    if (this.#lost) this.#log.info("worker: a supervisor is there again", this.#who());
    this.#lost = false;
    const { number } = this.#options;
    const listeners = this.#instance?.listeners ?? [];
    this.#send({ type: "hello", protocol: PROTOCOL, number, pid: process.pid, listeners });
  }

  #disconnected(): void {
    for (const resolve of this.#asked.values()) resolve(undefined);
    this.#asked.clear();
    if (this.#draining) return;
    if (this.#instance === undefined) {
      this.#ended.resolve(1);
      return;
    }
    if (!this.#lost) this.#log.warn("worker: the supervisor is gone; serving on", this.#who());
    this.#lost = true;
    // What it remembered is gone with it; the next one begins with nothing.
    this.lostAt = this.#instruments.clock.now();
    setTimeout(() => {
      if (!this.#draining) this.connect();
    }, LIMITS.retryMs);
  }

  #received(message: ToWorker): void {
    if (this.#mute) this.#log.info("worker: the supervisor answers again", this.#who());
    this.#mute = false;
    switch (message.type) {
      case "part":
        this.#reader.add(message.data);
        break;
      case "config":
        this.#turn = this.#turn.then(() => this.#take(message));
        break;
      case "authority":
        this.#backed(message);
        break;
      case "signing":
        this.#signs(message);
        break;
      case "feed":
        this.#standing?.apply(message.change, message.at, { reset: message.reset });
        break;
      case "current":
        this.#standing?.current(message.at, message.asOfMs);
        break;
      case "quotas":
        this.#instruments.quotas.merge(message.steps, message.reset);
        break;
      case "report":
        this.#report(message.seq);
        break;
      case "granted":
      case "remembered":
      case "issued":
        this.#asked.get(message.seq)?.(message);
        this.#asked.delete(message.seq);
        break;
      case "drain":
        this.drain(message.atOnce);
        break;
    }
  }

  /** What began to serve without an authority cannot begin to ask it: another process takes its place. */
  #backed({ maxStalenessMs, issuer }: ToWorker & { readonly type: "authority" }): void {
    if (this.#standing !== undefined) {
      if (this.#issuing?.issuer !== issuer) this.drain(false);
      return;
    }
    if (this.#instance === undefined) {
      this.#issuing = issuer === undefined ? undefined : supervisedIssuing(issuer, this);
      this.#standing = createStanding(
        { maxStalenessMs, used: (uses) => this.#send({ type: "used", uses }) },
        this.#instruments,
      );
    } else {
      this.drain(false);
    }
  }

  /** What began to serve as another issuer, or as none, is not turned into this one: another process takes its place. */
  #signs({ issuer, keys }: ToWorker & { readonly type: "signing" }): void {
    const changed = this.#signing?.issuer !== issuer;
    if (changed && this.#instance !== undefined) {
      this.drain(false);
      return;
    }
    this.#signing ??= new HandedSigning(issuer, this.#instruments.clock);
    this.#signing.take(keys);
  }

  async #take({ revision, of, addresses }: ToWorker & { readonly type: "config" }): Promise<void> {
    const prepared = this.#reader.take();
    this.of = of;
    const seat: Seat = {
      of,
      reusePort: true,
      instance: `${process.pid}-w${this.#options.number}`,
      addresses: new Map(addresses.map(({ name, address }) => [name, address])),
    };
    try {
      if (this.#instance === undefined) {
        const place = {
          seat,
          standing: this.#standing,
          signing: this.#signing,
          issuing: this.#issuing,
        };
        this.#instance = await startInstance(prepared, this.#instruments, place);
        if ((this.#instruments.quotas.meter?.periods.length ?? 0) > 0) {
          setInterval(() => this.#tellQuotas(), QUOTA_LIMITS.reportMs).unref();
        }
      } else {
        await this.#instance.reload(prepared, seat);
      }
      this.#send({ type: "serving", revision, listeners: this.#instance.listeners });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const problems = error instanceof ConfigError ? error.problems : undefined;
      this.#send({ type: "failed", revision, message, problems });
      if (this.#instance === undefined) this.#ended.resolve(1);
    }
  }

  /** While nobody hears it, it goes on counting by itself; the next supervisor has read the log. */
  #tellQuotas(): void {
    const { meter } = this.#instruments.quotas;
    if (meter === undefined || !this.connected) return;
    for (const steps of pages(meter.drain())) {
      if (steps.length > 0) this.#send({ type: "quotas", steps });
    }
  }

  #report(seq: number): void {
    const { ready, checks } = this.#instance?.readiness() ?? { ready: false, checks: {} };
    const families = this.#instruments.metrics.families();
    this.#send({ type: "report", seq, report: { ready, checks, families } });
  }

  async #end(): Promise<void> {
    await this.#instance?.close();
    this.#standing?.close();
    this.#tellQuotas();
    // What was counted until the end, so that the sum does not lose it.
    this.#report(0);
    this.#channel?.end();
    this.#ended.resolve(0);
  }

  #send(message: FromWorker): void {
    this.#channel?.send(message);
  }

  #who(): { readonly worker: number; readonly pid: number } {
    return { worker: this.#options.number, pid: process.pid };
  }
}

type Granted = Awaited<ReturnType<LeaseSource["ask"]>> & {};
