/**
 * Tells somebody by a POST of each sign. A bounded number of them waits while the receiver is away; beyond
 * it the oldest is dropped and counted, since the log has them all. Nobody waits for it but `close`.
 */
import { SallyportError } from "../../model/errors.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import type { Exchanged, ExchangeLimits, Outgoing } from "../../platform/bounded-exchange.ts";

const LIMITS = {
  /** Signs that wait: what happens in a bad hour. */
  queue: 256,
  /** Milliseconds for one request. */
  request: 10_000,
  /** Bytes of an answer, of which nothing is read. */
  answer: 64 * 1024,
  /** Milliseconds before the second try, and between tries at most. */
  first: 1000,
  longest: 5 * 60_000,
  /** Doublings, so that the number stays one. */
  doublings: 10,
  /** Milliseconds of the last try when the process ends. */
  close: 3000,
} as const;

export interface SignWebhookOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface SignWebhookDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly random: () => number;
  readonly exchange: (outgoing: Outgoing, limits: ExchangeLimits) => Promise<Exchanged>;
}

/** `id`: the same for the same sign, whenever it is sent. */
interface Message {
  readonly id: string;
  readonly body: string;
}

export class SignWebhook {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #deps: SignWebhookDeps;
  readonly #outcomes: ReturnType<Metrics["counter"]>;
  readonly #queue: Message[] = [];
  #sending: Promise<void> | undefined;
  #callOff: (() => void) | undefined;
  #failures = 0;
  #closed = false;

  constructor({ url, headers }: SignWebhookOptions, deps: SignWebhookDeps) {
    this.#url = new URL(url);
    this.#headers = headers;
    this.#deps = deps;
    this.#outcomes = deps.metrics.counter(
      "sallyport_signs_webhook_total",
      "Messages about signs of a breach, by what came of them (`sent`, `failed` and tried again, `dropped`).",
      ["outcome"],
    );
  }

  send(id: string, body: object): void {
    if (this.#queue.length >= LIMITS.queue) {
      this.#queue.shift();
      this.#outcomes.with("dropped").inc();
    }
    this.#queue.push({ id, body: JSON.stringify({ ...body, id }) });
    if (!this.#closed && this.#sending === undefined && this.#callOff === undefined) this.#start();
  }

  /** One last try, bounded. */
  async close(): Promise<void> {
    const until = this.#deps.clock.monotonic() + LIMITS.close;
    this.#closed = true;
    this.#callOff?.();
    this.#callOff = undefined;
    await this.#within(this.#sending ?? Promise.resolve(), LIMITS.close);
    while (this.#queue.length > 0 && this.#sending === undefined) {
      const left = until - this.#deps.clock.monotonic();
      if (left <= 0) return;
      const before = this.#queue.length;
      await this.#within(this.#try(left), left);
      if (this.#queue.length === before) return;
    }
  }

  #start(): void {
    this.#sending = this.#try(LIMITS.request).finally(() => {
      this.#sending = undefined;
      if (this.#queue.length === 0 || this.#closed) return;
      if (this.#failures === 0) this.#start();
      else this.#startLater();
    });
  }

  #startLater(): void {
    const { timers, random } = this.#deps;
    const doubled = LIMITS.first * 2 ** Math.min(this.#failures - 1, LIMITS.doublings);
    const pause = Math.min(doubled, LIMITS.longest) * (0.5 + random() / 2);
    this.#callOff = timers.after(pause, () => {
      this.#callOff = undefined;
      this.#start();
    });
  }

  async #try(timeoutMs: number): Promise<void> {
    const message = this.#queue[0];
    if (message === undefined) return;
    const fault = await this.#post(message, timeoutMs);
    if (fault === undefined) {
      this.#outcomes.with("sent").inc();
      if (this.#failures > 0) this.#deps.log.info("the webhook of signs takes messages again");
      this.#failures = 0;
      // The oldest may have been dropped meanwhile.
      if (this.#queue[0] === message) this.#queue.shift();
      return;
    }
    this.#outcomes.with("failed").inc();
    if (this.#failures === 0) {
      this.#deps.log.warn("the webhook of signs cannot be told", { detail: fault });
    }
    this.#failures += 1;
  }

  /** What was wrong; undefined: it was taken. */
  async #post({ id, body }: Message, timeoutMs: number): Promise<string | undefined> {
    const { origin } = this.#url;
    const headers = {
      ...this.#headers,
      "content-type": "application/json",
      "idempotency-key": id,
    };
    try {
      const { status } = await this.#deps.exchange(
        { url: this.#url, method: "POST", headers, body, shown: origin },
        { timeoutMs, maxBytes: LIMITS.answer },
      );
      return status >= 200 && status < 300 ? undefined : `${origin}: answered ${status}`;
    } catch (error) {
      // Another error may hold what was sent.
      return error instanceof SallyportError ? error.message : `${origin}: could not be asked`;
    }
  }

  async #within(done: Promise<void>, ms: number): Promise<void> {
    let callOff = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      callOff = this.#deps.timers.after(ms, resolve);
    });
    await Promise.race([done, late]);
    callOff();
  }
}
