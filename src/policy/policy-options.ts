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
    shadow: z
      .array(z.string().min(1, "a path to a folder of .cedar files, or to one such file"))
      .min(1, "at least one folder or file, or no `shadow` at all")
      .optional()
      .describe(
        "Folders and files of a candidate set of policies, whole by itself and read as `enforce` is. It is asked about the same requests and decides nothing: where it would decide otherwise, the audit record says so in `shadow`, and `sallyport_shadow_decisions_total` counts. It must validate as those in force must. Costs every decision a second evaluation.",
      ),
  })
  .describe(
    "The policies. They are written in Cedar, and validated against a schema that is made from this configuration.",
  );

export type PolicyOptions = z.infer<typeof policyOptionsSchema>;
