/**
 * Whether the holder of a certificate is let in as an enrolled machine now: what the feed asks when a
 * connection begins, and again when workloads change. The listener has verified the chain and the time;
 * this says whose certificate it is, and that nobody took it away.
 */
import type { Clock } from "../../model/ports.ts";
import type { PeerCertificate } from "../../model/peer-tls.ts";
import type { Store } from "../../model/store.ts";
import type { WorkloadKind } from "../../model/workloads.ts";
import { readWorkloadUri, trustDomainOf } from "./workload-id.ts";
import { readWorkload } from "./workload-record.ts";

export type Admission =
  | { readonly name: string; readonly kind: WorkloadKind; readonly refused?: undefined }
  | { readonly refused: "unknown" | "disabled" | "superseded"; readonly name: string | undefined };

export interface WorkloadAdmission {
  /** Rejects as `Store` does: what cannot be known is not let in. */
  admit(certificate: Pick<PeerCertificate, "uris" | "thumbprint">): Promise<Admission>;
}

export function createWorkloadAdmission(deps: {
  readonly store: Store;
  readonly clock: Clock;
  readonly issuer: string;
}): WorkloadAdmission {
  const trustDomain = trustDomainOf(deps.issuer);
  return {
    async admit({ uris, thumbprint }) {
      const [uri, ...more] = uris;
      const id =
        uri === undefined || more.length > 0 ? undefined : readWorkloadUri(trustDomain, uri);
      if (id === undefined) return { refused: "unknown", name: undefined };
      const { name, kind } = id;
      const document = await deps.store.get("workloads", name);
      const record = document && readWorkload(document);
      if (record === undefined || record.kind !== kind || record.method !== "mtls") {
        return { refused: "unknown", name };
      }
      if (record.disabled !== undefined) return { refused: "disabled", name };
      const { key, previous } = record;
      if (key?.certificates.includes(thumbprint)) return { name, kind };
      const overlaps = previous !== undefined && deps.clock.now() < previous.followsUntilMs;
      if (overlaps && previous.certificates.includes(thumbprint)) return { name, kind };
      return { refused: "superseded", name };
    },
  };
}
