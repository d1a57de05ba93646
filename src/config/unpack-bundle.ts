/**
 * Keeps bundles on disk (folder 0700, files 0600): each in a folder of the name of its hash, with the
 * public files that belong to it beside it, because what reads keys and certificates reads files. A
 * folder is there whole or not at all: it is made under another name and renamed. The hash is looked at
 * again each time a bundle is read, so nobody else can put one there unseen.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import { SallyportError } from "../model/errors.ts";
import { isBundleHash } from "../authority/feed/feed-settings.ts";
import { type Bundle, type BundleContent, decodeBundle } from "./bundle.ts";

const LIMITS = {
  /** Bundles that stay: the newest, and the one before it to go back to by hand. */
  kept: 2,
} as const;

const BYTES = "bundle.json";
const FILES = "files";
const UNFINISHED = ".unfinished-";

/** A bundle as it lies on disk. */
export interface UnpackedBundle {
  readonly hash: string;
  readonly folder: string;
  /** The bundle itself. */
  readonly file: string;
  readonly content: BundleContent;
}

export interface UnpackOptions {
  /** Where bundles are kept; made where it is absent. */
  readonly folder: string;
  /** Hashes of those that are in force: they stay. */
  readonly inUse?: readonly string[];
}

/**
 * Resolves to the bundle's own folder, which is what a configuration is composed with. Rejects with
 * SallyportError: `feed-failed` for bytes that are not the bundle's, `io-failed` where the disk refuses.
 */
export async function unpackBundle(
  bundle: Bundle,
  { folder, inUse = [] }: UnpackOptions,
): Promise<string> {
  const content = decodeBundle(bundle);
  const place = join(folder, bundle.hash);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (!isWhole(place)) {
      const unfinished = join(folder, `${UNFINISHED}${bundle.hash}-${process.pid}`);
      await rm(unfinished, { recursive: true, force: true });
      await writeBundle(unfinished, bundle, content);
      // What lies there is not whole, or it would have been taken.
      await rm(place, { recursive: true, force: true });
      await rename(unfinished, place);
      await syncFolder(folder);
    }
    await markNewest(folder, place);
    await cleanUp(folder, [bundle.hash, ...inUse]);
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    const message = `a bundle cannot be written to ${folder} (${code})`;
    throw new SallyportError("io-failed", message, { cause: error });
  }
  return place;
}

/** What lies in the folder that `unpackBundle` gave. Throws SallyportError. */
export function readUnpacked(folder: string): UnpackedBundle {
  const hash = basename(folder);
  const file = join(folder, BYTES);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    const message = `the bundle in ${folder} cannot be read (${code})`;
    throw new SallyportError("io-failed", message, { cause: error });
  }
  return { hash, folder, file, content: decodeBundle({ hash, bytes }) };
}

/** The folder of a bundle that is kept in `folder`; undefined where it is not there or not whole. */
export function keptBundle(folder: string, hash: string): string | undefined {
  const place = join(folder, hash);
  return isBundleHash(hash) && isWhole(place) ? place : undefined;
}

/** The one that was taken last. */
export async function newestBundle(folder: string): Promise<string | undefined> {
  const [newest] = await byAge(folder);
  return newest === undefined ? undefined : keptBundle(folder, newest.name);
}

/** Where a follower keeps its bundles: beside what it knows of itself and of the authority. */
export function bundlesFolder(identity: string): string {
  return join(identity, "bundles");
}

/** Where the file of this digest lies. */
export function unpackedFile(folder: string, digest: string): string {
  return join(folder, FILES, digest);
}

function isWhole(place: string): boolean {
  try {
    const { content } = readUnpacked(place);
    return Object.entries(content.files).every(([digest, text]) => {
      const file = unpackedFile(place, digest);
      return existsSync(file) && readFileSync(file).equals(Buffer.from(text, "base64"));
    });
  } catch (error) {
    if (error instanceof SallyportError) return false;
    throw error;
  }
}

async function writeBundle(
  folder: string,
  { bytes }: Bundle,
  { files }: BundleContent,
): Promise<void> {
  await mkdir(join(folder, FILES), { recursive: true, mode: 0o700 });
  await writeSynced(join(folder, BYTES), bytes);
  for (const [digest, text] of Object.entries(files)) {
    await writeSynced(unpackedFile(folder, digest), Buffer.from(text, "base64"));
  }
  await syncFolder(join(folder, FILES));
  await syncFolder(folder);
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** After a loss of power, a file is found under its name only once its folder is on the disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * The time says which ones are the newest, also when an earlier one comes back: later than all others,
 * where the clock has not moved since, or was put back.
 */
async function markNewest(folder: string, place: string): Promise<void> {
  const [newest] = await byAge(folder);
  const time = new Date(Math.max(Date.now(), Math.floor(newest?.mtimeMs ?? 0) + 1));
  await utimes(place, time, time);
}

async function cleanUp(folder: string, inUse: readonly string[]): Promise<void> {
  const kept = new Set(inUse);
  for (const { name } of (await byAge(folder)).slice(0, LIMITS.kept)) kept.add(name);
  for (const name of await readdir(folder)) {
    const old = isBundleHash(name) && !kept.has(name);
    if (old || name.startsWith(UNFINISHED)) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

interface KeptBundle {
  /** Its hash. */
  readonly name: string;
  readonly mtimeMs: number;
}

/** The newest first. */
async function byAge(folder: string): Promise<KeptBundle[]> {
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(
    names.filter(isBundleHash).map(async (name) => {
      const { mtimeMs } = await stat(join(folder, name));
      return { name, mtimeMs };
    }),
  );
  return found.toSorted((a, b) => b.mtimeMs - a.mtimeMs);
}
