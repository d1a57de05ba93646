/** What the commands on the store start from: the configuration's `authority`, and ports for a terminal. */
import { isKeeper, type KeeperOptions } from "../authority/authority-options.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../model/errors.ts";
import type { Log, LogFields } from "../model/ports.ts";
import { systemClock } from "../platform/clock.ts";
import { systemTimers } from "../platform/timers.ts";
import { openStore } from "../store/open-store.ts";
import type { OpenStore, StoreDeps } from "../store/store-deps.ts";
import { parseStoreUrl } from "../store/store-url.ts";
import { createMetrics } from "../telemetry/metrics.ts";

/** Throws ConfigError where the configuration does not load, or keeps no state. */
export async function readKeeper(config: string): Promise<KeeperOptions> {
  const { authority } = (await loadConfig(config)).config;
  if (isKeeper(authority)) return authority;
  const message = "this configuration keeps no state, so it has no store";
  const remedy = "the configuration of an authority, with authority.store";
  throw new ConfigError([{ file: config, message, remedy }]);
}

/** The path of the store's file. Throws ConfigError where it is Postgres. */
export async function readSqlitePath(config: string, remedy: string): Promise<string> {
  const location = parseStoreUrl((await readKeeper(config)).store);
  if (location.engine === "sqlite") return location.path;
  const message = "this is for SQLite, and the store is in Postgres";
  throw new ConfigError([{ file: config, message, remedy }]);
}

/** Runs something on the store that is there; never makes one, and never upgrades it. */
export async function withStore<T>(
  { store: url }: KeeperOptions,
  run: (store: OpenStore) => Promise<T>,
): Promise<T> {
  const store = await openStore(url, storeDeps(), { existing: true });
  try {
    return await run(store);
  } finally {
    await store.close();
  }
}

function storeDeps(): StoreDeps {
  return { clock: systemClock, timers: systemTimers, log: terminalLog, metrics: createMetrics() };
}

/** What went wrong is in the error that the command ends with; these lines say what is amiss besides. */
const terminalLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: say,
  error: say,
};

function say(event: string, fields: LogFields = {}): void {
  const parts = Object.entries(fields).map(([name, value]) =>
    value instanceof Error ? `${name}: ${value.message}` : `${name}: ${String(value)}`,
  );
  console.error(["sallyport:", event, ...parts].join(" "));
}
