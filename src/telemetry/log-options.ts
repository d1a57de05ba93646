/** Options of the operators' log: from which level on it is written, and in which form. */
import { z } from "zod";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const logSchema = z
  .strictObject({
    level: z
      .enum(["error", "warn", "info", "debug"])
      .optional()
      .describe(
        "Least level that is written, `info` when left out. The environment variable `SALLYPORT_LOG_LEVEL` goes before it. `debug` also writes the stacks of errors, and each line of what repeats.",
      ),
    format: z
      .enum(["json", "text"])
      .default("json")
      .describe(
        "`json`: an object a line, for programs. `text`: time, level, event and `name=value` pairs, for people.",
      ),
  })
  .readonly()
  .describe(
    "The operators' log on standard error ([logs](logs.md#the-operators-log)). A reload puts it in force.",
  );

/** Checked. */
export type LogSettings = z.output<typeof logSchema>;
