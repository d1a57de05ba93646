/**
 * Callers at a steady rate that remember every answer with its times, so that a test can say of each
 * whether it may have come when it did. Bounded: so many a second, so many at once; who is behind
 * skips rather than piles up.
 */
import { Agent, request } from "node:http";
import type { Scope } from "./machine.ts";

const LIMITS = {
  /** Requests that wait for an answer at once, for each target. */
  atOnce: 8,
  /** Milliseconds for one answer. */
  answer: 20_000,
  /** Milliseconds between two turns of the caller. */
  turn: 10,
} as const;

export interface Answered {
  /** Which of the targets. */
  readonly target: string;
  /** What was asked for; unique, so that a record of the audit log can be found. */
  readonly path: string;
  /** When it was asked and when the answer was there, in milliseconds since the epoch. */
  readonly askedMs: number;
  readonly answeredMs: number;
  /** 0: none came. */
  readonly status: number;
  /** Of the problem document; the error where no answer came. */
  readonly reason: string | undefined;
}

export interface Call {
  readonly token?: string | undefined;
  readonly agent?: Agent | undefined;
}

/** One request; never rejects. */
export function call(target: string, path: string, options: Call = {}): Promise<Answered> {
  const askedMs = Date.now();
  return new Promise((resolve) => {
    const settle = (status: number, reason: string | undefined): void =>
      resolve({ target, path, askedMs, answeredMs: Date.now(), status, reason });
    const [host, port] = target.split(":");
    const outgoing = request(
      {
        host,
        port,
        path,
        agent: options.agent ?? false,
        timeout: LIMITS.answer,
        headers: options.token === undefined ? {} : { authorization: `Bearer ${options.token}` },
      },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("error", (error) => settle(0, error.message));
        response.on("end", () => settle(response.statusCode ?? 0, reasonOf(body)));
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in time")));
    outgoing.on("error", (error) => settle(0, error.message));
    outgoing.end();
  });
}

function reasonOf(body: string): string | undefined {
  return /"reason":"([^"]*)"/.exec(body)?.[1];
}

export interface LoadOptions {
  readonly targets: readonly string[];
  /** Requests a second, for each target. */
  readonly perSecond: number;
  readonly token: () => string;
  /** Where paths begin; `/orders` when left out. */
  readonly prefix?: string;
}

export interface Load {
  readonly answers: readonly Answered[];
  /** Those that were not 200, as `status reason`, with how often. */
  failures(): Readonly<Record<string, number>>;
  /** Settles when what is under way is answered. */
  stop(): Promise<void>;
}

/** Until `stop`, or the test's end. */
export function startLoad(scope: Scope, options: LoadOptions): Load {
  const answers: Answered[] = [];
  const callers = options.targets.map((target) => new Caller(target, options, answers));
  const stop = async (): Promise<void> => {
    await Promise.all(callers.map((caller) => caller.stop()));
  };
  scope.after(stop);
  return {
    answers,
    failures() {
      const found: Record<string, number> = {};
      for (const { status, reason } of answers) {
        if (status === 200) continue;
        const key = `${status} ${reason}`;
        found[key] = (found[key] ?? 0) + 1;
      }
      return found;
    },
    stop,
  };
}

let calls = 0;

class Caller {
  readonly #target: string;
  readonly #options: LoadOptions;
  readonly #answers: Answered[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: LIMITS.atOnce });
  readonly #open = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #startMs = performance.now();
  #due = 0;

  constructor(target: string, options: LoadOptions, answers: Answered[]) {
    this.#target = target;
    this.#options = options;
    this.#answers = answers;
    this.#timer = setInterval(() => this.#turn(), LIMITS.turn);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#agent.destroy();
  }

  #turn(): void {
    const due = Math.floor(((performance.now() - this.#startMs) / 1000) * this.#options.perSecond);
    const open = Math.min(due - this.#due, LIMITS.atOnce - this.#open.size);
    this.#due = due;
    for (let index = 0; index < open; index++) this.#ask();
  }

  #ask(): void {
    calls += 1;
    const path = `${this.#options.prefix ?? "/orders"}/${process.pid}-${calls}`;
    const asked = this.#keep(path);
    this.#open.add(asked);
    void asked.finally(() => this.#open.delete(asked));
  }

  async #keep(path: string): Promise<void> {
    const { token } = this.#options;
    this.#answers.push(await call(this.#target, path, { token: token(), agent: this.#agent }));
  }
}
