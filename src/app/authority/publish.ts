/** Publishes what a configuration that is in force gives to proxies. */
import type { BundleRegister } from "../../authority/state/bundle-register.ts";
import type { Log } from "../../model/ports.ts";
import type { Prepared } from "../prepare.ts";

export interface PublishOptions {
  readonly how: "start" | "asked";
  /** Kept with what is published, for operators. */
  readonly by: string;
  readonly bundles: BundleRegister;
  readonly log: Log;
}

/** Never rejects: the configuration is in force here, and what proxies run stays what it is. */
export async function publish({ loaded }: Prepared, options: PublishOptions): Promise<void> {
  const { how, by, bundles, log } = options;
  const parts = loaded.published.map(({ name, services, bundle }) => ({
    proxy: name,
    services,
    bundle,
  }));
  if (parts.length === 0) return;
  try {
    const outcome = await bundles.publish({ hash: loaded.hash, parts }, { by, how });
    if (outcome !== "outdated") return;
    log.warn("what this configuration gives to proxies was replaced since: it is not published", {
      hash: loaded.hash,
      remedy: "put the current files in place, or reload to publish these",
    });
  } catch (error) {
    log.error("what proxies are to run could not be published: they stay with what they have", {
      error: error instanceof Error ? error : new Error(String(error)),
    });
  }
}
