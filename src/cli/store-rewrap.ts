/** `sallyport store rewrap`: seals all secrets anew, under the current key-encryption key. */
import { readSealer } from "../app/authority/sealer.ts";
import { systemTimers } from "../platform/timers.ts";
import { rewrapStore } from "../store/rewrap.ts";
import { readKeeper, withStore } from "./store-config.ts";

/** Documents between two lines that say that it goes on: a second or so. */
const TOLD_EACH = 50_000;

/** 0: everything is under the current key; 1: something did not open, and is named. Throws ConfigError, SallyportError. */
export async function storeRewrap(config: string): Promise<number> {
  const keeper = await readKeeper(config);
  const sealer = await readSealer(keeper.keyEncryptionKey, { timers: systemTimers });
  let told = 0;
  const { looked, rewrapped, failed } = await withStore(keeper, (store) =>
    rewrapStore(store, sealer, (progress) => {
      if (progress.looked < told + TOLD_EACH) return;
      told = progress.looked;
      console.error(`sallyport: ${told} documents looked at`);
    }),
  );
  for (const { place, message } of failed) console.log(`${place}: ${message}`);
  console.log(`${looked} documents, ${rewrapped} sealed anew, ${failed.length} that do not open`);
  return failed.length === 0 ? 0 : 1;
}
