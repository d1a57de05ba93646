/**
 * `sallyport store new-epoch`: after a database was restored by its own tools. Followers then read
 * everything anew; without it they could take new numbers for ones that they have seen.
 */
import { readKeeper, withStore } from "./store-config.ts";

/** Throws ConfigError, SallyportError. */
export async function storeNewEpoch(config: string): Promise<number> {
  const epoch = await withStore(await readKeeper(config), (store) => store.renewEpoch());
  console.log(`now of epoch ${epoch}`);
  console.log(
    "the key of the feed is replaced by itself: within a minute, or when an authority starts",
  );
  return 0;
}
