/** How much the operators' log says, whatever the configuration does: for who looks into a start, or into one process. */
import { ConfigError } from "../model/errors.ts";
import { LOG_LEVELS, type LogLevel } from "../telemetry/log-options.ts";

const NAME = "SALLYPORT_LOG_LEVEL";

/** Undefined where nothing is said. Throws ConfigError where it is set to something else than a level. */
export function logLevel(env: Readonly<Record<string, string | undefined>>): LogLevel | undefined {
  const wanted = env[NAME] ?? "";
  if (wanted === "") return undefined;
  const level = LOG_LEVELS.find((one) => one === wanted);
  if (level !== undefined) return level;
  throw new ConfigError([
    { message: `${NAME} is no level of the log`, remedy: LOG_LEVELS.join(", ") },
  ]);
}
