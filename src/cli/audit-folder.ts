/**
 * Finds the folder of the audit log. Of the configuration only `audit.path` is read: who has just broken the
 * rest of it has all the more reason to ask what was decided.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { expand } from "../config/expand.ts";
import { ConfigError } from "../model/errors.ts";
import { parseYaml } from "../wire/document/yaml.ts";

/** Throws ConfigError where the configuration does not say. */
export function auditFolderOf(config: string): string {
  const folder = dirname(resolve(config));
  const document = parseYaml(readText(config));
  const written = (document.value as { readonly audit?: { readonly path?: unknown } } | null)
    ?.audit;
  const { value, problems } = expand(written?.path, {
    env: process.env,
    readFile: (name) => readFileSync(resolve(folder, name), "utf8"),
  });
  if (document.problems.length > 0 || problems.length > 0 || typeof value !== "string") {
    throw unsaid(config, "it does not say where its audit log is", "audit.path, or --audit FOLDER");
  }
  return resolve(folder, value);
}

function readText(config: string): string {
  try {
    return readFileSync(config, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw unsaid(config, `it cannot be read (${code})`, "another one with --config");
  }
}

function unsaid(file: string, message: string, remedy: string): ConfigError {
  return new ConfigError([{ file, message, remedy }]);
}
