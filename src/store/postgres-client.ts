/**
 * Connections to Postgres: a bounded pool for verbs, and single ones that listen. Whatever takes too
 * long is cut off together with its connection, so nothing hangs on a machine that went away without
 * a word. The one file that knows `pg`.
 */
import { Client, type ClientConfig, Pool, type PoolClient } from "pg";
import { SallyportError } from "../model/errors.ts";
import { STORE_LIMITS } from "./limits.ts";
import { asPostgresError } from "./postgres-errors.ts";
import type { PostgresOptions } from "./postgres-options.ts";
import type { Metrics } from "../model/ports.ts";
import type { StoreDeps } from "./store-deps.ts";

const LIMITS = {
  /** Commits follow each other anyway; these are for reads. Few, since servers allow some 100 in all. */
  connections: 6,
  /** Milliseconds to get a connection, from the pool or a new one. */
  connect: 3000,
  /** Milliseconds after which an idle connection is given back to the server. */
  idle: 30_000,
  /** Milliseconds until the kernel asks whether a silent peer is there. */
  keepAlive: 10_000,
} as const;

export interface Statement {
  /** Prepared under this name, once a connection; left out: not prepared. */
  readonly name?: string;
  /** Several statements where it has neither name nor values. */
  readonly text: string;
  readonly values?: readonly unknown[];
}

export type SqlValue = string | number | boolean | null;
export type SqlRow = readonly SqlValue[];

export interface SqlConnection {
  /** The rows (of the last of several statements). Rejects with SallyportError. */
  query(statement: Statement): Promise<readonly SqlRow[]>;
}

export interface UseOptions {
  /** Milliseconds in all; left out: `STORE_LIMITS.answer`. */
  readonly withinMs?: number;
  /** Do it once more where the connection fails: for what changes nothing. */
  readonly repeat?: boolean;
}

export class PostgresPool {
  readonly #options: PostgresOptions;
  readonly #timers: StoreDeps["timers"];
  readonly #pool: Pool;

  constructor(options: PostgresOptions, { timers, log, metrics }: StoreDeps) {
    this.#options = options;
    this.#timers = timers;
    this.#pool = new Pool({
      ...clientConfig(options),
      max: LIMITS.connections,
      idleTimeoutMillis: LIMITS.idle,
      allowExitOnIdle: true,
    });
    registerPool(this.#pool, metrics);
    // An idle connection that ends is out of the pool by then; without a listener it ends the process.
    this.#pool.on("error", (error) => log.debug("store: an idle connection ended", { error }));
  }

  /** Rejects with SallyportError; the connection is then not used again. */
  async use<T>(
    run: (sql: SqlConnection) => Promise<T>,
    { withinMs = STORE_LIMITS.answer, repeat = false }: UseOptions = {},
  ): Promise<T> {
    if (this.#pool.waitingCount >= STORE_LIMITS.waiting) throw unavailable("has too much to do");
    const deadline = new Deadline(this.#timers, withinMs);
    try {
      return await this.#useOnce(run, deadline);
    } catch (error) {
      // A server that was started anew is found by the next connection.
      const again = repeat && isUnavailable(error) && !deadline.passed;
      if (!again || this.#pool.ending) throw error;
      return await this.#useOnce(run, deadline);
    } finally {
      deadline.disarm();
    }
  }

  /** A connection of its own for notifications on one channel. Rejects with SallyportError. */
  async listen(
    channel: string,
    on: { readonly notified: (payload: string) => void; readonly lost: () => void },
  ): Promise<() => void> {
    const client = new Client(clientConfig(this.#options));
    const end = (): void => {
      client.removeAllListeners("end");
      void client.end().catch(() => undefined);
    };
    client.on("error", () => undefined);
    client.on("notification", ({ payload }) => on.notified(payload ?? ""));
    try {
      await client.connect();
      client.once("end", on.lost);
      await client.query(`LISTEN ${channel}`);
      return end;
    } catch (error) {
      end();
      throw asPostgresError(error);
    }
  }

  async close(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }

  async #useOnce<T>(run: (sql: SqlConnection) => Promise<T>, deadline: Deadline): Promise<T> {
    if (this.#pool.ending) throw unavailable("is closed");
    const client = await this.#connect(deadline);
    const ignore = (): void => undefined;
    client.on("error", ignore);
    let released = false;
    const release = (broken: boolean): void => {
      if (released) return;
      released = true;
      client.off("error", ignore);
      client.release(broken);
    };
    // Ends the connection, which ends what runs on it.
    deadline.onPassed(() => release(true));
    try {
      const result = await run(connectionOf(client));
      release(false);
      return result;
    } catch (error) {
      release(true);
      throw deadline.passed ? deadline.error() : asPostgresError(error);
    }
  }

  /** What comes when it is too late goes back into the pool. */
  async #connect(deadline: Deadline): Promise<PoolClient> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    deadline.onPassed(() => reject(deadline.error()));
    const connecting = this.#pool.connect();
    try {
      return await Promise.race([connecting, late]);
    } catch (error) {
      if (deadline.passed) void giveBack(connecting);
      throw asPostgresError(error);
    }
  }
}

function registerPool(pool: Pool, metrics: Metrics): void {
  metrics.sampledEach(
    "sallyport_store_connections",
    "Connections to Postgres by state: busy, idle.",
    {
      labels: ["state"],
      read: () => [
        { labels: ["busy"], value: pool.totalCount - pool.idleCount },
        { labels: ["idle"], value: pool.idleCount },
      ],
    },
  );
  metrics.sampled(
    "sallyport_store_waiting",
    "Verbs of the store that wait for a connection to Postgres.",
    () => pool.waitingCount,
  );
}

async function giveBack(connecting: Promise<PoolClient>): Promise<void> {
  try {
    (await connecting).release();
  } catch {
    // It was not to be had either.
  }
}

/** The time that one verb has, whatever it waits for. */
class Deadline {
  readonly #withinMs: number;
  readonly disarm: () => void;
  #whenPassed: (() => void) | undefined;
  #passed = false;

  constructor(timers: StoreDeps["timers"], withinMs: number) {
    this.#withinMs = withinMs;
    this.disarm = timers.after(withinMs, () => {
      this.#passed = true;
      this.#whenPassed?.();
    });
  }

  get passed(): boolean {
    return this.#passed;
  }

  /** In place of what was to be done before. */
  onPassed(run: () => void): void {
    this.#whenPassed = run;
  }

  error(): SallyportError {
    return unavailable(`did not answer within ${this.#withinMs} ms`);
  }
}

function connectionOf(client: PoolClient): SqlConnection {
  return {
    query: async ({ name, text, values }) => {
      const config = {
        text,
        rowMode: "array" as const,
        ...(name === undefined ? {} : { name }),
        ...(values === undefined ? {} : { values: [...values] }),
      };
      const result = (await client.query(config)) as { rows: SqlRow[] } | { rows: SqlRow[] }[];
      return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
    },
  };
}

function clientConfig(options: PostgresOptions): ClientConfig {
  const { host, port, user, database, password, applicationName, tls } = options;
  return {
    host,
    port,
    ...(user === undefined ? {} : { user }),
    ...(database === undefined ? {} : { database }),
    ...(password === undefined ? {} : { password }),
    ...(options.options === undefined ? {} : { options: options.options }),
    application_name: applicationName,
    connectionTimeoutMillis: LIMITS.connect,
    keepAlive: true,
    keepAliveInitialDelayMillis: LIMITS.keepAlive,
    types: { getTypeParser: parserOf as never },
    ssl: tls === undefined ? false : tlsConfig(tls),
  };
}

function tlsConfig(tls: NonNullable<PostgresOptions["tls"]>): ClientConfig["ssl"] {
  return {
    rejectUnauthorized: tls.verify,
    minVersion: "TLSv1.2",
    ...(tls.verifyName ? {} : { checkServerIdentity: () => undefined }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
}

/** bool, int8, int4 by their OIDs (catalog pg_type); numbers of ours fit a double. All else is text. */
function parserOf(oid: number): (text: string) => SqlValue {
  if (oid === 16) return (text) => text === "t";
  return oid === 20 || oid === 23 ? Number : String;
}

function isUnavailable(error: unknown): boolean {
  return error instanceof SallyportError && error.code === "store-unavailable";
}

function unavailable(what: string): SallyportError {
  return new SallyportError("store-unavailable", `store: Postgres ${what}`);
}
