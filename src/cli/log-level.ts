/** How much the operators' log says: known before any configuration is read, so it is of the environment. */
import { ConfigError } from "../model/errors.ts";
import { LOG_LEVELS, type LogLevel } from "../telemetry/log.ts";

const NAME = "SALLYPORT_LOG_LEVEL";

/** Throws ConfigError where it is set to something else than a level. */
export function logLevel(env: Readonly<Record<string, string | undefined>>): LogLevel {
  const wanted = env[NAME] ?? "";
  if (wanted === "") return "info";
  const level = LOG_LEVELS.find((one) => one === wanted);
  if (level !== undefined) return level;
  throw new ConfigError([
    { message: `${NAME} is no level of the log`, remedy: LOG_LEVELS.join(", ") },
  ]);
}
