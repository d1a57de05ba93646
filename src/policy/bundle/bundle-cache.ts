/**
 * Policy bundles that were fetched, as files of their own (0600) in one folder, and which of them came
 * last. Whoever reads one verifies it again: nobody can put one there unseen.
 */
import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readFileBytes } from "../../platform/files.ts";
import { writeFileAtomic } from "../../platform/write-file.ts";
import { BUNDLE_FILE_LIMITS } from "./bundle-file.ts";

const LIMITS = {
  /** Bundles that stay, so that one can go back to them without the network. */
  kept: 10,
} as const;

const HASH_FILE = /^sha256-[A-Za-z0-9_-]{43}\.json$/;
const NEWEST = "newest.json";

const newestSchema = z.strictObject({
  hash: z.string(),
  url: z.string(),
  etag: z.string().optional(),
  signedAt: z.int().optional(),
});

/** The one that came last. */
export type Newest = z.output<typeof newestSchema>;

/** Undefined where none was fetched yet, or what is written there cannot be read: then it is fetched anew. */
export function newestOf(cache: string): Newest | undefined {
  try {
    const text = readFileBytes(join(cache, NEWEST)).toString("utf8");
    return newestSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The document; undefined where it is not there. */
export function cachedBundle(cache: string, hash: string): string | undefined {
  try {
    return readFileBytes(join(cache, `${hash}.json`), BUNDLE_FILE_LIMITS.bytes).toString("utf8");
  } catch {
    return undefined;
  }
}

/** Rejects with SallyportError `io-failed`. `pinned` stays, however old. */
export async function keepBundle(
  cache: string,
  {
    newest,
    text,
    pinned,
  }: { readonly newest: Newest; readonly text: string; readonly pinned?: string | undefined },
): Promise<void> {
  await mkdir(cache, { recursive: true, mode: 0o700 });
  const file = join(cache, `${newest.hash}.json`);
  if (cachedBundle(cache, newest.hash) === text) await utimes(file, new Date(), new Date());
  else await writeFileAtomic(file, text, { mode: 0o600 });
  // Last: it names only what is there.
  await noteNewest(cache, newest);
  await forgetOld(cache, [newest.hash, pinned]);
}

/** Rejects with SallyportError `io-failed`. */
export async function noteNewest(cache: string, newest: Newest): Promise<void> {
  await writeFileAtomic(join(cache, NEWEST), JSON.stringify(newest), { mode: 0o600 });
}

async function forgetOld(cache: string, kept: readonly (string | undefined)[]): Promise<void> {
  const names = (await readdir(cache)).filter((name) => HASH_FILE.test(name));
  const dated = await Promise.all(
    names.map(async (name) => ({ name, ms: (await stat(join(cache, name))).mtimeMs })),
  );
  const old = dated.toSorted((a, b) => b.ms - a.ms).slice(LIMITS.kept);
  for (const { name } of old) {
    if (!kept.includes(name.slice(0, -".json".length)))
      await rm(join(cache, name), { force: true });
  }
}
