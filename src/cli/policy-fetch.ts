/** `sallyport policy fetch`: asks for the policy bundle once, and keeps it where the next start finds it. */
import { peekBundle } from "../config/peek-bundle.ts";
import { ConfigError } from "../model/errors.ts";
import { newestOf } from "../policy/bundle/bundle-cache.ts";
import { fetchBundle } from "../policy/bundle/bundle-fetcher.ts";

/** Rejects with ConfigError where no URL is configured, and with SallyportError where nothing can be had. */
export async function policyFetch(config: string): Promise<number> {
  const fetched = peekBundle(config, process.env);
  if (fetched === undefined) {
    const message = "no policy bundle is fetched";
    throw new ConfigError([
      { file: config, message, remedy: "policies.bundle.url says from where" },
    ]);
  }
  const { target } = fetched;
  const outcome = await fetchBundle(target);
  console.log(`${newestOf(target.cache)?.hash ?? ""}  ${outcome === "same" ? "as before" : "new"}`);
  return 0;
}
