/** Who signs checkpoints, by the key files and their history. Reads, and changes nothing. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { join } from "node:path";
import type { CheckpointOptions } from "./checkpoint-options.ts";
import type { HistoricKey } from "./key-history.ts";
import { type NoteSigner, noteSigner } from "./note.ts";
import { readSecretFile, TREE_FILES, treeError } from "./tree-files.ts";

export type KeyOptions = Pick<CheckpointOptions, "origin" | "key" | "previousKey">;

export interface TreeSigners {
  readonly current: NoteSigner;
  /** Takes over. */
  readonly next?: NoteSigner;
  /** `next` is configured, and the history does not name it yet. */
  readonly unsaid?: true;
}

export function goneHistory(folder: string): Error {
  return treeError(
    join(folder, TREE_FILES.keys),
    "is gone; put it back from a copy, checkpoints cannot go on without it",
  );
}

/** The name of a log is never another one. */
export function refuseOtherOrigin(folder: string, options: KeyOptions, origin: string): void {
  if (options.origin === undefined || options.origin === origin) return;
  throw treeError(
    join(folder, TREE_FILES.keys),
    `is of the log "${origin}", and audit.checkpoints.origin says "${options.origin}"; take that back, or begin a new folder`,
  );
}

/** `keys`: the history, at least one. Throws SallyportError `audit-failed` for a key that it does not lead to. */
export function findSigners(
  folder: string,
  options: KeyOptions,
  keys: readonly HistoricKey[],
): TreeSigners {
  const origin = keys[0]?.key.name ?? "";
  const own = ownSigner(folder, options, origin);
  const last = keys.at(-1)?.key.vkey;
  const before = keys.at(-2)?.key.vkey;
  if (own.public.vkey === last) return { current: own };
  const waiting =
    options.key === undefined ? signerIn(join(folder, TREE_FILES.nextKey), origin) : undefined;
  // Between the history and the checkpoint that both sign, or between that and the renaming.
  if (own.public.vkey === before && waiting !== undefined && waiting.public.vkey === last) {
    return { current: own, next: waiting };
  }
  const previous = options.previousKey;
  const earlier = previous === undefined ? undefined : signerIn(previous, origin);
  // `own` is configured beside the one that signed until now.
  if (earlier !== undefined && earlier.public.vkey === last) {
    return { current: earlier, next: own, unsaid: true };
  }
  throw treeError(
    ownPath(folder, options),
    `is not the key that signed the last checkpoints (${last ?? "none"}); put that one back, or name it as audit.checkpoints.previousKey beside its successor`,
  );
}

export function ownSigner(folder: string, options: KeyOptions, origin: string): NoteSigner {
  const path = ownPath(folder, options);
  const signer = signerIn(path, origin);
  if (signer === undefined) {
    throw treeError(path, "is not there; put the key of the checkpoints back");
  }
  return signer;
}

function ownPath(folder: string, options: KeyOptions): string {
  return options.key ?? join(folder, TREE_FILES.key);
}

/** Undefined where there is no such file. */
export function signerIn(path: string, origin: string): NoteSigner | undefined {
  const pem = readSecretFile(path);
  if (pem === undefined) return undefined;
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // The cause is left out: what a runtime's parser says of a private key is not ours to log.
    throw treeError(path, "holds no private key in PEM");
  }
  return noteSigner(origin, key);
}
