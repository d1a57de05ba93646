/**
 * A real Redis for tests and examples: Debian's server on a Unix socket or a free port, with a folder of
 * its own. It can be killed as a machine would be by a loss of power, stopped for a while, and started
 * again. No server of the machine is touched.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const LIMITS = {
  /** Milliseconds for a start, on a slow and busy machine. */
  start: 30_000,
  poll: 10,
} as const;

export interface Redis {
  /** `unix:/path`. */
  readonly url: string;
  /** Before what is known as its number changes: it was started so often. */
  start(): Promise<void>;
  /** SIGKILL: what it held in memory is gone. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Answer lines to commands in the inline protocol. */
  ask(command: string): Promise<string>;
}

/** Why there is none here, or undefined. */
export function whyNoRedis(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => existsSync(join(folder, "redis-server")))
    ? undefined
    : "no redis-server on the PATH";
}

/** What it ends with: a test, or an example. */
export interface RedisScope {
  after(end: () => Promise<void>): void;
}

export interface RedisOptions {
  /** A configuration file; what is needed to end it here wins over what it says. */
  readonly file?: string;
  /** Further arguments of the server. */
  readonly args?: readonly string[];
}

/** Started; ends with the test. */
export async function startRedis(
  scope: RedisScope,
  { file, args = [] }: RedisOptions = {},
): Promise<Redis> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-redis-"));
  const socket = join(folder, "redis.sock");
  let child: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();
  const redis: Redis = {
    url: `unix:${socket}`,
    async start() {
      const fixed = ["--port", "0", "--unixsocket", socket, "--dir", folder, "--save", ""];
      const all = [...(file === undefined ? [] : [file]), ...fixed, ...args];
      const started = spawn("redis-server", all, { stdio: "ignore" });
      child = started;
      gone = new Promise((resolve) => {
        started.once("exit", () => resolve());
        started.once("error", () => resolve());
      });
      const deadline = performance.now() + LIMITS.start;
      while ((await redis.ask("PING").catch(() => "")) === "") {
        if (performance.now() > deadline) throw new Error("redis-server did not start");
        await new Promise((resolve) => {
          setTimeout(resolve, LIMITS.poll);
        });
      }
    },
    async kill() {
      child?.kill("SIGKILL");
      await gone;
    },
    signal: (signal) => void child?.kill(signal),
    ask: (command) => ask(socket, command),
  };
  scope.after(async () => {
    redis.signal("SIGCONT");
    await redis.kill();
    await rm(folder, { recursive: true, force: true });
  });
  await redis.start();
  return redis;
}

function ask(socket: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const peer = connect(socket);
    let text = "";
    peer.on("error", reject);
    peer.on("data", (chunk: Buffer) => (text += chunk.toString()));
    peer.on("end", () => resolve(text));
    peer.write(`${command}\r\nQUIT\r\n`);
  });
}
