/**
 * One endless stream of the Workload API, kept open: each message is handed on, and when the stream
 * ends, hangs before its first message, floods, or brings what cannot be used, it is opened again after
 * a pause that doubles and is spread by chance, so that the workloads of a machine do not all come
 * back at once after their agent has started.
 *
 * `InvalidArgument` ends it for good (Workload Endpoint section 6: the caller is at fault, so asking
 * again changes nothing). `PermissionDenied` says that there is no identity for us yet.
 */
import { createHash } from "node:crypto";
import { SallyportError } from "../../model/errors.ts";
import { GRPC_STATUS } from "../../model/grpc-status.ts";
import type { Clock, Timers } from "../../model/ports.ts";
import type { GrpcEnd, StreamHandlers } from "../../platform/grpc-client.ts";

const LIMITS = {
  /** An agent answers at once, also to say that there is nothing; this long only one that hangs takes. */
  firstMs: 10_000,
  /** Pauses before the next try, before they are spread. SPIRE's own clients wait 1 s to 30 s. */
  pauseMs: { first: 1000, longest: 30_000 },
  /** Updates come by the hour; as many as this within `floodMs` are a defect or an attack on our CPU. */
  floodMessages: 64,
  floodMs: 10_000,
} as const;

/** How it does. `fault`: why the last try was none. */
export type StreamState =
  | { readonly is: "opening" }
  | { readonly is: "current" }
  | { readonly is: "failing" | "ended"; readonly fault: string; readonly sinceMs: number };

export type StreamOutcome = "applied" | "unchanged" | "refused";

export interface WorkloadStreamDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly open: (handlers: StreamHandlers) => () => void;
  /** Puts a message in force. Throws SallyportError where it cannot be used. */
  readonly take: (bytes: Buffer) => void;
  readonly counted: (outcome: StreamOutcome) => void;
  /** After each change of `state`. */
  readonly changed: () => void;
}

export class WorkloadStream {
  readonly #deps: WorkloadStreamDeps;
  readonly #first = Promise.withResolvers<void>();
  #state: StreamState = { is: "opening" };
  #cancel: () => void = () => undefined;
  #callOff: () => void = () => undefined;
  /** Numbers the tries: what an earlier one still says counts no more. */
  #try = 0;
  #failures = 0;
  #opening = false;
  #digest = "";
  #window = { fromMs: 0, messages: 0 };

  constructor(deps: WorkloadStreamDeps) {
    this.#deps = deps;
    this.#open();
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Resolves when the first try has come to something. */
  get tried(): Promise<void> {
    return this.#first.promise;
  }

  /** Opens it anew at once: nothing has come for longer than can be. */
  renew(): void {
    if (this.#state.is !== "current") return;
    this.#stop();
    this.#open();
  }

  /** Tries again at once where it waits to: the agent is there again, as another stream has found. */
  hurry(): void {
    if (this.#state.is !== "failing" || this.#opening) return;
    this.#stop();
    this.#open();
  }

  close(): void {
    this.#stop();
    this.#first.resolve();
  }

  #stop(): void {
    this.#try += 1;
    this.#opening = false;
    this.#callOff();
    this.#cancel();
    this.#cancel = () => undefined;
  }

  #open(): void {
    const number = ++this.#try;
    this.#opening = true;
    const { timers, open } = this.#deps;
    const current = (): boolean => number === this.#try;
    this.#callOff = timers.after(LIMITS.firstMs, () => {
      if (current()) this.#fail(`no answer within ${LIMITS.firstMs / 1000} s`);
    });
    this.#cancel = open({
      message: (bytes) => {
        if (current()) this.#received(bytes);
      },
      ended: (end) => {
        if (current()) this.#ended(end);
      },
    });
  }

  #received(bytes: Buffer): void {
    this.#callOff();
    if (this.#floods()) {
      this.#fail(`more than ${LIMITS.floodMessages} updates within ${LIMITS.floodMs / 1000} s`);
      return;
    }
    // The key in it must not lie about for longer than it is used.
    const digest = createHash("sha256").update(bytes).digest("base64");
    const unchanged = digest === this.#digest;
    try {
      if (!unchanged) this.#deps.take(bytes);
    } catch (error) {
      this.#deps.counted("refused");
      if (!(error instanceof SallyportError)) throw error;
      this.#fail(error.message);
      return;
    }
    this.#digest = digest;
    this.#failures = 0;
    this.#deps.counted(unchanged ? "unchanged" : "applied");
    this.#become({ is: "current" });
  }

  #floods(): boolean {
    const now = this.#deps.clock.monotonic();
    if (now - this.#window.fromMs >= LIMITS.floodMs) this.#window = { fromMs: now, messages: 0 };
    this.#window.messages += 1;
    return this.#window.messages > LIMITS.floodMessages;
  }

  #ended({ code, detail }: GrpcEnd): void {
    if (code === GRPC_STATUS.INVALID_ARGUMENT) {
      this.#stop();
      this.#become({ is: "ended", fault: `InvalidArgument: ${detail}`, sinceMs: this.#now() });
      return;
    }
    this.#fail(faultOf(code, detail));
  }

  #fail(fault: string): void {
    this.#stop();
    const { first, longest } = LIMITS.pauseMs;
    const pause = Math.min(first * 2 ** this.#failures, longest);
    this.#failures += 1;
    // Half of it by chance.
    this.#callOff = this.#deps.timers.after(pause * (0.5 + this.#deps.random() / 2), () =>
      this.#open(),
    );
    const { state } = this;
    const sinceMs = state.is === "failing" ? state.sinceMs : this.#now();
    this.#become({ is: "failing", fault, sinceMs });
  }

  #become(state: StreamState): void {
    this.#state = state;
    this.#deps.changed();
    this.#first.resolve();
  }

  #now(): number {
    return this.#deps.clock.now();
  }
}

const NAMES = new Map<number, string>(
  Object.entries(GRPC_STATUS).map(([name, code]) => [code, name]),
);

function faultOf(code: number, detail: string): string {
  if (code === GRPC_STATUS.PERMISSION_DENIED) {
    return `PermissionDenied: no identity is registered for this process (${detail})`;
  }
  if (code === GRPC_STATUS.OK) return "the agent ended the stream";
  if (code === GRPC_STATUS.UNAVAILABLE) return `the agent cannot be reached (${detail})`;
  return `${NAMES.get(code) ?? `status ${code}`}: ${detail}`;
}
