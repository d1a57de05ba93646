/** `sallyport audit verify`: whether the log is what was sealed. Asks no running process, and needs no secret. */
import { join, resolve } from "node:path";
import { parseCheckpoint } from "../audit/tree/checkpoint.ts";
import { type NoteKey, parseNote, readVkey } from "../audit/tree/note.ts";
import { TREE_FILES, TREE_FOLDER } from "../audit/tree/tree-files.ts";
import type { KeptCheckpoint } from "../audit/tree/verify/kept.ts";
import { verifyLog } from "../audit/tree/verify/verify-log.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { duration } from "../model/options.ts";
import type { Clock } from "../model/ports.ts";
import { systemClock } from "../platform/clock.ts";
import { readFileBytes } from "../platform/files.ts";
import { auditFolderOf, auditMemberOf } from "./audit-folder.ts";
import { ownKeyWarning, verifyText } from "./audit-verify-text.ts";

export interface VerifyCommandOptions {
  readonly config: string;
  /** vkeys, or files that hold some. */
  readonly key: readonly string[];
  /** Files with a checkpoint that was kept elsewhere. */
  readonly checkpoint: readonly string[];
  /** vkeys of witnesses, or files that hold some. */
  readonly witness: readonly string[];
  readonly format: "json" | "text";
  /** How long files have to be kept: `400d`. */
  readonly keep?: string | undefined;
  /** Whether the configuration was named, and not only taken by default. */
  readonly configNamed?: boolean;
}

export interface Said {
  readonly write: (text: string) => void;
  /** For a person, and not for a pipe. */
  readonly hint: (line: string) => void;
}

export interface VerifyDeps extends Said {
  /** For tests; the system's when left out. */
  readonly clock?: Clock;
}

/** 0: whole; 1: a fault. Throws SallyportError where it cannot be looked at. */
export async function auditVerify(
  named: string | undefined,
  options: VerifyCommandOptions,
  { write, hint, clock = systemClock }: VerifyDeps,
): Promise<number> {
  const folder =
    named === undefined ? auditFolderOf(options.config, "the folder of the log") : resolve(named);
  const given = options.key.flatMap(keysOf);
  const kept = options.checkpoint.map(keptIn);
  const witnesses = options.witness.flatMap(keysOf);
  const asConfigured = named === undefined || options.configNamed === true;
  const keepMs = keepOf(options.keep, asConfigured ? options.config : undefined);
  // What was typed is judged before what lies in the folder.
  const keys = given.length > 0 ? given : ownKeys(folder);
  if (given.length === 0) hint(ownKeyWarning(folder));
  const started = performance.now();
  const nowMs = clock.now();
  const report = await verifyLog({ folder, keys, kept, witnesses, keepMs, nowMs });
  const seconds = (performance.now() - started) / 1000;
  if (options.format === "json") write(`${JSON.stringify({ ...report, seconds })}\n`);
  else write(verifyText(report, seconds));
  // Who was given a key expects a log: an empty folder is what is left when all of it was taken away.
  const missing = report.checkpoints === 0 && given.length > 0;
  return report.faultCount === 0 && !missing ? 0 : 1;
}

const KEEP = duration({ min: "1h", max: "36500d" });

/** Milliseconds; what was said goes before what the configuration says. Throws ConfigError. */
function keepOf(said: string | undefined, config: string | undefined): number | undefined {
  const written = said ?? (config === undefined ? undefined : auditMemberOf(config, "keep"));
  if (written === undefined) return undefined;
  const { data, error } = KEEP.safeParse(written);
  if (data !== undefined) return data;
  const where = said === undefined ? "audit.keep" : "--keep";
  const message = `${where}: ${error?.issues[0]?.message ?? "no duration"}`;
  throw new ConfigError([{ message, remedy: "how long files have to be kept, such as 400d" }]);
}

/** A vkey, or the vkeys in a file. Throws SallyportError `key-invalid`. */
export function keysOf(text: string): NoteKey[] {
  if (/^[^+\s]+\+[0-9a-f]{8}\+/.test(text)) return [readVkey(text)];
  const lines = readText(text)
    .split("\n")
    .filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new SallyportError("key-invalid", `${text} holds no key`);
  return lines.map((line) => readVkey(line));
}

/** Those that the folder itself says are its own. */
export function ownKeys(folder: string): NoteKey[] {
  const own = join(folder, TREE_FOLDER, TREE_FILES.publicKey);
  try {
    return keysOf(own);
  } catch (error) {
    const cause = error instanceof SallyportError ? error.cause : undefined;
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== "ENOENT") throw error;
    const none = `${folder} has no ${TREE_FOLDER}/${TREE_FILES.publicKey}`;
    const message = `${none}: name the folder of an audit log, or its key with --key`;
    throw new SallyportError("audit-failed", message, { cause: error });
  }
}

function keptIn(name: string): KeptCheckpoint {
  try {
    const note = parseNote(readText(name));
    return { name, note, checkpoint: parseCheckpoint(note.text) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SallyportError("audit-failed", `${name} holds no checkpoint: ${error.message}`);
  }
}

function readText(path: string): string {
  try {
    return readFileBytes(path).toString("utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new SallyportError("io-failed", `${path} cannot be read (${code})`, { cause: error });
  }
}
