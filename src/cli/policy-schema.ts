/** `sallyport policy schema`: prints the Cedar schema that policies are validated against. */
import { loadConfig, loadOwn } from "../config/load.ts";
import { bundlesFolder, newestBundle } from "../config/unpack-bundle.ts";
import { ConfigError } from "../model/errors.ts";
import { schemaText } from "../policy/compile-policies.ts";

/** Of a follower with the bundle that it took last. Throws ConfigError where the configuration does not load. */
export async function policySchema(config: string): Promise<number> {
  const own = await loadOwn(config);
  const bundle =
    own === undefined
      ? undefined
      : await newestBundle(bundlesFolder(own.config.authority.identity));
  const { policyFiles: files, vocabulary } = await loadConfig(config, { env: process.env, bundle });
  const result = await schemaText({ files, vocabulary });
  if ("problems" in result) throw new ConfigError(result.problems);
  process.stdout.write(result.text);
  return 0;
}
