/**
 * `<audit>/signs.json`: what rules must not forget at a restart, which is the networks of principals, and how
 * far the log was looked at. It is written whole or not at all, with mode 0600. Losing it costs a time of learning.
 */
import { join } from "node:path";
import { z } from "zod";
import { readFileBytes } from "../../platform/files.ts";
import { writeFileAtomic } from "../../platform/write-file.ts";

export const SIGNS_FILE = "signs.json";

const LIMITS = {
  /** Bytes: some more than all networks of all principals that are remembered. */
  file: 64 * 1024 * 1024,
} as const;

const stateSchema = z.strictObject({
  v: z.literal(1),
  /** Bits that made a network: with others, none of those that are known can be told again. */
  ipv4: z.int(),
  ipv6: z.int(),
  /** Bytes of each file of the log that were looked at. */
  positions: z.record(z.string(), z.int().min(0)),
  /** Of those, the ones that are over. */
  ended: z.array(z.string()),
  /** By principal: when it was first seen, and the day (since the epoch) of each network's last use. */
  networks: z.record(
    z.string(),
    z.strictObject({ firstMs: z.number(), days: z.record(z.string(), z.int()) }),
  ),
  /** By sign and principal: when access was taken away by itself. Left out where nothing was. */
  answered: z.record(z.string(), z.number()).optional(),
});

export type SignsState = z.output<typeof stateSchema>;
export type KnownNetworks = SignsState["networks"];

/** Undefined where there is none. Throws an Error where it cannot be read or is none of ours. */
export function readSignsState(folder: string): SignsState | undefined {
  let text: string;
  try {
    text = readFileBytes(join(folder, SIGNS_FILE), LIMITS.file).toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return stateSchema.parse(JSON.parse(text));
}

/** Rejects with SallyportError `io-failed`. */
export async function writeSignsState(folder: string, state: SignsState): Promise<void> {
  await writeFileAtomic(join(folder, SIGNS_FILE), JSON.stringify(state), { mode: 0o600 });
}
