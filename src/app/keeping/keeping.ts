/**
 * The thread that keeps the log, seen from the process that serves: one for each folder, in the process
 * itself where it is alone, in the supervisor for all of its workers. What seals, copies, counts and
 * watches runs there, so that none of it can hold up a request.
 *
 * The files are the record: when the thread dies, traffic goes on, and another thread goes on where the
 * consumers stood. While another process keeps the same folder, this one waits for its turn.
 */
import { Worker } from "node:worker_threads";
import { openAuditFolder } from "../../audit/folder.ts";
import { SallyportError } from "../../model/errors.ts";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Counter, Log, Metrics, Timers } from "../../model/ports.ts";
import type { QuotaStep } from "../../model/quota-steps.ts";
import type { FamilyText } from "../../telemetry/exposition.ts";
import { onlyCounts, sumFamilies } from "../../telemetry/sum-families.ts";
import type { KeepingConfig } from "./consumers.ts";
import { takeKeepingLock, type KeepingLock } from "./keeping-lock.ts";
import type { FromKeeping, KeepingNews, ToKeeping } from "./protocol.ts";
import type { KeepingTask } from "./run-in-thread.ts";
import { writeSent } from "./sent-log.ts";
import { SignAnswers, type TakeAway } from "./sign-answers.ts";

const LIMITS = {
  /** Milliseconds until a thread that ended is started again; doubled each time. */
  firstRestartMs: 500,
  longestRestartMs: 60_000,
  /** A thread that ran so long starts again at once. */
  steadyMs: 60_000,
  /** Milliseconds between attempts to have the folder's lock. */
  lockMs: 2000,
  /** Milliseconds that a scrape waits for what the thread counts; then it gets what it last said. */
  reportMs: 500,
  /** Milliseconds that the thread has to read to the end, commit and end. */
  closeMs: 30_000,
} as const;

/** `.ts` in a checkout, `.js` in the packed package. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."));
const ENTRY = new URL(`./keeping-worker${EXTENSION}`, import.meta.url);

/** `running`; `waiting`: another process keeps this folder; `down`: the thread ended, and is started again. */
export type KeepingState = "running" | "waiting" | "down";
const STATES: readonly KeepingState[] = ["running", "waiting", "down"];

export interface KeepingHostDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Writes what the thread saw into the log that it reads. */
  readonly events: EventLog;
  /** Where the authority is in this process: what takes access away. */
  readonly ending?: { readonly takeAway: TakeAway | undefined };
  /** Told what consumers have to say. */
  readonly news?: (news: KeepingNews) => void;
  /** The thread's entry point; for tests. */
  readonly entry?: URL;
}

export interface Keeping {
  readonly state: KeepingState;
  /** For readiness; undefined while all is well. */
  readonly trouble: string | undefined;
  /** What the thread counts. */
  families(): Promise<readonly FamilyText[]>;
  /** For warnings of quotas: what other machines let through, and is in no log here. */
  usedElsewhere(steps: readonly QuotaStep[]): void;
  /** The log is about to be closed: nothing more is written into it. Resolves when nothing is under way. */
  hush(): Promise<void>;
  /** After the log was closed: the thread reads it to the end, commits and ends. */
  close(): Promise<void>;
}

/** Resolves when the thread reads, or waits for its turn. Rejects with what keeps its consumers from their work. */
export async function openKeeping(config: KeepingConfig, deps: KeepingHostDeps): Promise<Keeping> {
  await openAuditFolder(config.audit.path);
  const keeping = new RunningKeeping(config, deps);
  await keeping.start();
  return keeping;
}

class RunningKeeping implements Keeping {
  readonly #config: KeepingConfig;
  readonly #deps: KeepingHostDeps;
  readonly #restarts: Counter;
  readonly #answers: SignAnswers | undefined;
  #lock: KeepingLock | undefined;
  #thread: Worker | undefined;
  #exited = Promise.withResolvers<void>();
  #startedAtMs = 0;
  #failures = 0;
  #ready = false;
  #waits = false;
  #seq = 0;
  readonly #asked = new Map<number, (families: readonly FamilyText[]) => void>();
  #last: readonly FamilyText[] = [];
  /** What threads counted that have ended. */
  #retired: readonly FamilyText[] = [];
  #failing: readonly string[] = [];
  #hushed = false;
  #closing = false;
  #cancelRetry: () => void = () => undefined;
  /** Who waits for the first thread. */
  #first: PromiseWithResolvers<void> | undefined;

  constructor(config: KeepingConfig, deps: KeepingHostDeps) {
    this.#config = config;
    this.#deps = deps;
    const { ending } = deps;
    this.#answers =
      config.signs?.answer && new SignAnswers({ ...deps, takeAway: () => ending?.takeAway });
    this.#restarts = deps.metrics
      .counter(
        "sallyport_audit_keeper_restarts",
        "Times that the thread that keeps the log ended by itself and was started again.",
      )
      .with();
    deps.metrics.sampledEach(
      "sallyport_audit_keeper",
      "1 for the state of the thread that seals, copies and watches the log: running, waiting (another process keeps this folder), down.",
      {
        labels: ["state"],
        read: () =>
          STATES.map((state) => ({ labels: [state], value: state === this.state ? 1 : 0 })),
      },
    );
  }

  get state(): KeepingState {
    if (this.#ready) return "running";
    return this.#waits ? "waiting" : "down";
  }

  get trouble(): string | undefined {
    if (this.state === "waiting") return "another process keeps this folder";
    if (this.state === "down") return "the thread that keeps the log is down";
    return this.#failing.length > 0 ? `failing: ${this.#failing.join(", ")}` : undefined;
  }

  async start(): Promise<void> {
    this.#first = Promise.withResolvers();
    this.#begin();
    await this.#first.promise;
    this.#first = undefined;
  }

  async families(): Promise<readonly FamilyText[]> {
    return sumFamilies([this.#retired, await this.#ask()]);
  }

  usedElsewhere(steps: readonly QuotaStep[]): void {
    this.#send({ kind: "used-elsewhere", steps });
  }

  async hush(): Promise<void> {
    this.#hushed = true;
    await this.#answers?.settled();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#hushed = true;
    this.#cancelRetry();
    const thread = this.#thread;
    if (thread !== undefined) {
      thread.ref();
      const { promise: late, resolve } = Promise.withResolvers<"late">();
      const cancel = this.#deps.timers.after(LIMITS.closeMs, () => resolve("late"));
      this.#send({ kind: "close" });
      if ((await Promise.race([this.#exited.promise, late])) === "late") {
        this.#deps.log.error("audit: the thread that keeps the log does not end; it is ended");
      }
      cancel();
      await thread.terminate();
    }
    this.#release();
  }

  /** Takes the lock and starts the thread; later where it has to wait. */
  #begin(): void {
    try {
      this.#lock ??= takeKeepingLock(this.#config.audit.path);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#lock === undefined) this.#wait();
    else this.#startThread();
  }

  #wait(): void {
    if (!this.#waits) {
      this.#deps.log.warn("audit: another process keeps this folder; it is waited for", {
        folder: this.#config.audit.path,
      });
    }
    this.#waits = true;
    this.#first?.resolve();
    this.#cancelRetry = this.#deps.timers.after(LIMITS.lockMs, () => this.#begin());
  }

  #startThread(): void {
    if (this.#waits) this.#deps.log.info("audit: this process keeps the folder from now on");
    this.#waits = false;
    this.#startedAtMs = this.#deps.clock.monotonic();
    this.#exited = Promise.withResolvers();
    const workerData: KeepingTask = { config: this.#config };
    const thread = new Worker(this.#deps.entry ?? ENTRY, { workerData });
    this.#thread = thread;
    // What serves keeps the process alive, not who watches it.
    thread.unref();
    let fault: unknown;
    thread.on("message", (message: FromKeeping) => this.#received(message));
    thread.on("error", (error) => (fault = error));
    thread.on("messageerror", (error) => (fault = error));
    thread.on("exit", () => {
      if (this.#thread === thread) this.#ended(fault);
    });
  }

  #received(message: FromKeeping): void {
    switch (message.kind) {
      case "ready":
        this.#ready = true;
        this.#first?.resolve();
        break;
      case "refused":
        this.#refused(new SallyportError(message.code, message.message));
        break;
      case "log":
        writeSent(this.#deps.log, message);
        break;
      case "event":
        // What it finds at the very end stands in no log that is still written.
        if (!this.#hushed) this.#deps.events.event(message.record);
        break;
      case "report":
        this.#last = message.families;
        this.#asked.get(message.seq)?.(message.families);
        break;
      case "news":
        this.#heard(message.news);
        break;
    }
  }

  #heard(news: KeepingNews): void {
    if (news.topic === "failing") this.#failing = news.consumers;
    // Found at the very end, it could not be put on record any more.
    if (news.topic === "answer" && !this.#hushed) this.#answers?.give(news.answer);
    this.#deps.news?.(news);
  }

  /** At the start that is for who started us; later traffic goes on, and it is said again and again. */
  #refused(error: SallyportError): void {
    const thread = this.#thread;
    this.#thread = undefined;
    void thread?.terminate();
    if (this.#first !== undefined) {
      this.#release();
      this.#first.reject(error);
      return;
    }
    this.#failed(error);
  }

  #ended(fault: unknown): void {
    this.#thread = undefined;
    this.#ready = false;
    this.#failing = [];
    this.#retired = sumFamilies([this.#retired, onlyCounts(this.#last)]);
    this.#last = [];
    this.#exited.resolve();
    if (!this.#closing) this.#failed(fault);
  }

  #failed(fault: unknown): void {
    this.#ready = false;
    const { clock, log, timers } = this.#deps;
    const steady = clock.monotonic() - this.#startedAtMs > LIMITS.steadyMs;
    this.#failures = steady ? 0 : this.#failures + 1;
    const doubled = LIMITS.firstRestartMs * 2 ** Math.min(this.#failures, 16);
    const restartMs = Math.min(LIMITS.longestRestartMs, doubled);
    this.#restarts.inc();
    log.error("audit: the thread that keeps the log ended and is started again; traffic goes on", {
      restartMs,
      error: fault instanceof Error ? fault : undefined,
    });
    this.#first?.resolve();
    this.#cancelRetry = timers.after(restartMs, () => this.#begin());
  }

  async #ask(): Promise<readonly FamilyText[]> {
    if (!this.#ready) return this.#last;
    const seq = ++this.#seq;
    const { promise, resolve } = Promise.withResolvers<readonly FamilyText[]>();
    this.#asked.set(seq, resolve);
    const cancel = this.#deps.timers.after(LIMITS.reportMs, () => resolve(this.#last));
    this.#send({ kind: "report", seq });
    try {
      return await promise;
    } finally {
      cancel();
      this.#asked.delete(seq);
    }
  }

  #send(message: ToKeeping): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    this.#thread?.postMessage(message);
  }

  #release(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }
}
