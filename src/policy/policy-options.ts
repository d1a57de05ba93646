/** The `policies` section of the configuration. */
import { z } from "zod";
import { bundleOptionsSchema } from "./bundle/bundle-options.ts";
import { acceptAnywhereSchema } from "./findings/acceptance.ts";

export const policyOptionsSchema = z
  .strictObject({
    enforce: z
      .array(z.string().min(1, "a path to a folder of .cedar files, or to one such file"))
      .min(1, "at least one folder or file")
      .optional()
      .describe(
        "Folders and files of Cedar policies that decide, relative to the configuration file. Of a folder, its `*.cedar` files count, in the order of their names. A missing or empty one is an error, never an empty policy set: without a `permit` that applies, everything is denied.",
      ),
    bundle: bundleOptionsSchema.optional(),
    shadow: z
      .array(z.string().min(1, "a path to a folder of .cedar files, or to one such file"))
      .min(1, "at least one folder or file, or no `shadow` at all")
      .optional()
      .describe(
        "Folders and files of a candidate set of policies, whole by itself and read as `enforce` is, over the same `entities`. It is asked about the same requests and decides nothing: where it would decide otherwise, the audit record says so in `shadow`, and `sallyport_shadow_decisions_total` counts. It must validate as those in force must. Costs every decision a second evaluation.",
      ),
    entities: z
      .array(
        z.string().min(1, "a path to a folder of .yaml, .yml or .json files, or to one such file"),
      )
      .min(1, "at least one folder or file")
      .optional()
      .describe(
        "Folders and files of data for the policies, relative to the configuration file: who is in which roles and groups, attributes of principals, and links of templates ([policy data](policy-data.md)). Of a folder, its `*.yaml`, `*.yml` and `*.json` files count, in the order of their names. A missing or empty one is an error. No data when left out.",
      ),
    tests: z
      .array(z.string().min(1, "a path to a folder of test files, or to one"))
      .prefault([])
      .describe(
        "Folders and files of policy tests, relative to the configuration file. Of a folder, its `*.yaml` and `*.yml` files count. They run at start, at each reload and in `sallyport check`: a configuration in which one fails is refused, and what is in force stays. Of an authority, they run before anything is published; proxies that follow it do not run them again.",
      ),
    insecureIgnoreFailingTests: z
      .boolean()
      .prefault(false)
      .describe(
        "Whether policies are put in force although their tests fail, or cannot be read. Each failure is then a warning in the log. For an emergency: policies that do not do what was written down that they do decide about traffic.",
      ),
    accept: acceptAnywhereSchema
      .prefault([])
      .describe(
        "Findings of `sallyport check` that are as they should be and have no route, service or policy to say so at, each with the reason.",
      ),
  })
  .refine(({ enforce, bundle }) => (enforce === undefined) !== (bundle === undefined), {
    path: ["enforce"],
    message: "either enforce (folders and files) or bundle (policies that were built elsewhere)",
  })
  .refine(({ bundle, tests }) => bundle === undefined || tests.length === 0, {
    path: ["tests"],
    message: "no tests beside bundle: they come with it",
  })
  .refine(({ bundle, entities }) => bundle === undefined || entities === undefined, {
    path: ["entities"],
    message: "no entities beside bundle: they come with it",
  })
  .describe(
    "The policies. They are written in Cedar, and validated against a schema that is made from this configuration.",
  );

export type PolicyOptions = z.infer<typeof policyOptionsSchema>;
