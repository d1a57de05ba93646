/** Opens the store that a URL names. */
import type { OpenStore, StoreDeps } from "./store-deps.ts";
import { measured } from "./measured.ts";
import { readPostgresUrl } from "./postgres-options.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { parseStoreUrl } from "./store-url.ts";

export interface OpenOptions {
  /** Refuse a store that is not there, or has tables of an earlier version, instead of making it. */
  readonly existing?: boolean;
}

/**
 * `sqlite:PATH` (the file is made where it is absent) or `postgres://…`. Throws ConfigError for what
 * is no such URL, SallyportError `store-unavailable` or `store-failed` for a store that cannot be used.
 */
export async function openStore(
  url: string,
  deps: StoreDeps,
  { existing = false }: OpenOptions = {},
): Promise<OpenStore> {
  const location = parseStoreUrl(url);
  const store =
    location.engine === "sqlite"
      ? await openSqliteStore({ path: location.path, existing }, deps)
      : await openPostgres(location.url, deps, { existing });
  return measured(store, deps);
}

/** The driver takes 30 ms to load, which nobody pays who has no Postgres. */
async function openPostgres(
  url: URL,
  deps: StoreDeps,
  options: Required<OpenOptions>,
): Promise<OpenStore> {
  const { openPostgresStore } = await import("./postgres-store.ts");
  return await openPostgresStore(readPostgresUrl(url), deps, options);
}
