/**
 * The machines of the cluster, on this one: a folder and an environment each, a database, a balancer.
 * What is done here is what the README says to do by hand.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Postgres, startPostgres } from "../../test/postgres.ts";
import { type Redis, startRedis, whyNoRedis } from "../../test/redis.ts";
import { type RunningChild, startChild } from "../children.ts";
import type { Ground } from "../example.ts";

const LIMITS = {
  /** Milliseconds for one command. */
  command: 60_000,
} as const;

const run = promisify(execFile);
const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

export const AUTHORITIES = ["authority-1", "authority-2"] as const;
export const PROXIES = ["edge-1", "edge-2", "edge-3"] as const;
export type AuthorityName = (typeof AUTHORITIES)[number];
export type ProxyName = (typeof PROXIES)[number];

/** A machine with its folder and its environment; what runs on it may come and go. */
export class Machine {
  readonly name: string;
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: RunningChild | undefined;

  /** From the files of its role. */
  constructor(ground: Ground, name: string, role: "authority" | "proxy") {
    this.name = name;
    this.folder = join(ground.folder, name);
    cpSync(join(ground.folder, role), this.folder, { recursive: true });
    const environment = readFileSync(join(ground.folder, "machines", `${name}.env`), "utf8");
    this.#env = { ...process.env, ...Object.fromEntries(pairs(environment)) };
    ground.onEnd(() => this.stop());
  }

  get log(): string {
    return join(this.folder, "sallyport.log");
  }

  get child(): RunningChild {
    if (this.#child === undefined) throw new TypeError(`${this.name} does not run`);
    return this.#child;
  }

  /** Of its environment. */
  variable(name: string): string {
    return this.#env[name] ?? "";
  }

  /** A file that only its owner reads. */
  write(path: string, text: string): void {
    const file = join(this.folder, path);
    mkdirSync(join(file, ".."), { recursive: true, mode: 0o700 });
    writeFileSync(file, text, { mode: 0o600 });
  }

  async start(): Promise<void> {
    const command = [SALLYPORT, "run"] as const;
    const { name, folder: cwd, log } = this;
    this.#child = await startChild({ name, command: [...command], cwd, env: this.#env, log });
    await this.#child.until(/^listening\s+admin\s.*\n/m);
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
    this.#child = undefined;
  }

  /** As a loss of power would. */
  async kill(): Promise<void> {
    if (this.#child === undefined) return;
    process.kill(this.#child.pid, "SIGKILL");
    await this.#child.ended;
    this.#child = undefined;
  }

  /** What a command prints; rejects with what it says where it does not end in success. */
  async command(...args: readonly string[]): Promise<string> {
    const options = { cwd: this.folder, env: this.#env, timeout: LIMITS.command };
    return (await run(SALLYPORT, args, options)).stdout;
  }

  /** What its operators' address answers. */
  async get(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const response = await fetch(`http://${this.variable("ADMIN_ADDRESS")}${path}`);
    return { status: response.status, body: await response.text() };
  }

  /** A call of the admin API over its socket, which is there for whoever owns the machine. */
  admin(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly body: string }> {
    const socketPath = join(this.folder, "run", "admin.sock");
    const headers = { host: "localhost", "content-type": "application/json" };
    return new Promise((resolve, reject) => {
      const call = request({ socketPath, method, path, headers }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
      });
      call.on("error", reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

export interface Cluster {
  readonly database: Postgres;
  readonly redis: Redis;
  readonly authorities: Readonly<Record<AuthorityName, Machine>>;
  readonly proxies: Readonly<Record<ProxyName, Machine>>;
  readonly balancer: RunningChild;
}

/** In the order of the README: database, Redis, authorities, proxies, balancer. */
export async function startCluster(ground: Ground, jwks: object): Promise<Cluster> {
  const password = randomBytes(24).toString("base64url");
  const database = await startDatabase(ground, password);
  const redisPassword = randomBytes(24).toString("base64url");
  const redis = await startCommon(ground, redisPassword);
  const kek = randomBytes(32).toString("base64url");
  const authority = async (name: AuthorityName): Promise<Machine> => {
    const machine = new Machine(ground, name, "authority");
    machine.write("secrets/kek", kek);
    machine.write("secrets/store-password", password);
    machine.write("keys/jwks.json", JSON.stringify(jwks));
    await machine.start();
    return machine;
  };
  const authorities = {
    "authority-1": await authority("authority-1"),
    "authority-2": await authority("authority-2"),
  };
  const proxy = async (name: ProxyName): Promise<Machine> => {
    const machine = new Machine(ground, name, "proxy");
    machine.write("secrets/redis-password", redisPassword);
    await enrol(authorities["authority-1"], machine);
    await machine.start();
    return machine;
  };
  const [one, two, three] = await Promise.all([proxy("edge-1"), proxy("edge-2"), proxy("edge-3")]);
  const proxies = { "edge-1": one, "edge-2": two, "edge-3": three };
  return { database, redis, authorities, proxies, balancer: await startBalancer(ground) };
}

async function startDatabase(ground: Ground, password: string): Promise<Postgres> {
  const database = await startPostgres();
  if (database === undefined) throw new Error("this needs Postgres (Debian: postgresql)");
  ground.onEnd(() => database.end());
  const sql = join(ground.folder, "postgres", "database.sql");
  await run("psql", [
    database.url,
    "-q",
    "-v",
    "ON_ERROR_STOP=1",
    "-v",
    `password=${password}`,
    "-f",
    sql,
  ]);
  rewrite(ground, "authority/sallyport.yaml", (text) =>
    text.replace(`127.0.0.1:${ground.port(5432)}`, `127.0.0.1:${database.port}`),
  );
  return database;
}

async function startCommon(ground: Ground, password: string): Promise<Redis> {
  const missing = whyNoRedis();
  if (missing !== undefined) throw new Error(`this needs Redis (Debian: redis-server): ${missing}`);
  rewrite(ground, "redis/redis.conf", (text) => `${text}requirepass ${password}\n`);
  const scope = { after: (end: () => Promise<void>) => ground.onEnd(end) };
  const file = join(ground.folder, "redis", "redis.conf");
  return await startRedis(scope, { file, args: ["--port", String(ground.port(6379))] });
}

/** A token that counts once and for ten minutes, carried to the machine; its key never leaves it. */
async function enrol(authority: Machine, machine: Machine): Promise<void> {
  const token = await authority.command("workloads", "enrol", machine.name, "--kind", "proxy");
  machine.write("join-token", token);
  await machine.command("enrol", "--token-file", "join-token");
}

async function startBalancer(ground: Ground): Promise<RunningChild> {
  rewrite(ground, "haproxy/haproxy.cfg", (text) =>
    text.replaceAll(/\bport (\d+)$/gm, (_all, port: string) => `port ${ground.port(Number(port))}`),
  );
  const child = await startChild({
    name: "haproxy",
    // It prints nothing when it is ready.
    command: ["/bin/sh", "-c", "echo starting; exec haproxy -db -f haproxy/haproxy.cfg"],
    cwd: ground.folder,
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` },
    log: join(ground.folder, "haproxy.log"),
  });
  ground.onEnd(() => child.stop());
  const failed = child.ended.then((how) => {
    throw new Error(`${how}\n${readFileSync(join(ground.folder, "haproxy.log"), "utf8")}`);
  });
  await Promise.race([answers(`http://127.0.0.1:${ground.port(8080)}/`), failed]);
  failed.catch(() => undefined);
  return child;
}

async function answers(url: string): Promise<void> {
  const asked = (): Promise<unknown> => fetch(url).then((response) => response.arrayBuffer());
  while ((await asked().catch(() => undefined)) === undefined) await sleep(50);
}

function rewrite(ground: Ground, path: string, change: (text: string) => string): void {
  const file = join(ground.folder, path);
  writeFileSync(file, change(readFileSync(file, "utf8")), { mode: 0o600 });
}

/** Lines `NAME=value`. */
function pairs(environment: string): [string, string][] {
  return environment
    .split("\n")
    .filter((line) => line.includes("="))
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
}
