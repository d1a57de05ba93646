/**
 * One connection to Redis or Valkey, made anew whenever it is lost, with nothing queued meanwhile: who
 * asks while there is none is told at once. The one file that knows `@redis/client`.
 */
import { hash } from "node:crypto";
import { SallyportError } from "../model/errors.ts";
import type { Log, Timers } from "../model/ports.ts";
import type { RedisPlace } from "./redis-url.ts";

const LIMITS = {
  /** Milliseconds for a connection, TLS and login included. */
  connect: 5000,
  /** Milliseconds before the first new try, doubled with each … */
  backOff: 50,
  /** … up to this. */
  maxBackOff: 2000,
  /** Commands without an answer; beyond it the server is too slow for what is asked of it. */
  inFlight: 10_000,
  /** Milliseconds without an answer after which a connection is given up: its other end may be gone. */
  silent: 3000,
} as const;

export interface RedisOptions {
  readonly place: RedisPlace;
  /** PEM; the system's authorities where undefined. */
  readonly ca: string | undefined;
  readonly timeoutMs: number;
}

export interface RedisDeps {
  readonly timers: Timers;
  readonly log: Log;
  /** A connection can be used, after what `greet` is told about the server. Before anybody else asks. */
  readonly greeted: (server: ServerInfo) => void;
}

export interface ServerInfo {
  /** Another one after each start of the server, and on another server. Undefined: it may not be known. */
  readonly runId: string | undefined;
  readonly evicts: boolean;
}

/** Lua, which the server runs as one step. */
export interface Script {
  readonly text: string;
  /** What servers know it by. */
  readonly sha: string;
}

export function scriptOf(text: string): Script {
  return { text, sha: hash("sha1", text, "hex") };
}

export class RedisConnection {
  readonly #options: RedisOptions;
  readonly #deps: RedisDeps;
  #client: Client | undefined;
  /** One on its way. */
  #coming: Client | undefined;
  #failures = 0;
  #closed = false;
  #silent = false;
  #said: "there" | "gone" | undefined;
  #callOff: (() => void) | undefined;

  constructor(options: RedisOptions, deps: RedisDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get connected(): boolean {
    return this.#client !== undefined && !this.#silent;
  }

  /** Tries once, and goes on trying. Resolves after the first try; never rejects. */
  async open(): Promise<void> {
    if (this.#closed) return;
    const client = await makeClient(this.#options);
    if (this.#closed) return;
    this.#coming = client;
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    try {
      await client.connect();
      const info = await this.#within(client.sendCommand(["INFO"])).then(readInfo, unknownIfBarred);
      if (this.#coming !== client) return;
      this.#deps.greeted(info);
      this.#coming = undefined;
      this.#client = client;
      this.#failures = 0;
      this.#silent = false;
      this.#say("there");
    } catch (error) {
      this.#lost(client, error);
    }
  }

  /** Rejects with SallyportError `memory-unavailable`. */
  async ask(command: readonly string[]): Promise<unknown> {
    try {
      return await this.#ask(command);
    } catch (cause) {
      throw this.#unavailable(cause);
    }
  }

  /** A script, by its hash; its text goes only to a server that does not know it yet. Rejects as `ask` does. */
  async run(
    { text, sha }: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.#ask(["EVALSHA", sha, ...rest]);
    } catch (cause) {
      if (codeOf(cause) !== "NOSCRIPT") throw this.#unavailable(cause);
      return await this.ask(["EVAL", text, ...rest]);
    }
  }

  /** Rejects with what the driver says. */
  async #ask(command: readonly string[]): Promise<unknown> {
    const client = this.#client;
    if (client === undefined || this.#silent) throw AWAY;
    const asked = client.sendCommand([...command]);
    // What comes late says that it is there again.
    asked.then(
      () => this.#heard(client),
      () => undefined,
    );
    return await this.#within(asked, () => this.#unheard(client));
  }

  close(): void {
    this.#closed = true;
    this.#callOff?.();
    for (const client of [this.#client, this.#coming]) client?.destroy();
    this.#client = undefined;
    this.#coming = undefined;
  }

  async #within<T>(asked: Promise<T>, late?: () => void): Promise<T> {
    const tooLate = Promise.withResolvers<never>();
    const callOff = this.#deps.timers.after(this.#options.timeoutMs, () => {
      late?.();
      tooLate.reject(new Error("no answer in time"));
    });
    try {
      return await Promise.race([asked, tooLate.promise]);
    } finally {
      callOff();
    }
  }

  #heard(client: Client): void {
    if (client === this.#client) this.#silent = false;
  }

  /** Nobody else waits for it until it says something; when it does not, another connection is made. */
  #unheard(client: Client): void {
    if (client !== this.#client || this.#silent) return;
    this.#silent = true;
    this.#deps.log.warn("shared memory: Redis does not answer", { redis: this.#name });
    this.#callOff?.();
    this.#callOff = this.#deps.timers.after(LIMITS.silent, () => {
      if (this.#silent) this.#lost(client);
    });
  }

  #lost(client: Client, cause?: unknown): void {
    if (client !== this.#client && client !== this.#coming) return;
    this.#client = undefined;
    this.#coming = undefined;
    try {
      client.destroy();
    } catch {
      // It has ended by itself.
    }
    if (this.#closed) return;
    this.#say("gone", cause);
    const wait = Math.min(LIMITS.backOff * 2 ** this.#failures, LIMITS.maxBackOff);
    this.#failures += 1;
    this.#callOff?.();
    this.#callOff = this.#deps.timers.after(wait, () => void this.open());
  }

  /** Once for each change. The driver's message may hold what the server was sent: its name is enough. */
  #say(what: "there" | "gone", cause?: unknown): void {
    if (this.#said === what) return;
    const { log } = this.#deps;
    const code = codeOf(cause);
    const redis = this.#name;
    if (what === "gone") {
      log.warn("shared memory: Redis cannot be reached; what needs it is refused", { redis, code });
    } else if (this.#said === "gone") log.info("shared memory: Redis is there again", { redis });
    this.#said = what;
  }

  #unavailable(cause: unknown): SallyportError {
    const why = cause === AWAY ? "cannot be reached" : `does not answer (${codeOf(cause)})`;
    const message = `the shared memory at ${this.#name} ${why}`;
    return new SallyportError("memory-unavailable", message);
  }

  get #name(): string {
    return this.#options.place.name;
  }
}

/** Nobody was asked. */
const AWAY = new Error("not connected");

type Client = Awaited<ReturnType<typeof makeClient>>;

/** Not connected. The library takes some 100 ms to load, which nobody pays who shares no memory. */
async function makeClient({ place, ca }: RedisOptions) {
  const { createClient } = await import("@redis/client");
  const { host, port, path, tls, username, password, database } = place;
  const common = { connectTimeout: LIMITS.connect, reconnectStrategy: false } as const;
  const verified = { ...common, host, port, tls: true, minVersion: "TLSv1.2" } as const;
  return createClient({
    socket:
      path !== undefined
        ? { ...common, path, tls: false }
        : tls
          ? { ...verified, ...(ca === undefined ? {} : { ca }) }
          : { ...common, host, port },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    database,
    RESP: 2,
    disableClientInfo: true,
    disableOfflineQueue: true,
    commandsQueueMaxLength: LIMITS.inFlight,
  });
}

const UNKNOWN: ServerInfo = Object.freeze({ runId: undefined, evicts: false });

/** Who may set keys may not always ask this; whoever may do nothing is not connected. */
function unknownIfBarred(cause: unknown): ServerInfo {
  if (codeOf(cause) === "NOPERM") return UNKNOWN;
  throw cause;
}

function readInfo(reply: unknown): ServerInfo {
  const text = typeof reply === "string" ? reply : "";
  const value = (name: string): string | undefined =>
    new RegExp(`^${name}:(\\S+)`, "m").exec(text)?.[1];
  const policy = value("maxmemory_policy") ?? "noeviction";
  const evicts = policy !== "noeviction" && (value("maxmemory") ?? "0") !== "0";
  return { runId: value("run_id"), evicts };
}

/** What went wrong, as one word. */
function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "closed";
  const { code } = cause as NodeJS.ErrnoException;
  if (typeof code === "string") return code;
  // The server's own: NOAUTH, WRONGPASS, READONLY, OOM, NOPERM, …
  return /^[A-Z]{2,20}\b/.exec(cause.message)?.[0] ?? cause.constructor.name;
}
