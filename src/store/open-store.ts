/** Opens the store that a URL names. */
import { readPostgresUrl } from "./postgres-options.ts";
import { openPostgresStore } from "./postgres-store.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { OpenStore, StoreDeps } from "./store-deps.ts";
import { parseStoreUrl } from "./store-url.ts";

/**
 * `sqlite:PATH` (the file is made where it is absent) or `postgres://…`. Throws ConfigError for what
 * is no such URL, SallyportError `store-unavailable` or `store-failed` for a store that cannot be used.
 */
export async function openStore(url: string, deps: StoreDeps): Promise<OpenStore> {
  const location = parseStoreUrl(url);
  if (location.engine === "sqlite") return await openSqliteStore(location.path, deps);
  return await openPostgresStore(readPostgresUrl(location.url), deps);
}
