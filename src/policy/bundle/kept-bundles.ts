/**
 * Policy bundles that were in force, kept beside the audit log under their hash, so that what it records can
 * be decided again. One that cannot be kept is no reason to refuse traffic: the records say all the same by
 * which bundle they were decided.
 *
 * Synchronous: it runs in the thread that loads policies.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { PolicySource } from "../policy-source.ts";
import { decodePolicyBundle, type PolicyBundle } from "./policy-bundle.ts";

const LIMITS = {
  /** Bundles: of a policy that changes every hour, those of six weeks. */
  kept: 1000,
  /** Bytes of all of them; the largest that there may be is a sixteenth of it. */
  bytes: 1024 * 1024 * 1024,
} as const;

/** Within the folder of the audit log. */
export function keptBundlesFolder(auditFolder: string): string {
  return join(auditFolder, "policies");
}

/**
 * Keeps it, as the one that was put in force last, and removes those that were in force longest ago where
 * there are too many. Throws the error of the file system.
 */
export function keepBundle(folder: string, { hash, bytes }: PolicyBundle): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = bundlePath(folder, hash);
  if (!isThere(path, bytes.length)) writeWhole(path, bytes);
  const now = new Date();
  utimesSync(path, now, now);
  removeOldest(folder);
}

/** Whether it is there, and now said to be the one that was put in force last. */
export function isKept(folder: string, hash: string): boolean {
  try {
    const now = new Date();
    utimesSync(bundlePath(folder, hash), now, now);
    return true;
  } catch {
    return false;
  }
}

/**
 * Undefined where it is not kept. Throws SallyportError `policy-invalid` where the file is not what was kept,
 * and the error of the file system.
 */
export function readKeptBundle(folder: string, hash: string): PolicySource | undefined {
  if (!HASH.test(hash)) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(bundlePath(folder, hash));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return decodePolicyBundle({ hash, bytes });
}

const HASH = /^sha256-[A-Za-z0-9_-]{43}$/;
const KEPT = /^sha256-[A-Za-z0-9_-]{43}\.json$/;

function bundlePath(folder: string, hash: string): string {
  return join(folder, `${hash}.json`);
}

/** Known by its hash and written whole: of the same length it is the same. */
function isThere(path: string, length: number): boolean {
  const figures = lstatSync(path, { throwIfNoEntry: false });
  return figures?.isFile() === true && figures.size === length;
}

/** Under another name first: nobody reads half of it, also after the machine stopped. */
function writeWhole(path: string, bytes: Uint8Array): void {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const file = openSync(draft, O_CREAT | O_EXCL | O_WRONLY, 0o600);
  try {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function removeOldest(folder: string): void {
  const kept = readdirSync(folder)
    .filter((name) => KEPT.test(name))
    .flatMap((name) => {
      const figures = lstatSync(join(folder, name), { throwIfNoEntry: false });
      return figures === undefined ? [] : [{ name, bytes: figures.size, atMs: figures.mtimeMs }];
    })
    .toSorted((left, right) => right.atMs - left.atMs || (left.name < right.name ? -1 : 1));
  let bytes = 0;
  for (const [index, one] of kept.entries()) {
    bytes += one.bytes;
    const isExcess = index >= LIMITS.kept || bytes > LIMITS.bytes;
    // The newest stays, however large.
    if (index > 0 && isExcess) rmSync(join(folder, one.name), { force: true });
  }
}
