/**
 * What a follower keeps on the disk, so that it knows what to run while the authority is away: the
 * signed frames themselves, which are verified again when they are read, and the last good bundle.
 *
 * `state`: one line of JSON (the floor of the feed's keys, the bundle), then frames, one a line. Changes
 * are appended as they come; a snapshot replaces the file in one step. A line that was cut off by a
 * crash ends what is read. Nobody else may read it: 0600, in a folder of 0700.
 */
import { createHash } from "node:crypto";
import {
  appendFile,
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { join } from "node:path";
import { isJsonObject, parseJsonBytes } from "../../model/json.ts";
import { isBundleHash } from "./feed-settings.ts";

export interface StateHead {
  /** Keys of the feed of a smaller generation are refused. */
  readonly floor: number;
  /** Hash of the last bundle that was taken; empty: none. */
  readonly bundle: string;
  /** The epoch that has lost commits; undefined: none is known. */
  readonly lostEpoch?: string | undefined;
}

export interface KeptState extends StateHead {
  /** Without line feeds. */
  readonly lines: readonly Buffer[];
}

const LIMITS = {
  /** Bytes that are read: a million revocations have 70 MB. Beyond it the authority is asked anew. */
  state: 512 * 1024 * 1024,
} as const;

const NOTHING: KeptState = { floor: 0, bundle: "", lines: [] };

/** All writes come after each other in the order of the calls. They reject as the file system does. */
export class FeedStateFile {
  readonly #folder: string;
  #work: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder. Nothing is kept where nothing can be read. */
  async read(): Promise<KeptState> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await chmod(this.#folder, 0o700);
    let bytes: Buffer;
    try {
      if ((await stat(this.#path)).size > LIMITS.state) return NOTHING;
      bytes = await readFile(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return NOTHING;
      throw error;
    }
    const [first, ...lines] = linesOf(bytes);
    const head = first === undefined ? undefined : headOf(first);
    return head === undefined ? NOTHING : { ...head, lines };
  }

  /** Puts this in the place of all that was kept. */
  replace(head: StateHead, lines: readonly Buffer[]): Promise<void> {
    return this.#next(() => this.#write(head, lines));
  }

  /** The frames stay. */
  changeHead(head: StateHead): Promise<void> {
    return this.#next(async () => {
      const { lines } = await this.read();
      const feed = Buffer.from("\n");
      await this.#write(
        head,
        lines.flatMap((line) => [line, feed]),
      );
    });
  }

  append(lines: readonly Buffer[]): Promise<void> {
    return this.#next(() => appendFile(this.#path, Buffer.concat([...lines])));
  }

  /** The bundle of this hash, where it is kept and whole. */
  async bundle(hash: string): Promise<Buffer | undefined> {
    try {
      const bytes = await readFile(this.#bundlePath(hash));
      return bundleHash(bytes) === hash ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps this bundle and no other. */
  keepBundle(hash: string, bytes: Uint8Array): Promise<void> {
    return this.#next(async () => {
      await this.#writeWhole(this.#bundlePath(hash), [bytes]);
      const kept = await readdir(this.#folder);
      const others = kept.filter((name) => name.startsWith("sha256-") && name !== hash);
      for (const name of others) await rm(join(this.#folder, name), { force: true });
    });
  }

  /** Resolves when all that was asked for is done. */
  async settled(): Promise<void> {
    await this.#work.catch(() => undefined);
  }

  get #path(): string {
    return join(this.#folder, "state");
  }

  #bundlePath(hash: string): string {
    if (!isBundleHash(hash)) throw new TypeError("not the hash of a bundle");
    return join(this.#folder, hash);
  }

  #next(run: () => Promise<void>): Promise<void> {
    const done = this.#work.then(run);
    this.#work = done.catch(() => undefined);
    return done;
  }

  #write(head: StateHead, lines: readonly Buffer[]): Promise<void> {
    const { floor, bundle, lostEpoch } = head;
    const first = Buffer.from(`${JSON.stringify({ v: 1, floor, bundle, lostEpoch })}\n`);
    return this.#writeWhole(this.#path, [first, ...lines]);
  }

  async #writeWhole(path: string, parts: readonly Uint8Array[]): Promise<void> {
    const draft = `${path}.new`;
    await rm(draft, { force: true });
    const file = await open(draft, "wx", 0o600);
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  }
}

/** `sha256-<base64url>`. */
export function bundleHash(bytes: Uint8Array): string {
  return `sha256-${createHash("sha256").update(bytes).digest("base64url")}`;
}

/** Whole lines; what is behind the last line feed was cut off. */
function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, start);
    if (end === -1) return lines;
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
}

function headOf(line: Buffer): StateHead | undefined {
  try {
    const value = parseJsonBytes(line);
    if (!isJsonObject(value) || value["v"] !== 1) return undefined;
    const { floor, bundle, lostEpoch } = value;
    if (typeof floor !== "number" || !Number.isSafeInteger(floor)) return undefined;
    if (typeof bundle !== "string" || (bundle !== "" && !isBundleHash(bundle))) return undefined;
    if (lostEpoch !== undefined && typeof lostEpoch !== "string") return undefined;
    return { floor, bundle, lostEpoch };
  } catch {
    return undefined;
  }
}
