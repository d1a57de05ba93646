/** The `policies` section of the configuration. */
import { z } from "zod";

export const policyOptionsSchema = z
  .strictObject({
    enforce: z
      .array(z.string().min(1, "a path to a folder of .cedar files, or to one such file"))
      .min(1, "at least one folder or file")
      .describe(
        "Folders and files of Cedar policies that decide, relative to the configuration file. Of a folder, its `*.cedar` files count, in the order of their names. A missing or empty one is an error, never an empty policy set: without a `permit` that applies, everything is denied.",
      ),
  })
  .describe(
    "The policies. They are written in Cedar, and validated against a schema that is made from this configuration.",
  );

export type PolicyOptions = z.infer<typeof policyOptionsSchema>;
