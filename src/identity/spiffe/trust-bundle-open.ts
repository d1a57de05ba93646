/** The source of a trust bundle that options name; one that is fetched is shared across reloads. */
import { ConfigError } from "../../model/errors.ts";
import { hashOptions } from "../config-hash.ts";
import { createEndpointSource, type EndpointDeps } from "./trust-bundle-endpoint.ts";
import { type BundlePart, readTrustBundle, type TrustBundle } from "./trust-bundle.ts";
import type { TrustBundlePool } from "./trust-bundle-pool.ts";
import {
  createFileBundleSource,
  readBundleFile,
  type TrustBundleSource,
  type TrustFileDeps,
} from "./trust-bundle-source.ts";
import { pemText } from "../../crypto/issue-certificate.ts";
import { bundleFile, endpointTrustDomain, type TrustBundleOptions } from "./trust-options.ts";
import { WORKLOAD_API } from "./workload-api-options.ts";
import { createWorkloadBundleSource } from "./workload-bundle.ts";
import type { WorkloadSource } from "./workload-source.ts";

export interface TrustBundleDeps extends EndpointDeps, TrustFileDeps {
  /** Of `bundle: workload-api`; closed by who opened it. */
  readonly workload?: WorkloadSource | undefined;
  /** Where fetched bundles are shared; without it each authenticator has its own. */
  readonly trustBundles?: TrustBundlePool;
}

/** Throws ConfigError where a file cannot be used. Fetches nothing yet. */
export function openTrustBundle(
  options: {
    readonly name: string;
    readonly trustDomain: string;
    readonly bundle: TrustBundleOptions;
    /** What of it is used: the Workload API brings each half by itself. */
    readonly part: BundlePart;
  },
  deps: TrustBundleDeps,
): TrustBundleSource {
  const { name, trustDomain, bundle, part } = options;
  if (bundle === WORKLOAD_API) {
    const { workload } = deps;
    if (workload === undefined) throw new TypeError("what the workload API brings, without one");
    return createWorkloadBundleSource(workload, { trustDomain, part });
  }
  if (typeof bundle === "string") {
    return createFileBundleSource({ name, file: bundleFile(bundle), trustDomain, part }, deps);
  }
  const { ca, endpointBundle } = bundle;
  const given = {
    name,
    trustDomain,
    endpoint: bundle,
    ca: ca === undefined ? undefined : readAuthorities(name, ca, deps),
    endpointBundle: readEndpointBundle(options, { file: endpointBundle, deps }),
  };
  const create = (): TrustBundleSource => createEndpointSource(given, deps);
  if (deps.trustBundles === undefined) return create();
  // By what the files say: a reload reads them anew.
  const files = { ca: given.ca, endpointBundle: thumbprints(given.endpointBundle) };
  return deps.trustBundles.open(hashOptions({ trustDomain, bundle, files }), create);
}

function readEndpointBundle(
  { name, bundle }: { readonly name: string; readonly bundle: TrustBundleOptions },
  { file, deps }: { readonly file: string | undefined; readonly deps: TrustBundleDeps },
): TrustBundle | undefined {
  if (file === undefined || typeof bundle === "string") return undefined;
  const trustDomain = endpointTrustDomain(bundle) ?? "";
  return readBundleFile({ name, file: bundleFile(file), trustDomain }, deps.readFile);
}

/** As PEM again, of what is in it: a file that only looks right is found now. */
function readAuthorities(name: string, file: string, { readFile }: TrustFileDeps): string {
  const { x509 } = readBundleFile({ name, file, trustDomain: "" }, readFile);
  if (x509.length === 0) {
    const message = `the authorities of the endpoint of authenticator "${name}" are none`;
    throw new ConfigError([{ file, message, remedy: "authorities in PEM" }]);
  }
  return x509.map(({ der }) => pemText("CERTIFICATE", der)).join("");
}

function thumbprints(bundle: TrustBundle | undefined): readonly string[] {
  return bundle?.x509.map(({ thumbprint }) => thumbprint) ?? [];
}

/**
 * For the checks of a configuration: how many of its authorities or keys are of use. Throws SallyportError where
 * the bytes are no bundle.
 */
export function usableInBundle(bytes: Uint8Array, part: BundlePart): number {
  const { x509, jwt } = readTrustBundle(bytes, "", part);
  return part === "jwt-bundles" ? jwt.size : x509.length;
}
