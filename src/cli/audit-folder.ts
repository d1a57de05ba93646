/**
 * Finds the folder of the audit log. Of the configuration only what is asked for is read: who has just broken the
 * rest of it has all the more reason to ask what was decided.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { expand } from "../config/expand.ts";
import { ConfigError } from "../model/errors.ts";
import { parseYaml } from "../wire/document/yaml.ts";

/**
 * `otherwise`: how the command takes the folder itself, empty where it does not.
 * Throws ConfigError where the configuration does not say.
 */
export function auditFolderOf(config: string, otherwise = "--audit FOLDER"): string {
  const or = otherwise === "" ? "" : `, or ${otherwise}`;
  const value = auditMemberOf(config, "path", or);
  if (typeof value === "string") return resolve(dirname(resolve(config)), value);
  throw unsaid(config, "it does not say where its audit log is", `audit.path${or}`);
}

/** What is written there, undefined where nothing is. Throws ConfigError where it cannot be read. */
export function auditMemberOf(config: string, name: "keep" | "path", or = ""): unknown {
  const folder = dirname(resolve(config));
  const document = parseYaml(readText(config, or));
  const audit = (document.value as { readonly audit?: unknown } | null)?.audit;
  const written = (audit as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  if (written === undefined && document.problems.length === 0) return undefined;
  const { value, problems } = expand(written, {
    env: process.env,
    readFile: (file) => readFileSync(resolve(folder, file), "utf8"),
  });
  if (document.problems.length === 0 && problems.length === 0) return value;
  throw unsaid(config, `its audit.${name} cannot be read`, "sallyport check says what is wrong");
}

function readText(config: string, or: string): string {
  try {
    return readFileSync(config, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw unsaid(config, `it cannot be read (${code})`, `name another with -c${or}`);
  }
}

function unsaid(file: string, message: string, remedy: string): ConfigError {
  return new ConfigError([{ file, message, remedy }]);
}
