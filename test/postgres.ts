/**
 * A real Postgres for tests and examples: Debian's server on a free loopback port, with a data folder
 * of its own that is taken away afterwards. It can be stopped, killed as a machine would be by a loss
 * of power, and started again on the same port and data. No cluster of the machine is touched.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  globSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type QueryResult } from "pg";

const LIMITS = {
  /** Milliseconds for initdb or a start with recovery, on a slow and busy machine. */
  start: 60_000,
  /** Milliseconds between attempts to connect while it starts. */
  attempt: 20,
  /** Ports below those that Linux gives to outgoing connections: nobody takes ours while it is down. */
  ports: { from: 20_000, to: 32_000 },
} as const;

/** In the URL's way of writing; of a server that lives as long as a test. */
const PASSWORD = "loopback-only";
const USER = "sallyport";

export interface Postgres {
  /** `postgres://user:password@127.0.0.1:port/postgres`. */
  readonly url: string;
  readonly port: number;
  /** Holds `data/`, the socket and `log`. */
  readonly folder: string;
  /** Ends it in good order; callers' connections are closed. */
  stop(): Promise<void>;
  /** SIGKILL to the server and each of its processes. */
  kill(): Promise<void>;
  /** Starts it again, and resolves when it accepts connections. */
  start(): Promise<void>;
  /** Runs statements as the superuser; the rows of the last one. */
  query(text: string): Promise<Record<string, unknown>[]>;
}

/** For one test; ends with it. Where no Postgres is installed the test is skipped: undefined. */
export async function postgres(t: TestContext): Promise<Postgres | undefined> {
  const started = await startPostgres();
  if (started === undefined) t.skip("no Postgres on this machine (Debian: postgresql)");
  else t.after(() => started.end());
  return started;
}

/** Whoever calls this also calls `end`, which stops it and removes its folder. */
export async function startPostgres(): Promise<(Postgres & { end(): Promise<void> }) | undefined> {
  const programs = findPrograms();
  if (programs === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "sallyport-postgres-"));
  const owner = unprivileged();
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const port = await freePort();
  await initialise({ programs, folder, owner });

  const url = `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/postgres`;
  let server: ChildProcess | undefined;
  // What a killed server left in its file may be the number of another process by now.
  const mainProcess = (): number | undefined =>
    server === undefined || hasEnded(server) ? undefined : readProcessId(folder);
  const ended = async (): Promise<void> => {
    if (server !== undefined && !hasEnded(server)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.once("close", () => resolve());
      await promise;
    }
    server = undefined;
  };
  const started: Postgres & { end(): Promise<void> } = {
    url,
    port,
    folder,
    start: async () => {
      if (server !== undefined) return;
      server = await startServer({ programs, folder, owner }, { port, url });
    },
    stop: async () => {
      const main = mainProcess();
      if (main !== undefined) signal(main, "SIGINT");
      await ended();
    },
    kill: async () => {
      const main = mainProcess();
      if (main !== undefined) {
        // The server first: it would start a child anew that dies before it.
        const children = childrenOf(main);
        for (const pid of [main, ...children]) signal(pid, "SIGKILL");
      }
      await ended();
    },
    query: async (text) => await query(url, text),
    end: async () => {
      await started.stop();
      // Processes of a server that was killed may still be on their way out.
      await rm(folder, { recursive: true, force: true, maxRetries: 20 });
    },
  };
  try {
    await started.start();
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return started;
}

interface Ground {
  readonly programs: string;
  readonly folder: string;
  readonly owner: Owner | undefined;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The folder of `initdb` and `postgres`: on PATH, else Debian's newest. */
function findPrograms(): string | undefined {
  const versions = globSync("/usr/lib/postgresql/*/bin").toSorted(
    (a, b) => Number(b.split("/")[4]) - Number(a.split("/")[4]),
  );
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...versions];
  return folders.find(
    (folder) =>
      folder !== "" && existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")),
  );
}

/** Postgres refuses to run as root; then whom it runs as instead. */
function unprivileged(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error("Postgres refuses to run as root, and there is no user postgres or nobody");
}

async function initialise({ programs, folder, owner }: Ground): Promise<void> {
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, PASSWORD);
  chmodSync(passwordFile, 0o600);
  if (owner !== undefined) chownSync(passwordFile, owner.uid, owner.gid);
  const data = join(folder, "data");
  const args = ["-D", data, "-U", USER, `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
  // A collation unlike ours on purpose is not to be had everywhere; C.UTF-8 is.
  args.push("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync");
  const log = openSync(join(folder, "log"), "a");
  try {
    const child = spawn(join(programs, "initdb"), args, {
      cwd: folder,
      stdio: ["ignore", log, log],
      timeout: LIMITS.start,
      ...owner,
    });
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.once("error", reject);
    child.once("close", resolve);
    if ((await promise) !== 0) throw new Error(`initdb failed: ${readLog(folder)}`);
  } finally {
    closeSync(log);
  }
}

/**
 * Runs the server under a shell that ends it when the pipe to us closes: a test process that is
 * killed leaves no server behind.
 */
const KEEPER = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -QUIT $server; } 2>/dev/null &
reader=$!
exec 3<&-
wait $server
code=$?
kill $reader 2>/dev/null
wait $reader
exit $code`;

async function startServer(
  { programs, folder, owner }: Ground,
  { port, url }: { readonly port: number; readonly url: string },
): Promise<ChildProcess> {
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: folder,
    // Killed processes lose nothing that they gave to the kernel; only machines that lose power do.
    fsync: "off",
    shared_buffers: "16MB",
    max_connections: 60,
    max_wal_size: "256MB",
    timezone: "UTC",
  };
  const deadline = performance.now() + LIMITS.start;
  for (;;) {
    const log = openSync(join(folder, "log"), "a");
    const args = ["-D", join(folder, "data")];
    for (const [name, value] of Object.entries(settings)) args.push("-c", `${name}=${value}`);
    const child = spawn("/bin/sh", ["-c", KEEPER, "sh", join(programs, "postgres"), ...args], {
      cwd: folder,
      stdio: ["pipe", log, log],
      ...owner,
    });
    closeSync(log);
    child.stdin?.on("error", () => undefined);
    if (await accepts(child, url, deadline)) return child;
    // After a kill, a process of the server before may still be on its way out; it holds memory.
    if (performance.now() > deadline) throw new Error(`Postgres: ${readLog(folder)}`);
    await sleep(LIMITS.attempt);
  }
}

/** Whether it came to accept connections; false when it ended instead. */
async function accepts(child: ChildProcess, url: string, deadline: number): Promise<boolean> {
  while (!hasEnded(child)) {
    try {
      await query(url, "SELECT 1");
      return true;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(LIMITS.attempt);
    }
  }
  return false;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: LIMITS.start });
  // The server may be killed under it; the call then rejects, which says it.
  client.on("error", () => undefined);
  await client.connect();
  try {
    const result = (await client.query(text)) as QueryResult | QueryResult[];
    return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
  } finally {
    await client.end();
  }
}

async function freePort(): Promise<number> {
  const { from, to } = LIMITS.ports;
  for (;;) {
    const port = from + Math.floor(Math.random() * (to - from));
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    if (await promise) return port;
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function readProcessId(folder: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, "data", "postmaster.pid"), "utf8").split("\n")[0]);
  } catch {
    return undefined;
  }
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function readLog(folder: string): string {
  return readFileSync(join(folder, "log"), "utf8").slice(-2000);
}
