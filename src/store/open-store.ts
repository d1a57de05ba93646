/** Opens the store that a URL names. */
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
  throw new TypeError("not built yet");
}
