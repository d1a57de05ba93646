/**
 * Proofs as files. That a record is in a log: C2SP tlog-proof. That one checkpoint begins with another: the
 * body that a witness is asked with (C2SP tlog-witness, `add-checkpoint`). Both end with the checkpoint.
 *
 * Refuses whatever is not of that form; says nothing of whether a proof holds.
 */
import { HASH_BYTES } from "./hashing.ts";
import { strictBase64 } from "./note.ts";

const FIRST_LINE = "c2sp.org/tlog-proof@v1";

const LIMITS = {
  /** Hashes of a proof: two for each level of a tree of 2^53 leaves. */
  hashes: 128,
} as const;

export interface InclusionFile {
  readonly kind: "inclusion";
  readonly index: number;
  readonly proof: readonly Buffer[];
  /** The signed checkpoint. */
  readonly note: string;
}

export interface ConsistencyFile {
  readonly kind: "consistency";
  /** Size of the earlier tree. */
  readonly earlier: number;
  readonly proof: readonly Buffer[];
  /** The later signed checkpoint. */
  readonly note: string;
}

export function writeProof(file: ConsistencyFile | InclusionFile): string {
  const head =
    file.kind === "inclusion" ? `${FIRST_LINE}\nindex ${file.index}` : `old ${file.earlier}`;
  const hashes = file.proof.map((hash) => `${hash.toString("base64")}\n`);
  return `${head}\n${hashes.join("")}\n${file.note}`;
}

/** Throws SyntaxError. */
export function parseProof(text: string): ConsistencyFile | InclusionFile {
  const split = text.indexOf("\n\n");
  if (split < 0) throw new SyntaxError("a proof has no checkpoint");
  const note = text.slice(split + 2);
  const lines = text.slice(0, split).split("\n");
  const first = lines.shift() ?? "";
  if (first !== FIRST_LINE) {
    return { kind: "consistency", earlier: numberIn(first, "old"), proof: lines.map(hashIn), note };
  }
  // Data of the application beside the record, of which ours have none.
  if (lines[0]?.startsWith("extra ") === true)
    throw new SyntaxError("a proof of ours has no extra data");
  const index = numberIn(lines.shift() ?? "", "index");
  if (lines.length > LIMITS.hashes) throw new SyntaxError("a proof has too many hashes");
  return { kind: "inclusion", index, proof: lines.map(hashIn), note };
}

function numberIn(line: string, name: string): number {
  const [word, digits = ""] = line.split(" ");
  const value = /^(0|[1-9]\d{0,15})$/.test(digits) ? Number(digits) : -1;
  if (`${word} ${digits}` !== line || word !== name || !Number.isSafeInteger(value) || value < 0) {
    throw new SyntaxError(`a proof has no line "${name}"`);
  }
  return value;
}

function hashIn(line: string): Buffer {
  const hash = strictBase64(line);
  if (hash?.length !== HASH_BYTES) throw new SyntaxError("a proof has a line that is no hash");
  return hash;
}
