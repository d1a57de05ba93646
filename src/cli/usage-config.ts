/**
 * Where the book of usage is, and how it is kept. Of the configuration only `audit.path` and `usage` are
 * read: who has just broken the rest of it can still send bills.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { expand } from "../config/expand.ts";
import { usageFile } from "../limits/usage/usage-database.ts";
import { type UsageOptions, usageSchema } from "../limits/usage/usage-options.ts";
import { ConfigError } from "../model/errors.ts";
import { parseYaml } from "../wire/document/yaml.ts";
import { auditFolderOf } from "./audit-folder.ts";

export interface UsagePlace {
  readonly auditFolder: string;
  readonly options: UsageOptions;
  /** The file of the book. */
  readonly file: string;
}

/** Throws ConfigError where the configuration does not say. */
export function usagePlaceOf(config: string): UsagePlace {
  const auditFolder = auditFolderOf(config, "");
  const folder = dirname(resolve(config));
  const document = parseYaml(readFileSync(config, "utf8"));
  const written = (document.value as { readonly usage?: unknown } | null)?.usage;
  if (written === undefined) {
    throw unsaid(config, "it does not say that usage is counted", "usage: {}");
  }
  const { value, problems } = expand(written, {
    env: process.env,
    readFile: (name) => readFileSync(resolve(folder, name), "utf8"),
  });
  const parsed = usageSchema.safeParse(value);
  if (problems.length > 0 || !parsed.success) {
    throw unsaid(config, "its section usage is not valid", "sallyport check says what is wrong");
  }
  const { path } = parsed.data;
  const options =
    path === undefined ? parsed.data : { ...parsed.data, path: resolve(folder, path) };
  return { auditFolder, options, file: usageFile(options, auditFolder) };
}

function unsaid(file: string, message: string, remedy: string): ConfigError {
  return new ConfigError([{ file, message, remedy }]);
}
