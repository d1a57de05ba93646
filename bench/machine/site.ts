/**
 * The place where a run happens: a temporary folder and the programs started in it. Whatever way the
 * run ends (done, failed, Ctrl-C), each of them is ended by its own process group and the folder goes.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { groupMembers } from "./process-stat.ts";

/** Time to drain after SIGTERM before SIGKILL. */
const GRACE_MS = 5_000;
/** Nearly all of a core, and still something for the others. */
const PRIORITY = -16;
/** The last. */
const BACKGROUND = 19;
/** How much of a dead program's output an error shows. */
const SHOWN_OUTPUT = 2_000;

export interface StartOptions {
  /** A core, or a list of them as taskset takes it. */
  readonly core: number | string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Has only what the run's other programs leave of its core. */
  readonly background?: boolean;
}

/** A program that leads a process group of its own. */
export interface Program {
  readonly name: string;
  /** Also the id of its process group. */
  readonly pid: number;
  readonly child: ChildProcess;
  /** Stops it so that it costs nothing while others are measured. */
  pause(): void;
  resume(): void;
  /** What it printed so far, standard output and error. */
  output(): string;
  /** Throws, with the end of its output, if it has ended by itself. */
  assertAlive(): void;
  /** Resolves with its exit status once it has ended; null if a signal ended it. */
  readonly ended: Promise<number | null>;
  stop(): Promise<void>;
}

export interface Site {
  readonly folder: string;
  path(name: string): string;
  start(name: string, command: readonly string[], options: StartOptions): Program;
  close(): Promise<void>;
}

/** Puts this process itself, which makes load too, before what does not belong to the run; until it ends. */
export function putFirst(): void {
  setNice(process, PRIORITY);
  process.once("exit", () => setNice(process, 0));
}

/** Makes the folder and takes over SIGINT, SIGTERM and SIGHUP until it is closed. */
export function openSite(options: { readonly keep: boolean; readonly priority: boolean }): Site {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
  const programs = new Set<Program>();

  const removeFolder = (): void => {
    if (!options.keep) rmSync(folder, { recursive: true, force: true });
  };
  // The last resort, and synchronous: an uncaught error or process.exit comes by here too.
  const onExit = (): void => {
    for (const program of programs) signalGroup(program.pid, "SIGKILL");
    removeFolder();
  };
  process.once("exit", onExit);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, onSignal);

  return {
    folder,
    path: (name) => join(folder, name),
    start(name, command, startOptions) {
      const program = startProgram(name, command, {
        ...startOptions,
        log: join(folder, `${name}.log`),
      });
      programs.add(program);
      if (startOptions.background === true) setNice(program, options.priority ? 0 : BACKGROUND);
      else if (options.priority) setNice(program, PRIORITY);
      program.child.once("exit", () => {
        // Workers may outlive the leader; the group keeps its id until they are gone.
        if (groupMembers(program.pid).length === 0) programs.delete(program);
      });
      return program;
    },
    async close() {
      await Promise.all([...programs].map((program) => program.stop()));
      process.off("exit", onExit);
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, onSignal);
      removeFolder();
    },
  };
}

/** Leaving runs the exit handlers, which end everything. */
function onSignal(signal: NodeJS.Signals): void {
  process.stderr.write(`bench: ${signal}: ending what was started\n`);
  process.exit(signal === "SIGINT" ? 130 : 143);
}

function startProgram(
  name: string,
  command: readonly string[],
  options: StartOptions & { readonly log: string },
): Program {
  const log = openSync(options.log, "a");
  const child = spawn("taskset", ["-c", String(options.core), ...command], {
    // A group of its own: Ctrl-C reaches only the harness, which then ends all in order.
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} could not be started: is taskset there?`);
  const output = (): string => readFileSync(options.log, "utf8");
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    name,
    pid,
    child,
    ended,
    pause: () => signalGroup(pid, "SIGSTOP"),
    resume: () => signalGroup(pid, "SIGCONT"),
    output,
    assertAlive() {
      if (alive()) return;
      throw new Error(`${name} has ended by itself:\n${output().slice(-SHOWN_OUTPUT)}`);
    },
    async stop() {
      if (!alive()) return;
      signalGroup(pid, "SIGCONT");
      signalGroup(pid, "SIGTERM");
      const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), GRACE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/**
 * Each program leads a session, and Linux shares processors out among sessions (sched(7), "The
 * autogroup feature"): the nice value that counts is the session's. Where there are no such groups it
 * is the program's own. Throws where it cannot be set.
 */
function setNice({ pid }: { readonly pid: number }, nice: number): void {
  const group = `/proc/${pid}/autogroup`;
  if (existsSync(group)) writeFileSync(group, String(nice));
  else setPriority(pid, nice);
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Nobody is left in it.
  }
}
