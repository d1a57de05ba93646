/**
 * Where the state is kept, as `authority.store` says it: `sqlite:PATH` or `postgres://…`. Refuses
 * everything else, and never repeats the URL, which may hold a password.
 */
import { ConfigError } from "../model/errors.ts";

export type StoreLocation =
  | { readonly engine: "sqlite"; readonly path: string }
  | { readonly engine: "postgres"; readonly url: URL };

/** Throws ConfigError. */
export function parseStoreUrl(text: string): StoreLocation {
  if (text.startsWith("sqlite:")) return { engine: "sqlite", path: sqlitePath(text) };
  if (/^postgres(ql)?:\/\//.test(text)) {
    const url = URL.parse(text);
    if (url !== null) return { engine: "postgres", url };
    throw refused("the Postgres URL does not parse", "postgres://user@host:5432/database");
  }
  throw refused("this is no store that we know", "sqlite:data/sallyport.db or postgres://…");
}

/** What it is called in texts that anybody may read: no user, no password, no parameter. */
export function storeName(text: string): string {
  const location = parseStoreUrl(text);
  if (location.engine === "sqlite") return `sqlite:${location.path}`;
  const { host, pathname, searchParams } = location.url;
  return `postgres://${host === "" ? (searchParams.get("host") ?? "") : host}${pathname}`;
}

function sqlitePath(text: string): string {
  const path = text.slice("sqlite:".length);
  if (path === "" || path.endsWith("/")) {
    throw refused("the path of the SQLite file is missing", "sqlite:data/sallyport.db");
  }
  // What is lost with the process is not state: keys would be made anew at each start.
  if (path.startsWith(":memory:") || path.startsWith("//") || /[?#\0]/.test(path)) {
    throw refused("sqlite: takes the path of a file", "sqlite:data/sallyport.db");
  }
  return path;
}

function refused(message: string, remedy: string): ConfigError {
  return new ConfigError([{ message: `authority.store: ${message}`, remedy: `write ${remedy}` }]);
}
