/**
 * What a `postgres://` URL says, read by us and not by the driver: the driver's reading of `sslmode`
 * differs from that of PostgreSQL's own programs, and changes between its versions.
 *
 * Without `sslmode`, another machine is reached by TLS with its certificate and name checked; this
 * machine (loopback, Unix socket) without TLS. Refuses parameters that it does not know, and `prefer`
 * and `allow`, which promise TLS and give it up when somebody in between says so.
 */
import { readFileSync, statSync } from "node:fs";
import { isIPv4 } from "node:net";
import { ConfigError, SallyportError } from "../model/errors.ts";

export interface PostgresOptions {
  /** Name, address, or folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** Undefined: from PGUSER, PGDATABASE, PGPASSWORD or a password file (PGPASSFILE, ~/.pgpass). */
  readonly user: string | undefined;
  readonly database: string | undefined;
  readonly password: string | undefined;
  readonly applicationName: string;
  /** `options` of the server, as in `-c search_path=sallyport`. */
  readonly options: string | undefined;
  readonly tls: PostgresTls | undefined;
  /** What is insecure about it, for a warning; undefined: nothing. */
  readonly insecure: string | undefined;
}

export interface PostgresTls {
  /** False: whoever answers is believed. */
  readonly verify: boolean;
  /** Whether the certificate must be for this host. */
  readonly verifyName: boolean;
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

const MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
type Mode = (typeof MODES)[number];

const PARAMETERS: ReadonlySet<string> = new Set([
  "host",
  "application_name",
  "options",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
]);

const DEFAULT_PORT = 5432;

/** Permission bits of group and others. */
const OTHERS = 0o077;

/** Throws ConfigError, SallyportError `store-failed` for a file that cannot be read. */
export function readPostgresUrl(url: URL): PostgresOptions {
  const parameters = readParameters(url);
  const host = parameters.get("host") ?? decode(url.hostname.replace(/^\[(.*)\]$/, "$1"));
  if (host === "") throw refused("the host is missing", "postgres://user@host:5432/database");
  if (host.includes(",")) throw refused("it names several hosts", "one host, or a name that moves");
  const local = isLocal(host);
  const mode = readMode(parameters.get("sslmode"), local);
  return {
    host,
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    user: decode(url.username) || undefined,
    database: decode(url.pathname.slice(1)) || undefined,
    password: decode(url.password) || undefined,
    applicationName: parameters.get("application_name") ?? "sallyport",
    options: parameters.get("options"),
    tls: mode === "disable" ? undefined : readTls(mode, parameters),
    insecure: local ? undefined : INSECURE[mode],
  };
}

const INSECURE: Readonly<Record<Mode, string | undefined>> = {
  disable: "what is kept goes over the network in clear (sslmode=disable)",
  require: "whoever answers is taken for the database (sslmode=require); use verify-full",
  "verify-ca": "any server of that authority is taken for the database (sslmode=verify-ca)",
  "verify-full": undefined,
};

function readParameters(url: URL): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (name === "passfile")
      throw refused("passfile is not read from it", "the file in PGPASSFILE");
    if (!PARAMETERS.has(name)) {
      throw refused(`it has an unknown parameter, ${name}`, [...PARAMETERS].join(", "));
    }
    if (found.has(name)) throw refused(`it repeats the parameter ${name}`, "each once");
    found.set(name, value);
  }
  return found;
}

function readMode(text: string | undefined, local: boolean): Mode {
  if (text === undefined) return local ? "disable" : "verify-full";
  const mode = MODES.find((known) => known === text);
  if (mode === undefined) throw refused(`sslmode is not one that is kept`, MODES.join(", "));
  return mode;
}

function readTls(mode: Mode, parameters: ReadonlyMap<string, string>): PostgresTls {
  const root = parameters.get("sslrootcert");
  const [certificate, key] = [parameters.get("sslcert"), parameters.get("sslkey")];
  if ((certificate === undefined) !== (key === undefined)) {
    throw refused("sslcert and sslkey go together", "both or neither");
  }
  return {
    verify: mode !== "require",
    verifyName: mode === "verify-full",
    ca: root === undefined || root === "system" ? undefined : readPem(root),
    certificate: certificate === undefined ? undefined : readPem(certificate),
    key: key === undefined ? undefined : readPrivate(key),
  };
}

function readPrivate(path: string): string {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & OTHERS) === 0) return readPem(path);
  const found = (mode & 0o777).toString(8).padStart(4, "0");
  const message = `store: ${path} has mode ${found}, so others could read it; chmod it to 0600`;
  throw new SallyportError("store-failed", message);
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new SallyportError("store-failed", `store: ${path} cannot be read (${code})`, {
      cause: error,
    });
  }
}

function isLocal(host: string): boolean {
  if (host.startsWith("/") || host === "localhost" || host === "::1") return true;
  // A name may begin so as well, and leads anywhere.
  return isIPv4(host) && host.startsWith("127.");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused("it has a % that is no escape", "%25 for a percent sign");
  }
}

function refused(message: string, remedy: string): ConfigError {
  const problem = `authority.store: the Postgres URL is not one that we keep to: ${message}`;
  return new ConfigError([{ message: problem, remedy: `write ${remedy}` }]);
}
