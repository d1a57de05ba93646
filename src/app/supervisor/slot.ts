/**
 * One worker as its supervisor sees it: the process, whether it was started here or taken over, the
 * channel to it, and what it last reported. A slot outlives its processes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { FeedConsumer } from "../../model/feed.ts";
import type { Log } from "../../model/ports.ts";
import { onlyCounts, sumFamilies } from "../../telemetry/sum-families.ts";
import type { LocalKeys } from "../../keys/local-keys.ts";
import { handOver } from "../assertion-signing.ts";
import type { Backing } from "../authority/backing.ts";
import type { FamilyText } from "../../telemetry/exposition.ts";
import type { Bound, Channel, FromWorker, ToWorker, WorkerReport } from "./protocol.ts";

const LIMITS = {
  /** Milliseconds until the first new start; doubled with each that fails soon, … */
  backOffMs: 100,
  /** … up to this: often enough to be back soon, too rare to keep a core busy. */
  maxBackOffMs: 10_000,
  /** Milliseconds after which a process counts as one that works. */
  steadyMs: 10_000,
  /** Milliseconds between looks whether a process that was not started here still lives. */
  lookMs: 200,
  /** Milliseconds for a report: a worker that is busy longer is shown as it last was. */
  reportMs: 1000,
  /** Milliseconds for a configuration to come into force: compiling and a first try for keys. */
  serveMs: 60_000,
} as const;

export interface SlotDeps {
  readonly socket: string;
  readonly log: Log;
  readonly now: () => number;
  /** It has a channel again and wants its configuration. */
  readonly joined: (slot: Slot) => void;
  /** Its process has ended; `restartMs` later another is started, unless undefined. */
  readonly restarted: (slot: Slot) => void;
}

export class Slot {
  readonly number: number;
  readonly #deps: SlotDeps;
  #child: ChildProcess | undefined;
  #channel: Channel<ToWorker> | undefined;
  #pid: number | undefined;
  #startedAt = 0;
  #failures = 0;
  #ending = false;
  #restart: NodeJS.Timeout | undefined;
  readonly #reports = new Map<number, (report: WorkerReport) => void>();
  #seq = 0;
  #serving: PromiseWithResolvers<readonly Bound[]> | undefined;
  #awaited = 0;
  #gone = Promise.withResolvers<void>();
  #unfollow: (() => void) | undefined;
  #unsign: (() => void) | undefined;
  /** Counted by former processes of this slot. */
  #retired: readonly FamilyText[] = [];
  report: WorkerReport | undefined;
  /** Undefined until it serves. */
  listeners: readonly Bound[] | undefined;

  constructor(number: number, deps: SlotDeps) {
    this.number = number;
    this.#deps = deps;
  }

  get connected(): boolean {
    return this.#channel?.closed === false;
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  /** All that this slot's processes ever counted, and what the running one has open. */
  get families(): readonly FamilyText[] {
    return sumFamilies([this.report?.families ?? [], this.#retired]);
  }

  start(): void {
    const [entry = ""] = process.argv.slice(1);
    const { socket } = this.#deps;
    const args = [...process.execArgv, entry, "worker", "--socket", socket];
    const child = spawn(process.execPath, [...args, "--number", String(this.number)], {
      // A group of its own: Ctrl-C is for the supervisor, which drains the workers.
      detached: true,
      stdio: ["ignore", "inherit", "inherit"],
    });
    this.#child = child;
    this.#begin(child.pid);
    child.once("error", (error) => {
      this.#deps.log.error("supervisor: a worker could not be started", { error });
      this.#died(child, "not started");
    });
    child.once("exit", (code, signal) => this.#died(child, signal ?? `exit code ${code ?? "?"}`));
  }

  /** A worker has said hello: one that was started here, or one that another supervisor left. */
  attach(channel: Channel<ToWorker>, pid: number): void {
    this.#channel = channel;
    if (this.#child?.pid !== pid) {
      // One that was taken over came late: the one that was started meanwhile will be told to end.
      this.#child = undefined;
      this.#begin(pid);
      this.#watch(pid);
    }
    this.#deps.joined(this);
  }

  detach(channel: Channel<ToWorker>): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#leave();
  }

  /** Passes on to this process what the authority says. `follow` begins with all that is known. */
  follow(
    { maxStalenessMs, issuing }: Pick<Backing, "maxStalenessMs" | "issuing">,
    follow: (consumer: FeedConsumer) => () => void,
  ): void {
    this.#unfollow?.();
    this.send({ type: "authority", maxStalenessMs, issuer: issuing?.issuer });
    this.#unfollow = follow({
      apply: (change, at, { reset }) => this.send({ type: "feed", change, at, reset }),
      current: (at, asOfMs) => this.send({ type: "current", at, asOfMs }),
    });
  }

  /** Gives this process the keys to sign with, and those that come after them. */
  sign(issuer: string, local: LocalKeys): void {
    this.#unsign?.();
    const tell = (): void => this.send({ type: "signing", issuer, keys: handOver(local.keys()) });
    tell();
    this.#unsign = local.changed(tell);
  }

  #leave(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#unsign?.();
    this.#unsign = undefined;
  }

  /** Hands a configuration over; settles when it is in force. */
  async serve(parts: readonly string[], config: Omit<ConfigMessage, "type">): Promise<void> {
    this.#serving?.reject(new Error("another configuration came before"));
    const serving = Promise.withResolvers<readonly Bound[]>();
    this.#serving = serving;
    this.#awaited = config.revision;
    for (const data of parts) this.#channel?.send({ type: "part", data });
    this.#channel?.send({ type: "config", ...config });
    const late = setTimeout(() => serving.reject(new Error("no answer")), LIMITS.serveMs);
    try {
      this.listeners = await serving.promise;
    } finally {
      clearTimeout(late);
    }
  }

  received(message: FromWorker, failed: (message: FromWorker & { type: "failed" }) => Error): void {
    if (message.type === "report") {
      this.report = message.report;
      this.#reports.get(message.seq)?.(message.report);
      this.#reports.delete(message.seq);
    } else if (message.type === "serving" && message.revision === this.#awaited) {
      this.#serving?.resolve(message.listeners);
    } else if (message.type === "failed" && message.revision === this.#awaited) {
      this.#serving?.reject(failed(message));
    }
  }

  send(message: ToWorker): void {
    this.#channel?.send(message);
  }

  /** What it says now; what it last said where it does not answer in time. */
  async ask(): Promise<WorkerReport | undefined> {
    if (!this.connected) return this.report;
    const seq = ++this.#seq;
    const asked = new Promise<WorkerReport | undefined>((resolve) => {
      this.#reports.set(seq, resolve);
      setTimeout(() => {
        this.#reports.delete(seq);
        resolve(this.report);
      }, LIMITS.reportMs).unref();
    });
    this.send({ type: "report", seq });
    return await asked;
  }

  /** Ends the process, which is not started again. Settles when it is gone. */
  end(atOnce: boolean): Promise<void> {
    this.#ending = true;
    clearTimeout(this.#restart);
    if (this.#pid === undefined) return Promise.resolve();
    if (this.connected) this.send({ type: "drain", atOnce });
    // Not connected (yet, or any more): it understands the signal as well.
    else this.kill("SIGTERM");
    return this.#gone.promise;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#pid === undefined) return;
    try {
      process.kill(this.#pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }

  #begin(pid: number | undefined): void {
    this.#pid = pid;
    this.#startedAt = this.#deps.now();
    this.#gone = Promise.withResolvers<void>();
  }

  #watch(pid: number): void {
    const look = (): void => {
      if (this.#pid !== pid) return;
      if (isAlive(pid)) setTimeout(look, LIMITS.lookMs);
      else this.#ended("ended");
    };
    look();
  }

  #died(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#ended(how);
  }

  #ended(how: string): void {
    const { log, now, restarted } = this.#deps;
    const pid = this.#pid;
    this.#pid = undefined;
    this.#channel?.close();
    this.#channel = undefined;
    this.#leave();
    this.#retired = sumFamilies([this.#retired, onlyCounts(this.report?.families ?? [])]);
    this.report = undefined;
    this.listeners = undefined;
    this.#serving?.reject(new Error(`worker ${this.number} ended: ${how}`));
    this.#serving = undefined;
    this.#gone.resolve();
    if (this.#ending) return;
    this.#failures = now() - this.#startedAt > LIMITS.steadyMs ? 0 : this.#failures + 1;
    const restartMs = Math.min(LIMITS.maxBackOffMs, LIMITS.backOffMs * 2 ** this.#failures);
    log.error("supervisor: a worker ended and is started again", {
      worker: this.number,
      pid,
      how,
      restartMs,
    });
    this.#restart = setTimeout(() => {
      restarted(this);
      this.start();
    }, restartMs);
  }
}

type ConfigMessage = ToWorker & { readonly type: "config" };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
