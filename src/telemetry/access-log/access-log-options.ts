/** Options of the access log: one line for each request that ended, for people and the tools they have. */
import { z } from "zod";
import { byteSize, duration } from "../../model/options.ts";
import { ACCESS_FIELDS } from "./access-entry.ts";

const rotateSchema = z
  .strictObject({
    bytes: byteSize({ min: "4KiB", max: "64GiB" })
      .prefault("256MiB")
      .describe("Bytes after which the file is renamed to `NAME.1` and a new one begins."),
    keep: z
      .int("a whole number from 1 to 1000")
      .min(1, "1 or more")
      .max(1000, "at most 1000")
      .default(5)
      .describe("How many renamed files are kept; the oldest is removed."),
  })
  .readonly();

export const accessLogSchema = z
  .strictObject({
    format: z
      .enum(["json", "common", "logfmt"])
      .default("json")
      .describe(
        "`json`: an object a line. `common`: the Common Log Format of NCSA, with the principal as user. `logfmt`: `name=value` pairs.",
      ),
    to: z
      .string("stdout, or a file")
      .min(1, "stdout, or a file")
      .default("stdout")
      .describe(
        "`stdout`, or a file (mode 0600), relative to the configuration; its folder is made (0700) where it is missing. A slow reader of `stdout` loses lines, which are counted.",
      ),
    fields: z
      .array(z.enum(ACCESS_FIELDS), "a list of fields")
      .min(1, "at least one field")
      .readonly()
      .optional()
      .describe("Fields of `json` and `logfmt`, of those in docs/logs.md; all when left out."),
    rotate: rotateSchema
      .optional()
      .describe(
        "When a file is begun anew. Left out: never by us; a file that is renamed or removed by others is begun anew within a second.",
      ),
    wait: duration({ min: "1s", max: "30d" })
      .prefault("1h")
      .describe(
        "How long a decision waits for the end of its request. Then its line is written with `-` as status; the end has a line of its own.",
      ),
  })
  .superRefine(({ format, fields, to, rotate }, context) => {
    if (format === "common" && fields !== undefined) {
      const message = "json or logfmt: the common format has fields of its own";
      context.addIssue({ code: "custom", path: ["fields"], message });
    }
    if (to === "stdout" && rotate !== undefined) {
      const message = "a file in `to`: standard output is not rotated";
      context.addIssue({ code: "custom", path: ["rotate"], message });
    }
  })
  .readonly()
  .describe("One line for each request that ended. A view of the audit log; none when left out.");

/** Checked; durations in milliseconds, sizes in bytes. */
export type AccessLogOptions = z.output<typeof accessLogSchema>;
