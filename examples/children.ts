/**
 * Processes that the examples start. Each writes what it has to complain about into a file; its first line on standard output says that it is ready.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { openSync, closeSync, readFileSync } from "node:fs";

const LIMITS = {
  /** Milliseconds from start to ready, on a slow and busy machine. */
  start: 30_000,
  /** Milliseconds from SIGTERM to SIGKILL. */
  stop: 15_000,
  /** Last characters of a log that are shown when its process failed. */
  tail: 2000,
} as const;

export interface ChildOptions {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** File for its standard error. */
  readonly log: string;
}

export interface RunningChild {
  readonly pid: number;
  /** Its first line on standard output. */
  readonly firstLine: string;
  /** All that it wrote to standard output until now. */
  output(): string;
  /** Settles when standard output matches; rejects when it ends or takes too long before that. */
  until(pattern: RegExp): Promise<void>;
  /** Settles with a sentence when it ends. */
  readonly ended: Promise<string>;
  /** Asks it to end, and settles when it has. */
  stop(): Promise<void>;
}

/** Settles when the process has printed its first line; rejects with its log if it ends before. */
export async function startChild(options: ChildOptions): Promise<RunningChild> {
  const [program, ...args] = options.command;
  const log = openSync(options.log, "a", 0o600);
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["pipe", "pipe", log],
  });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`${options.name} could not start: ${error.message}`));
    child.once("exit", (code, signal) => {
      resolve(`${options.name} ended (${signal ?? `exit code ${code ?? "unknown"}`})`);
    });
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), LIMITS.stop);
    await ended;
    clearTimeout(timer);
  };
  const output = gather(child);
  const until = (pattern: RegExp): Promise<void> => output.until(pattern, ended);
  const text = (): string => output.text;
  try {
    await until(/\n/);
    const firstLine = output.text.slice(0, output.text.indexOf("\n"));
    return { pid: child.pid ?? 0, firstLine, output: text, until, ended, stop };
  } catch (cause) {
    await stop();
    const said = readFileSync(options.log, "utf8").slice(-LIMITS.tail).trim();
    throw new Error(`${(cause as Error).message}\n${said}`, { cause });
  }
}

interface Output {
  readonly text: string;
  until(pattern: RegExp, ended: Promise<string>): Promise<void>;
}

function gather(child: ChildProcess): Output {
  const waiting = new Set<() => void>();
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    for (const look of waiting) look();
  });
  return {
    get text() {
      return text;
    },
    until(pattern, ended) {
      return new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("not ready in time")), LIMITS.start);
        const look = (): void => {
          if (!pattern.test(text)) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve();
        };
        waiting.add(look);
        const fail = (sentence: string): void => {
          clearTimeout(timer);
          reject(new Error(sentence));
        };
        void ended.then(fail);
        look();
      });
    },
  };
}
