/**
 * What speaks for a trust domain, as the SPIFFE agent of the machine brings it. The last bundle serves for
 * as long as the agent is away: it says nothing about how long a bundle holds, and a machine that loses its
 * agent would else lose every caller with it. Of a trust domain that the agent has stopped to name there is
 * no bundle any more.
 *
 * JWT authorities come as a plain JWKS (Workload API section 6.2.3): `use` may be left out, unlike in a
 * SPIFFE bundle. A key for another use is passed over; one without `kid`, or that cannot be used, refuses
 * the bundle.
 */
import type { Certificate } from "../../crypto/certificate.ts";
import { SallyportError } from "../../model/errors.ts";
import { isJsonObject, type JsonValue, parseJsonBytes } from "../../model/json.ts";
import {
  type BundlePart,
  createTrustBundle,
  readBundleDocument,
  type TrustBundle,
} from "./trust-bundle.ts";
import { countKeys, CurrentBundle, type TrustBundleSource } from "./trust-bundle-source.ts";
import type { WorkloadSource } from "./workload-source.ts";
import { readBundle } from "./workload-svid.ts";

export function createWorkloadBundleSource(
  workload: WorkloadSource,
  { trustDomain, part }: { readonly trustDomain: string; readonly part: BundlePart },
): TrustBundleSource {
  const current = new CurrentBundle();
  const look = (): void => current.take(workload.bundle(part, trustDomain));
  const unwatch = workload.watch((changed) => {
    if (changed === part) look();
  });
  look();
  return {
    trustDomain,
    get current() {
      return current.value;
    },
    start: () => workload.want(part),
    onChange: (run) => current.onChange(run),
    figures: () => ({ usable: countKeys(current.value), fetchedMs: undefined, failures: 0 }),
    close() {
      unwatch();
      current.end();
    },
  };
}

/** DER certificates one after the other. Throws SallyportError. */
export function readX509Half(bytes: Buffer, trustDomain: string): TrustBundle {
  const x509: readonly Certificate[] = readBundle(bytes, unusable);
  return createTrustBundle({ trustDomain, x509, jwt: new Map() });
}

/** A JWKS. Throws SallyportError. */
export function readJwtHalf(bytes: Buffer, trustDomain: string): TrustBundle {
  let document: JsonValue;
  try {
    document = parseJsonBytes(bytes);
  } catch {
    throw unusable("a key set that is no strict JSON");
  }
  const members = isJsonObject(document) ? document["keys"] : undefined;
  if (!Array.isArray(members)) throw unusable("a key set that is none");
  const keys = (members as JsonValue[]).map((member) =>
    isJsonObject(member) && isForTokens(member["use"]) ? { ...member, use: "jwt-svid" } : member,
  );
  const { jwt } = readBundleDocument({ keys }, trustDomain);
  return createTrustBundle({ trustDomain, x509: [], jwt });
}

function isForTokens(use: JsonValue | undefined): boolean {
  return use === undefined || use === "sig" || use === "jwt-svid";
}

function unusable(detail: string): SallyportError {
  return new SallyportError("workload-api-failed", `the agent sent ${detail}`);
}
