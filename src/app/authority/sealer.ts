/** The key-encryption keys that the configuration names, read once, at start. */
import type { KeeperOptions } from "../../authority/authority-options.ts";
import { createKek, createSealer, type Sealer } from "../../crypto/seal.ts";
import type { Timers } from "../../model/ports.ts";
import { readKey } from "../../platform/key-source.ts";

/** Rejects with SallyportError `key-encryption-failed`. */
export async function readSealer(
  { previous, ...source }: KeeperOptions["keyEncryptionKey"],
  { timers }: { readonly timers: Timers },
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Sealer> {
  const deps = { env, timers };
  const current = createKek(await readKey(source, deps));
  const earlier = await Promise.all(
    previous.map(async (one) => createKek(await readKey(one, deps))),
  );
  return createSealer({ current, previous: earlier });
}
