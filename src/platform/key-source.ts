/**
 * Where a key-encryption key comes from: a file that only we can read, an environment variable, or a
 * command that prints it (which asks a KMS or HSM). The key is text, of 32 bytes: base64url (43
 * characters), base64 (44, as `openssl rand -base64 32` prints it) or hex (64), with white space around
 * it allowed. 32 raw bytes are refused: half of a key in hex would pass for them.
 *
 * What went wrong is said without a character of what was read.
 */
import { spawn } from "node:child_process";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { SallyportError } from "../model/errors.ts";
import type { Timers } from "../model/ports.ts";

export type KeySource =
  /** Path of a file of mode 0600 or less. */
  | { readonly file: string }
  /** Name of an environment variable. */
  | { readonly env: string }
  /** Program and arguments, run without a shell; the key is what it prints to stdout. */
  | { readonly command: readonly string[] };

export interface KeySourceDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timers: Timers;
}

const LIMITS = {
  /** Milliseconds for a command: it asks another machine, perhaps with retries of its own. */
  command: 30_000,
  /** Characters around which a key may be wrapped in white space. */
  text: 4096,
} as const;

const KEY_BYTES = 32;

/** Permission bits of group and others. */
const OTHERS = 0o077;

/** The 32 bytes. Rejects with SallyportError `key-encryption-failed`. */
export async function readKey(source: KeySource, deps: KeySourceDeps): Promise<Buffer> {
  if ("file" in source) return decode(readKeyFile(source.file), source.file);
  if ("env" in source) return decode(readVariable(source.env, deps.env), `$${source.env}`);
  const [program = "", ...args] = source.command;
  return decode(await readCommand(program, args, deps.timers), `what ${program} printed`);
}

function readKeyFile(path: string): string {
  try {
    // Without NONBLOCK, opening a pipe waits for somebody who writes.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const figures = fstatSync(file);
      if (!figures.isFile()) throw failed(`${path} is not a regular file`);
      const { mode, size } = figures;
      if ((mode & OTHERS) !== 0) {
        const found = (mode & 0o777).toString(8).padStart(4, "0");
        throw failed(`${path} has mode ${found}, so others could read it; chmod it to 0600`);
      }
      if (size > LIMITS.text) throw failed(`${path} is larger than a key is`);
      return readFileSync(file, "latin1");
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw failed(`${path} cannot be read (${code})`, error);
  }
}

function readVariable(name: string, env: KeySourceDeps["env"]): string {
  const value = env[name];
  if (value === undefined) throw failed(`the environment variable ${name} is not set`);
  return value;
}

/** What it says on stderr goes to ours, for the operator; nothing of stdout goes anywhere. */
async function readCommand(program: string, args: string[], timers: Timers): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], shell: false });
  let text = "";
  child.stdout.setEncoding("latin1").on("data", (part: string) => {
    text += part;
    if (text.length > LIMITS.text) reject(failed(`${program} printed more than a key`));
  });
  child.once("error", (error: NodeJS.ErrnoException) => {
    reject(failed(`${program} cannot be run (${error.code ?? "unknown"})`, error));
  });
  child.once("close", (code, signal) => {
    if (code === 0) resolve(text);
    else
      reject(failed(`${program} ended with ${code === null ? `${signal}` : `exit code ${code}`}`));
  });
  const disarm = timers.after(LIMITS.command, () => {
    reject(failed(`${program} printed no key within ${LIMITS.command / 1000} s`));
  });
  try {
    return await promise;
  } finally {
    disarm();
    // A child of it may hold the pipe open after it is gone.
    child.stdout.destroy();
    child.kill("SIGKILL");
  }
}

/** Exactly one text stands for a key in each encoding: what does not come out again is refused. */
function decode(wrapped: string, from: string): Buffer {
  const text = wrapped.trim();
  const encoding = ENCODINGS.get(text.length);
  const bytes = encoding === undefined ? undefined : Buffer.from(text, encoding);
  if (bytes?.length === KEY_BYTES) {
    const again = bytes.toString(encoding);
    if (again === (encoding === "hex" ? text.toLowerCase() : text)) return bytes;
  }
  throw failed(
    `${from} is not a key: ${KEY_BYTES} bytes as base64url, base64 or hex; make one with: openssl rand -base64 32`,
  );
}

const ENCODINGS: ReadonlyMap<number, "base64url" | "base64" | "hex"> = new Map([
  [43, "base64url"],
  [44, "base64"],
  [64, "hex"],
]);

function failed(message: string, cause?: unknown): SallyportError {
  return new SallyportError("key-encryption-failed", `keyEncryptionKey: ${message}`, { cause });
}
