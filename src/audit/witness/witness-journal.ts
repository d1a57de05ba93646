/**
 * `<audit>/tree/witnesses.jsonl`: what came back from witnesses, one line for each checkpoint that one of
 * them took. `audit verify` holds it against the log. A line that is lost costs nothing but asking again.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

export const WITNESSES_FILE = "witnesses.jsonl";

/** Members in the order in which they stand: canonical JSON. */
const lineSchema = z.strictObject({
  cosignatures: z.array(z.string()).readonly().optional(),
  /** Name in the configuration. */
  name: z.string(),
  /** Origin of the witness's URL. */
  place: z.string(),
  size: z.int().min(0),
  /** Status of the answer. */
  status: z.int(),
  time: z.string(),
  type: z.enum(["tlog-witness", "webhook", "object-store"]),
});

export type WitnessLine = z.output<typeof lineSchema>;

const LIMITS = {
  /** Bytes from the end in which the last line of each witness is looked for. Whose lies further back is asked. */
  tail: 256 * 1024,
} as const;

export interface WitnessJournal {
  /** The largest size that each witness is known to hold, by name. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Rejects where the file cannot be written. */
  append(line: WitnessLine): Promise<void>;
  /** When all that was appended is written, or could not be. */
  settled(): Promise<void>;
}

/** `folder`: of the tree. Rejects where the file cannot be read. */
export async function openWitnessJournal(folder: string): Promise<WitnessJournal> {
  const path = join(folder, WITNESSES_FILE);
  const tail = await readTail(path);
  // A line without its end was cut off by a crash; what follows is on a line of its own.
  let torn = tail !== "" && !tail.endsWith("\n");
  let last: Promise<void> = Promise.resolve();

  async function write(text: string): Promise<void> {
    const file = await open(path, "a", 0o600);
    try {
      await file.appendFile(`${torn ? "\n" : ""}${text}\n`);
      torn = false;
    } finally {
      await file.close();
    }
  }

  return {
    sizes: sizesIn(tail),
    append({ cosignatures, name, place, size, status, time, type }) {
      const line = { cosignatures, name, place, size, status, time, type };
      const written = last.then(() => write(JSON.stringify(line)));
      last = written.catch(() => undefined);
      return written;
    },
    settled: () => last,
  };
}

/** One line of the file; undefined for what is none. */
export function parseWitnessLine(text: string): WitnessLine | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function sizesIn(tail: string): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const text of tail.split("\n")) {
    const line = parseWitnessLine(text);
    if (line === undefined) continue;
    sizes.set(line.name, Math.max(line.size, sizes.get(line.name) ?? 0));
  }
  return sizes;
}

async function readTail(path: string): Promise<string> {
  let file: FileHandle;
  try {
    // A pipe in its place would be waited for.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - LIMITS.tail);
    const bytes = Buffer.alloc(size - from);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
    return bytes.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
