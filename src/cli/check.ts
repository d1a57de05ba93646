/** `sallyport check`: prints every problem and finding of a configuration and its policies. */
import { isKeeper } from "../authority/authority-options.ts";
import { checkConfig } from "../config/check.ts";
import type { LoadedConfig } from "../config/load.ts";
import { formatProblem } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { checkStoreContents } from "./check-store.ts";

/** 0: nothing is wrong; 1: at least one finding was printed. Throws ConfigError where there is no file. */
export async function check(config: string): Promise<number> {
  const found = await checkConfig(config, { env: process.env, clock: systemClock });
  const { loaded, own } = found;
  const authority = loaded?.config.authority;
  const store = isKeeper(authority) ? await checkStoreContents(config, authority) : undefined;
  const problems = [...found.problems, ...(store?.problems ?? [])];
  for (const problem of problems) console.log(formatProblem(problem));
  if (own !== undefined) {
    const { feed } = own.config.authority;
    console.log(`${config}: what it serves comes over the feed of ${feed.join(", ")}`);
    if (problems.length === 0) console.log(`${config}: its own part is fine`);
  }
  if (problems.length > 0) return 1;
  if (store?.leftOut !== undefined) console.log(`${config}: not looked at: ${store.leftOut}`);
  if (loaded !== undefined) console.log(`${config}: fine (${summary(loaded)})`);
  return loaded === undefined && own === undefined ? 1 : 0;
}

function summary({ config, vocabulary, policyFiles, bundle, published }: LoadedConfig): string {
  // An authority alone serves nothing of what it has words for; of a proxy's, not all is its own.
  const served = bundle === undefined ? vocabulary : config;
  const counts = [
    `routes: ${served.routes.length}`,
    `services: ${Object.keys(served.services).length}`,
    `policy files: ${policyFiles.length}`,
  ].join(", ");
  if (bundle !== undefined) return `${counts}, from bundle ${bundle}`;
  const groups = published.map(
    ({ name, services, bundle: { hash } }) => `${name} ${services.length === 0 ? "nothing" : hash}`,
  );
  return groups.length === 0 ? counts : `${counts}; to proxies: ${groups.join(", ")}`;
}
