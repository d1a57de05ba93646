/**
 * The key that checkpoints are signed with: found or made once, and changed only so that the one before
 * it says who follows.
 *
 * Refuses a key that the history does not lead to, another name than the log has had, and key files that
 * others can read. A change of keys survives a crash at any point: the new key stays in
 * `checkpoint.next` until a checkpoint that both signed is on disk.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { closeSync, fdatasyncSync, ftruncateSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type HistoricKey, keyLine, readKeyHistory } from "./key-history.ts";
import type { NoteSigner } from "./note.ts";
import {
  createWhole,
  openGrowing,
  replaceWhole,
  syncFolder,
  TREE_FILES,
  writeAll,
} from "./tree-files.ts";
import {
  findSigners,
  goneHistory,
  type KeyOptions,
  ownSigner,
  refuseOtherOrigin,
  signerIn,
} from "./tree-signers.ts";

interface KeyStart {
  readonly size: number | undefined;
  readonly time: string;
}

export class TreeKey {
  readonly #folder: string;
  readonly #options: KeyOptions;
  #current: NoteSigner;
  /** Takes over: in the history already where a crash came between. */
  #next: NoteSigner | undefined;

  /** `size`: leaves of the last checkpoint, undefined where there is none. Throws SallyportError `audit-failed`. */
  constructor(folder: string, options: KeyOptions, start: KeyStart) {
    this.#folder = folder;
    this.#options = options;
    const { keys, end } = readKeyHistory(folder);
    if (keys.length === 0 && start.size !== undefined) throw goneHistory(folder);
    const last = keys.at(-1) ?? this.#begin(start.time);
    refuseOtherOrigin(folder, options, last.key.name);
    if (keys.length > 0) this.#cutHistory(end);
    [this.#current, this.#next] = this.#find(keys.length === 0 ? [last] : keys, start);
    this.#publish();
  }

  get origin(): string {
    return this.#current.public.name;
  }

  /** Who signs the next checkpoint. */
  get signers(): readonly NoteSigner[] {
    return this.#next === undefined ? [this.#current] : [this.#current, this.#next];
  }

  /** Looks whether another key has been asked for; writes it into the history. True while both sign. */
  prepareChange(from: number, time: string): boolean {
    if (this.#next !== undefined || this.#options.key !== undefined)
      return this.#next !== undefined;
    const next = signerIn(this.#path("nextKey"), this.origin);
    if (next === undefined) return false;
    this.#append(keyLine(next.public, { from, time, before: this.#current }));
    this.#next = next;
    return true;
  }

  /** A checkpoint that both signed is on disk: the vkey of the one that signs from now on. */
  completeChange(): string | undefined {
    if (this.#next === undefined) return undefined;
    if (this.#options.key === undefined) {
      renameSync(this.#path("nextKey"), this.#path("key"));
      syncFolder(this.#folder);
    }
    this.#current = this.#next;
    this.#next = undefined;
    this.#publish();
    return this.#current.public.vkey;
  }

  /** The first key of a log. */
  #begin(time: string): HistoricKey {
    const origin = this.#options.origin ?? `sallyport-audit-${randomBytes(16).toString("hex")}`;
    if (this.#options.key === undefined) createWhole(this.#path("key"), newPrivatePem());
    const signer = ownSigner(this.#folder, this.#options, origin);
    createWhole(this.#path("keys"), `${keyLine(signer.public, { from: 0, time })}\n`);
    return { key: signer.public, from: 0, time };
  }

  #find(keys: readonly HistoricKey[], start: KeyStart): [NoteSigner, NoteSigner | undefined] {
    const { current, next, unsaid } = findSigners(this.#folder, this.#options, keys);
    if (next !== undefined && unsaid) {
      const { size = 0, time } = start;
      this.#append(keyLine(next.public, { from: size, time, before: current }));
    }
    return [current, next];
  }

  #append(line: string): void {
    const file = openGrowing(this.#path("keys"));
    try {
      writeAll(file, Buffer.from(`${line}\n`), readKeyHistory(this.#folder).end);
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** A line that a crash left without its end never counted. */
  #cutHistory(end: number): void {
    const file = openGrowing(this.#path("keys"));
    try {
      ftruncateSync(file, end);
    } finally {
      closeSync(file);
    }
  }

  /** What auditors are given. */
  #publish(): void {
    replaceWhole(this.#path("publicKey"), `${this.#current.public.vkey}\n`);
  }

  #path(file: "key" | "keys" | "nextKey" | "publicKey"): string {
    return join(this.#folder, TREE_FILES[file]);
  }
}

export function newPrivatePem(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return privateKey.export({ format: "pem", type: "pkcs8" });
}
