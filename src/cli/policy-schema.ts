/** `sallyport policy schema`: prints the Cedar schema that policies are validated against. */
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../model/errors.ts";
import { schemaText } from "../policy/compile-policies.ts";

/** Throws ConfigError where the configuration does not load. */
export async function policySchema(config: string): Promise<number> {
  const { vocabulary } = await loadConfig(config);
  const result = await schemaText(vocabulary);
  if ("problems" in result) throw new ConfigError(result.problems);
  process.stdout.write(result.text);
  return 0;
}
