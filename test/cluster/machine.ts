/**
 * One machine of a cluster: a folder with a `sallyport.yaml`, and the process that runs it, which
 * can be killed, frozen and started again at the same addresses. Whatever a test leaves running
 * ends with it.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const LIMITS = {
  /** Milliseconds for a start, an end, or anything that is waited for, on a busy machine. */
  wait: 60_000,
  /** Milliseconds between looks at what says nothing by itself. */
  poll: 20,
  /** Milliseconds for one command of the command line. */
  command: 60_000,
} as const;

export const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
export type Runtime = "node" | "bun";
const RUNTIME: Runtime = process.versions["bun"] === undefined ? "node" : "bun";

/** What ends things at last: a test's context, or whoever else keeps that word. */
export interface Scope {
  after(end: () => Promise<void> | void): void;
}

export interface MachineOptions {
  readonly name: string;
  readonly folder: string;
  /** `host:port` of its operators' listener. */
  readonly admin: string;
  /** That of the test when left out. */
  readonly runtime?: Runtime | undefined;
}

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ReadyBody {
  readonly status: string;
  readonly checks: Readonly<Record<string, string>>;
  readonly [detail: string]: unknown;
}

/** A line of the audit log. */
export type AuditRecord = Readonly<Record<string, unknown>>;

export class Machine {
  readonly name: string;
  readonly folder: string;
  /** `host:port` of the operators' listener. */
  readonly admin: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #ended: Promise<string> = Promise.resolve("not started");
  /** Output of all its lives. */
  #text = "";
  /** Where the output of this life begins. */
  #from = 0;

  constructor(scope: Scope, options: MachineOptions) {
    this.name = options.name;
    this.#env = { ...process.env, SALLYPORT_RUNTIME: options.runtime ?? RUNTIME };
    this.folder = options.folder;
    this.admin = options.admin;
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    scope.after(async () => {
      if (this.running) await this.kill();
    });
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get running(): boolean {
    return (
      this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
    );
  }

  /** Standard output and error of this life. */
  get output(): string {
    return this.#text.slice(this.#from);
  }

  /** Settles to `exit code N` or the signal when this life ends. */
  get ended(): Promise<string> {
    return this.#ended;
  }

  /** A file below its folder, 0600, folders as needed. */
  write(path: string, text: string): void {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, text, { mode: 0o600 });
  }

  /** Settles when it accepts connections; rejects with its output where it ends before. */
  async start(): Promise<void> {
    this.launch();
    await this.said(/^listening\s+admin\s.*\n/m);
  }

  /** Starts it without waiting for anything. */
  launch(): void {
    if (this.running) throw new TypeError(`${this.name} runs already`);
    this.#from = this.#text.length;
    const child = spawn(SALLYPORT, ["run", "-c", "sallyport.yaml"], {
      cwd: this.folder,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    children.add(child);
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => {
        children.delete(child);
        resolve(signal ?? `exit code ${code ?? "none"}`);
      });
    });
    const take = (chunk: Buffer): void => {
      this.#text += chunk.toString();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
  }

  /** Settles when this life has written it; rejects with its output where it ends before. */
  async said(pattern: RegExp): Promise<void> {
    const over = this.#ended.then((how) => {
      throw new Error(`${this.name}: ${how}\n${this.output.slice(-4000)}`);
    });
    over.catch(() => undefined);
    const said = until(`${this.name} says ${String(pattern)}`, () => pattern.test(this.output));
    await Promise.race([said, over]);
  }

  /** As a power cut would: nothing is written, nothing is said to anybody. */
  async kill(): Promise<void> {
    // A frozen process dies of it too.
    this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** In order. Settles to how it ended. */
  async stop(): Promise<string> {
    this.#child?.kill("SIGTERM");
    return await this.#ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** One command on its command line, in its folder. Never rejects for what the command says. */
  command(...args: readonly string[]): Promise<Said> {
    return new Promise((resolve) => {
      execFile(
        SALLYPORT,
        args,
        { cwd: this.folder, env: this.#env, timeout: LIMITS.command },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
          resolve({ code, stdout, stderr });
        },
      );
    });
  }

  /** The same, and it has to succeed. */
  async does(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.command(...args);
    if (code !== 0) throw new Error(`${this.name}: ${args.join(" ")}: ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  async get(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const response = await fetch(`http://${this.admin}${path}`, {
      headers: { connection: "close" },
      signal: AbortSignal.timeout(10_000),
    });
    return { status: response.status, body: await response.text() };
  }

  async ready(): Promise<{ readonly status: number; readonly body: ReadyBody }> {
    const { status, body } = await this.get("/readyz");
    return { status, body: JSON.parse(body) as ReadyBody };
  }

  /** Whether it says so; false where it cannot be asked. */
  async isReady(): Promise<boolean> {
    return await this.get("/readyz").then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  /** The value of a sample, labels included as they are written. NaN where there is none. */
  async metric(sample: string): Promise<number> {
    const { body } = await this.get("/metrics");
    const line = body.split("\n").find((one) => one.startsWith(`${sample} `));
    return Number(line?.slice(sample.length + 1) ?? Number.NaN);
  }

  /** What it has recorded, of all its lives; a line that a death has torn is left out. */
  records(): readonly AuditRecord[] {
    const folder = join(this.folder, "audit");
    return readdirSync(folder)
      .filter((name) => name.endsWith(".jsonl"))
      .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1))
      .map((line) => JSON.parse(line) as AuditRecord);
  }
}

/** Looks until it is so; rejects where it takes too long. */
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

/** What a test file that is itself ended early would leave behind. */
const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(1));
}
