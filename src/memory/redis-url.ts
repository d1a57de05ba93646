/**
 * What `shared.redis` says, read by us and not by the driver, whose messages repeat the URL. Refuses
 * parameters, fragments and other schemes; nothing that comes out of here as text holds a password.
 */
import { isIPv4 } from "node:net";

export interface RedisPlace {
  /** Either host and port, or a path. */
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** What it is called in logs: no user, no password. */
  readonly name: string;
  /** Whether what is said to it can be read on the way. */
  readonly insecure: boolean;
}

const DEFAULT_PORT = 6379;
const SOCKET = "unix:";

/** Undefined where the text is no place of a Redis or Valkey server. */
export function parseRedisUrl(text: string): RedisPlace | undefined {
  if (text.startsWith(SOCKET)) return socketPlace(text.slice(SOCKET.length));
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "redis:" && url.protocol !== "rediss:")) return undefined;
  const database = databaseOf(url.pathname);
  const username = decoded(url.username);
  const password = decoded(url.password);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (host === "" || url.search !== "" || url.hash !== "" || database === undefined) {
    return undefined;
  }
  if (username === undefined || password === undefined) return undefined;
  const tls = url.protocol === "rediss:";
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  return {
    host,
    port,
    path: undefined,
    tls,
    username: username || undefined,
    password: password || undefined,
    database,
    name: `${url.protocol}//${url.hostname}:${port}`,
    insecure: !tls && !isLocal(host),
  };
}

/** A path: relative ones are made absolute by who reads the configuration. */
export function redisSocket(text: string): string | undefined {
  return text.startsWith(SOCKET) ? text.slice(SOCKET.length) : undefined;
}

/** The same server by another path. */
export function withRedisSocket(path: string): string {
  return SOCKET + path;
}

function socketPlace(path: string): RedisPlace | undefined {
  if (path === "" || path.includes("\0")) return undefined;
  return {
    host: "",
    port: 0,
    path,
    tls: false,
    username: undefined,
    password: undefined,
    database: 0,
    name: `${SOCKET}${path}`,
    insecure: false,
  };
}

function databaseOf(path: string): number | undefined {
  if (path === "" || path === "/") return 0;
  return /^\/\d{1,4}$/.test(path) ? Number(path.slice(1)) : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function isLocal(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}
