/** `sallyport audit prove` and `audit verify-proof`: one record, or one checkpoint after another, for somebody who has no log. */
import { resolve } from "node:path";
import { findDecision } from "../audit/find-decision.ts";
import { type Checkpoint, parseCheckpoint } from "../audit/tree/checkpoint.ts";
import { leafHash } from "../audit/tree/hashing.ts";
import { type Note, parseNote, verifyNote } from "../audit/tree/note.ts";
import { proveConsistency, proveDecision } from "../audit/tree/prove.ts";
import { parseProof, writeProof } from "../audit/tree/tlog-proof.ts";
import { verifyConsistency, verifyInclusion } from "../audit/tree/verify-proof.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { readFileBytes } from "../platform/files.ts";
import { writeFileAtomic } from "../platform/write-file.ts";
import { auditFolderOf } from "./audit-folder.ts";
import { keysOf } from "./audit-verify.ts";

export interface ProveOptions {
  readonly config: string;
  readonly audit?: string | undefined;
  /** A signed checkpoint that was kept elsewhere: the record is proven to be under that one. */
  readonly checkpoint?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Name of the files without their endings. */
  readonly out?: string | undefined;
}

type Print = (line: string) => void;

/** 1: it is not sealed yet, or there is none. Throws SallyportError and ConfigError. */
export async function auditProve(
  id: string | undefined,
  options: ProveOptions,
  print: Print,
): Promise<number> {
  const folder =
    options.audit === undefined ? auditFolderOf(options.config) : resolve(options.audit);
  if ((id === undefined) === (options.from === undefined)) {
    throw wrong("either the id of a decision, or --from SIZE");
  }
  if (id !== undefined && options.to !== undefined) {
    throw wrong(
      "--to goes with --from; a record is proven under the last checkpoint, or --checkpoint",
    );
  }
  if (id === undefined && options.checkpoint !== undefined) {
    throw wrong("--checkpoint goes with the id of a decision; of two checkpoints, --from and --to");
  }
  if (id !== undefined) return await proveRecord(folder, { ...options, id }, print);
  const [from, to] = [sizeIn(options.from), sizeIn(options.to)];
  const file = proveConsistency(folder, { from: from ?? 0, to });
  const { size } = parseCheckpoint(parseNote(file.note).text);
  const path = `${options.out ?? `${from}-${size}`}.consistency`;
  await writeFileAtomic(path, writeProof(file));
  print(`${path}: the log of ${size} records begins with that of ${from}`);
  return 0;
}

async function proveRecord(
  folder: string,
  { id, checkpoint, out = id }: ProveOptions & { readonly id: string },
  print: Print,
): Promise<number> {
  const found = await findDecision(folder, id);
  if (found === undefined) {
    print(`no decision ${id} in ${folder}`);
    return 1;
  }
  const note = checkpoint === undefined ? undefined : readText(checkpoint);
  if (checkpoint !== undefined && note !== undefined) noteIn(checkpoint, note);
  const segment = found.file.replace(/\.gz$/, "");
  const proven = await proveDecision(folder, { segment, id, note });
  if (proven === undefined) {
    print(`decision ${id} is in ${segment} and not under that checkpoint (yet)`);
    return 1;
  }
  // The bytes of the leaf: a line feed at the end would be another record.
  await writeFileAtomic(`${out}.record`, proven.record, { mode: 0o600 });
  await writeFileAtomic(`${out}.tlog-proof`, writeProof(proven.file));
  print(`${out}.record, ${out}.tlog-proof: leaf ${proven.file.index} (from 0) of the log`);
  return 0;
}

export interface VerifyProofOptions {
  readonly key: readonly string[];
  readonly record?: string | undefined;
  readonly checkpoint?: string | undefined;
}

/** 0: it holds; 1: it does not. Throws SallyportError where something cannot be read. */
export function auditVerifyProof(path: string, options: VerifyProofOptions, print: Print): number {
  const keys = options.key.flatMap(keysOf);
  if (keys.length === 0) throw wrong("--key is missing: the log's public key, or a file with it");
  const file = asRead(path, () => parseProof(readText(path)));
  const { note, checkpoint } = noteIn(path, file.note);
  const isSigned = (one: Note): boolean => keys.some((key) => Boolean(verifyNote(one, key)));
  if (!isSigned(note)) return no(print, "its checkpoint is not signed by a key that was given");
  const { size, root } = checkpoint;
  if (file.kind === "inclusion") {
    if (options.checkpoint !== undefined)
      throw wrong(
        "--checkpoint goes with a .consistency; a record is under the checkpoint of its proof",
      );
    if (options.record === undefined)
      throw wrong("--record is missing: the file with the record that is to be proven");
    const leaf = leafHash(recordIn(options.record));
    const place = `leaf ${file.index} (from 0) of the ${size} records of ${checkpoint.origin}`;
    if (!verifyInclusion({ index: file.index, size, leaf, proof: file.proof, root })) {
      return no(print, `${options.record} is not ${place}`);
    }
    print(`${options.record} is ${place}`);
    return 0;
  }
  if (options.record !== undefined)
    throw wrong("--record goes with a .tlog-proof; this one is about two checkpoints");
  if (options.checkpoint === undefined)
    throw wrong("--checkpoint is missing: the file with the earlier checkpoint");
  const earlier = noteIn(options.checkpoint, readText(options.checkpoint));
  if (!isSigned(earlier.note))
    return no(print, "the earlier checkpoint is not signed by a key that was given");
  const { root: earlierRoot, origin } = earlier.checkpoint;
  if (earlier.checkpoint.size > size) {
    const sizes = `${earlier.checkpoint.size} records, and the log of the proof has ${size}`;
    return no(print, `that checkpoint is the later one: it is of ${sizes}`);
  }
  const sizes = { earlier: file.earlier, size };
  const same = earlier.checkpoint.size === file.earlier && origin === checkpoint.origin;
  if (!same || !verifyConsistency({ ...sizes, earlierRoot, root, proof: file.proof })) {
    return no(print, `the log of ${size} records does not begin with that checkpoint`);
  }
  print(`the log of ${size} records begins with that of ${file.earlier}: ${origin}`);
  return 0;
}

function no(print: Print, why: string): number {
  print(`DOES NOT HOLD: ${why}`);
  return 1;
}

function noteIn(path: string, text: string): { note: Note; checkpoint: Checkpoint } {
  return asRead(path, () => {
    const note = parseNote(text);
    return { note, checkpoint: parseCheckpoint(note.text) };
  });
}

function asRead<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SallyportError("audit-failed", `${path}: ${error.message}`, { cause: error });
  }
}

function sizeIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,14}$/.test(text)) throw wrong(`a number of records, not "${text}"`);
  return Number(text);
}

function readText(path: string): string {
  return bytesOf(path).toString("utf8");
}

/** A record never ends with a line feed: one is of whoever cut the line out of an export. */
function recordIn(path: string): Buffer {
  const bytes = bytesOf(path);
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
}

function bytesOf(path: string): Buffer {
  try {
    return readFileBytes(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new SallyportError("io-failed", `${path} cannot be read (${code})`, { cause: error });
  }
}

function wrong(message: string): ConfigError {
  return new ConfigError([{ message }]);
}
