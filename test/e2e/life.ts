/**
 * What the tests of the life cycle share: `sallyport run` in a folder of its own with a service
 * behind it, and callers that keep it busy and remember what they got.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AuditTail } from "./audit-tail.ts";
import type { AuditRecord } from "./judge.ts";

const LIMITS = {
  /** Milliseconds for anything that is waited for, on a slow and busy machine. */
  wait: 60_000,
  /** Milliseconds between looks at what says nothing by itself. */
  poll: 10,
  /** Milliseconds between an answer and the next request of a caller. */
  pause: 15,
} as const;

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const RUNTIME = process.versions["bun"] === undefined ? "node" : "bun";

/** A service that answers with its name; `/held` waits until `release` is called. */
export interface HeldService {
  readonly address: string;
  /** Requests to `/held` that wait. */
  readonly held: readonly ServerResponse[];
  release(): void;
  close(): void;
}

export async function startHeldService(): Promise<HeldService> {
  const held: ServerResponse[] = [];
  const server: Server = createServer((incoming, response) => {
    if (incoming.url === "/held") held.push(response);
    else response.end("from the service");
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    held,
    release() {
      for (const response of held.splice(0)) response.end("at last");
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A folder with a configuration: everything open to anybody, `extra` at top level. */
export class Home {
  readonly path = mkdtempSync(join(tmpdir(), "sallyport-life-"));
  readonly #service: HeldService;
  readonly #audit = new AuditTail(join(this.path, "audit"));

  constructor(service: HeldService) {
    this.#service = service;
    mkdirSync(join(this.path, "policies"));
    this.policy('@id("anybody") permit (principal, action, resource);');
    this.write();
  }

  policy(text: string): void {
    writeFileSync(join(this.path, "policies", "all.cedar"), text);
  }

  /** `route`: further options of the one route there is; `policies`: of the policies; `durability`: of the audit log. */
  write(
    extra = "",
    listeners = '- { name: edge, address: "127.0.0.1:0" }',
    { route = "", policies = "", durability = "batched" } = {},
  ): void {
    const text = `version: 1
listeners:
  ${listeners}
admin: { address: "127.0.0.1:0" }
services: { one: { endpoints: ["http://${this.#service.address}"] } }
routes: [{ name: all, path: "/*", service: one, authenticate: [anonymous]${route} }]
policies: { enforce: [policies]${policies} }
audit: { path: audit, durability: ${durability}, unidentified: { perSecond: 100000, burst: 1000000 } }
${extra}
`;
    writeFileSync(join(this.path, "sallyport.yaml"), text, { mode: 0o600 });
  }

  records(): readonly AuditRecord[] {
    return this.#audit.records();
  }

  /** Completions of the requests to a path. */
  completions(path: string): readonly AuditRecord[] {
    const records = this.records();
    const ids = new Set(
      records.filter((record) => record["path"] === path).map((record) => record["decisionId"]),
    );
    return records.filter(({ type, decisionId }) => type === "completion" && ids.has(decisionId));
  }

  /** How many processes have written records. */
  auditWriters(): number {
    const names = readdirSync(join(this.path, "audit")).filter((name) => name.endsWith(".jsonl"));
    return new Set(names.map((name) => /-(\d+-w\d+)\.jsonl$/.exec(name)?.[1])).size;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface Life {
  readonly pid: number;
  /** Standard output and error until now. */
  output(): string;
  /** `host:port` of a listener. */
  address(name: string): string;
  signal(signal: NodeJS.Signals): void;
  /** Settles to `exit code N` or the signal. */
  readonly ended: Promise<string>;
  metrics(): Promise<string>;
  /** The value of a sample, labels included as they are written. NaN where it is not there. */
  metric(sample: string): Promise<number>;
  ready(): Promise<{ readonly status: number; readonly body: ReadyBody }>;
}

export interface ReadyBody {
  readonly status: string;
  readonly checks: Readonly<Record<string, string>>;
  readonly config?: {
    readonly hash: string;
    readonly since: string;
    readonly failingTests?: number;
    readonly notReloaded?: { readonly at: string; readonly why: readonly string[] };
  };
}

/** Settles when the operators' listener is printed. `env`: beside that of this process. */
export async function startLife(
  home: Home,
  env: Readonly<Record<string, string>> = {},
): Promise<Life> {
  const child = spawn(SALLYPORT, ["run"], {
    cwd: home.path,
    env: { ...process.env, SALLYPORT_RUNTIME: RUNTIME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  left.add(() => {
    child.kill("SIGKILL");
    for (const pid of workerPids(text)) end(pid);
  });
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code ?? "none"}`));
  });
  const take = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const over = ended.then((how) => {
    throw new Error(`${how}: ${text}`);
  });
  over.catch(() => {});
  const started = until("the start", () => /^listening\s+admin\s.*\n/m.test(text));
  try {
    await Promise.race([started, over]);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const address = (name: string): string => {
    const found = new RegExp(`^listening\\s+${name}\\s+http://(\\S+)`, "m").exec(text)?.[1];
    if (found === undefined) throw new TypeError(`no listener ${name} in ${text}`);
    return found;
  };
  const admin = async (path: string): Promise<Response> =>
    await fetch(`http://${address("admin")}${path}`, { headers: { connection: "close" } });
  const metrics = async (): Promise<string> => await (await admin("/metrics")).text();
  return {
    pid: child.pid ?? 0,
    output: () => text,
    address,
    signal: (signal) => void child.kill(signal),
    ended,
    metrics,
    async metric(sample) {
      const line = (await metrics()).split("\n").find((one) => one.startsWith(`${sample} `));
      return Number(line?.slice(sample.length + 1) ?? Number.NaN);
    },
    async ready() {
      const response = await admin("/readyz");
      return { status: response.status, body: (await response.json()) as ReadyBody };
    },
  };
}

/** Process ids of the workers that have served, in the order in which they began to. */
export function workerPids(output: string): readonly number[] {
  const lines = output.split("\n").filter((line) => line.includes('"supervisor: a worker serves"'));
  return lines.map((line) => Number(/"pid":(\d+)/.exec(line)?.[1]));
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended long ago.
  }
}

/** Looks until it is so; rejects when it takes too long. */
export async function until(
  what: string,
  look: () => boolean | Promise<boolean>,
  ms: number = LIMITS.wait,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, LIMITS.poll);
    });
  }
}

export interface Answer {
  /** 0: none came. */
  readonly status: number;
  readonly body: string;
  readonly connection: string;
  readonly error?: string;
}

/** One request; never rejects. */
export function ask(address: string, path = "/x", agent?: Agent): Promise<Answer> {
  return new Promise((resolve) => {
    const none = (error: Error): void =>
      resolve({ status: 0, body: "", connection: "", error: error.message });
    const [host, port] = address.split(":");
    const outgoing = request({ host, port, path, agent: agent ?? false }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("error", none);
      response.on("end", () => {
        const connection = response.headers.connection ?? "";
        resolve({ status: response.statusCode ?? 0, body, connection });
      });
    });
    outgoing.on("error", none);
    outgoing.end();
  });
}

export interface Load {
  /** What came, by status or by error. */
  readonly seen: ReadonlyMap<string, number>;
  readonly answered: number;
  stop(): Promise<void>;
}

/** What a test that failed half-way has left running must not keep its process alive. */
const left = new Set<() => void>();

export function stopAll(): void {
  for (const stop of left) stop();
}

/** So many callers that ask one request after the other, each over a connection that it keeps. */
export function startLoad(address: string, callers: number, keepAlive = true): Load {
  const seen = new Map<string, number>();
  const agent = new Agent({ keepAlive, maxSockets: callers });
  let answered = 0;
  const state = { going: true };
  async function call(): Promise<void> {
    while (state.going) {
      const { status, error } = await ask(address, "/x", agent);
      const key = error ?? String(status);
      seen.set(key, (seen.get(key) ?? 0) + 1);
      answered += 1;
      // Callers that never pause would leave a busy machine nothing for what is tested.
      await new Promise((resolve) => {
        setTimeout(resolve, LIMITS.pause);
      });
    }
  }
  const all = Array.from({ length: callers }, call);
  left.add(() => {
    state.going = false;
  });
  return {
    seen,
    get answered() {
      return answered;
    },
    async stop() {
      state.going = false;
      await Promise.all(all);
      agent.destroy();
    },
  };
}
