/** The segments of a folder and how many bytes they have: where one begins who wants nothing of before. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "./files.ts";
import { segmentsAmong } from "./segment-names.ts";

/** Of a compressed one, more than it can hold. Rejects with what the file system says. */
export async function segmentSizes(folder: string): Promise<Readonly<Record<string, number>>> {
  const sizes: Record<string, number> = {};
  for (const { segment, file, compressed } of segmentsAmong(await readdir(folder))) {
    try {
      const { size } = await stat(join(folder, file));
      sizes[segment] = compressed ? Number.MAX_SAFE_INTEGER : size;
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
  }
  return sizes;
}
