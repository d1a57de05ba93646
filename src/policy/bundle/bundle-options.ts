/** The `policies.bundle` section: policies that were built elsewhere. */
import { z } from "zod";
import { duration } from "../../model/options.ts";
import { whyNotFetched } from "../../wire/fetch-url.ts";

const urlSchema = z.string().superRefine((text, context) => {
  const why = whyNotFetched(text, false);
  if (why !== undefined) context.addIssue({ code: "custom", message: why.replace(/; .*/, "") });
});

/** As `policy build` prints it. */
const hashSchema = z
  .string()
  .regex(/^sha256-[A-Za-z0-9_-]{43}$/, "sha256-… as sallyport policy build prints it");

export const bundleOptionsSchema = z
  .strictObject({
    file: z
      .string()
      .min(1, "a path to a policy bundle")
      .optional()
      .describe("The bundle as a file, relative to the configuration file."),
    url: urlSchema
      .optional()
      .describe(
        "Where the bundle is fetched from: https, or http on loopback. It is asked for with the ETag of the one at hand, again after `refresh`, after failures later and later; redirects are not followed. What does not verify or does not validate changes nothing.",
      ),
    keys: z
      .array(z.string().min(1, "a path to a public key in PEM"))
      .min(1, "at least one public key")
      .optional()
      .describe(
        "Public keys in PEM, relative to the configuration file. The bundle has to be signed by one of them. With `url` they are required.",
      ),
    insecureUnsigned: z
      .boolean()
      .default(false)
      .describe(
        "Takes what the URL answers without a signature: whoever can write there decides who may do what.",
      ),
    hash: hashSchema
      .optional()
      .describe(
        "The one bundle that is taken, whatever else is there: how one goes back to an earlier one, which is still in `cache`.",
      ),
    refresh: duration({ min: "1s", max: "24h" })
      .prefault("30s")
      .describe("How often the URL is asked."),
    cache: z
      .string()
      .min(1, "a path to a folder")
      .default("data/policies")
      .describe(
        "Folder of the bundles that were fetched, the last 10 of them, relative to the configuration file. A start needs no network where it holds one.",
      ),
    ca: z
      .string()
      .min(1, "a path to certificates in PEM")
      .optional()
      .describe(
        "Authorities of the URL's server in PEM, relative to the configuration file; otherwise those of the runtime.",
      ),
  })
  .superRefine(({ file, url, keys, insecureUnsigned }, context) => {
    const say = (path: string, message: string): void => {
      context.addIssue({ code: "custom", path: [path], message });
    };
    if ((file === undefined) === (url === undefined)) say("file", "either file or url");
    if (url !== undefined && keys === undefined && !insecureUnsigned) {
      say("keys", "public keys in PEM, one of which has signed it");
    }
    if (keys !== undefined && insecureUnsigned) say("insecureUnsigned", "no keys beside it");
  })
  .readonly()
  .describe(
    "Policies that were built elsewhere, in place of `enforce`: with their data and their tests, signed (docs/policy-bundles.md).",
  );

export type BundleOptions = z.output<typeof bundleOptionsSchema>;
