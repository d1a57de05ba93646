/** Options that name a trust domain and where what speaks for it comes from. */
import { z } from "zod";
import { isTrustDomain, parseSpiffeId } from "../../crypto/spiffe-id.ts";
import { duration } from "../../model/options.ts";
import { whyNotFetched } from "../../wire/fetch-url.ts";
import { WORKLOAD_API } from "./workload-api-options.ts";

const LIMITS = {
  chars: 4096,
} as const;

export const trustDomainSchema = z
  .string("a trust domain, such as prod.example.org")
  .refine(
    isTrustDomain,
    "a trust domain: lower-case letters, digits, '.', '-' and '_', without spiffe://",
  )
  .describe("The trust domain: what stands between `spiffe://` and the path.");

const fileSchema = z.string().min(1, "a path").max(LIMITS.chars);

/** A SPIFFE bundle endpoint (SPIFFE Federation, section 5). */
const endpointSchema = z
  .strictObject({
    url: z
      .string()
      .max(LIMITS.chars)
      .describe("`https://…` of the bundle endpoint. Redirects are not followed."),
    profile: z
      .enum(["https_web", "https_spiffe"])
      .describe(
        "How the endpoint shows who it is: https_web by a certificate of the web for the host of the URL, https_spiffe by an X.509-SVID.",
      ),
    ca: fileSchema
      .optional()
      .describe(
        "With https_web: PEM file with the authorities of its certificate. Those of the runtime (the public web) when left out.",
      ),
    endpointSpiffeId: z
      .string()
      .refine((text) => (parseSpiffeId(text)?.path ?? "") !== "", "a SPIFFE ID with a path")
      .optional()
      .describe("With https_spiffe: the SPIFFE ID that the endpoint has to have."),
    endpointBundle: fileSchema
      .optional()
      .describe(
        "With https_spiffe: file with the bundle of the endpoint's trust domain, SPIFFE bundle or PEM. Where that is the trust domain itself, the bundles that are fetched take over from it.",
      ),
    timeout: duration({ min: "100ms", max: "1m" })
      .prefault("5s")
      .describe("For each fetch as a whole."),
    keep: duration({ min: "1m", max: "14d" })
      .prefault("24h")
      .describe(
        "How long the last good bundle serves while the endpoint cannot be fetched from. Beyond it nobody of the trust domain is let in (503).",
      ),
  })
  .superRefine((endpoint, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    const message = endpoint.url.startsWith("https:")
      ? whyNotFetched(endpoint.url, false)
      : "an https: URL";
    if (message !== undefined) issue("url", message);
    for (const key of ["endpointSpiffeId", "endpointBundle"] as const) {
      const given = endpoint[key] !== undefined;
      if (given && endpoint.profile === "https_web") issue(key, "only with profile https_spiffe");
      if (!given && endpoint.profile === "https_spiffe") {
        issue(key, `profile https_spiffe needs ${key}`);
      }
    }
    if (endpoint.profile === "https_spiffe" && endpoint.ca !== undefined) {
      issue("ca", "only with profile https_web; https_spiffe has endpointBundle");
    }
  })
  .readonly();

export const trustBundleSchema = z
  .union([z.literal(WORKLOAD_API), fileSchema, endpointSchema], {
    error: "a file with the bundle, workload-api, or a bundle endpoint: { url, profile, … }",
  })
  .describe(
    "What speaks for the trust domain: a file with a SPIFFE bundle (JSON) or with authorities in PEM, read again when it changes; `workload-api`, for what the SPIFFE agent of the machine brings (`workloadApi`); or a bundle endpoint, asked again as the bundle's `spiffe_refresh_hint` says.",
  );

export type TrustBundleOptions = z.output<typeof trustBundleSchema>;
export type EndpointOptions = z.output<typeof endpointSchema>;

/** The trust domain of the endpoint itself. */
export function endpointTrustDomain({ endpointSpiffeId }: EndpointOptions): string | undefined {
  return endpointSpiffeId === undefined ? undefined : parseSpiffeId(endpointSpiffeId)?.trustDomain;
}

/** The path of a bundle file; `file:` may stand before it. */
export function bundleFile(text: string): string {
  return text.startsWith("file:") ? text.slice("file:".length) : text;
}

/** The same with its files elsewhere. */
export function mapBundleFiles(
  bundle: TrustBundleOptions,
  change: (file: string) => string,
): TrustBundleOptions {
  if (bundle === WORKLOAD_API) return bundle;
  if (typeof bundle === "string") return change(bundleFile(bundle));
  const { ca, endpointBundle } = bundle;
  return {
    ...bundle,
    ...(ca === undefined ? {} : { ca: change(ca) }),
    ...(endpointBundle === undefined ? {} : { endpointBundle: change(bundleFile(endpointBundle)) }),
  };
}
