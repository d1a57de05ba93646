/**
 * Who may follow the feed: proxies that are enrolled. The authority asks its register; a relay, which
 * has none, takes the certificate's word and refuses whom the feed names as disabled.
 */
import type { PeerCertificate } from "../../model/peer-tls.ts";
import type { FollowerAdmission } from "./feed-server.ts";
import type { WorkloadAdmission } from "../enrolment/workload-admission.ts";
import { readWorkloadUri, trustDomainOf } from "../enrolment/workload-id.ts";

/** For the authority. */
export function admitFromRegister(
  admission: WorkloadAdmission,
): (certificate: PeerCertificate) => Promise<FollowerAdmission> {
  return async (certificate) => {
    const found = await admission.admit(certificate);
    if (found.refused !== undefined) return { refused: found.refused };
    return found.kind === "proxy" ? { name: found.name } : { refused: "not-a-proxy" };
  };
}

/** For a relay. `disabled`: of now. */
export function admitByCertificate(
  issuer: string,
  disabled: () => readonly string[],
): (certificate: PeerCertificate) => Promise<FollowerAdmission> {
  const trustDomain = trustDomainOf(issuer);
  return ({ uris }) => {
    const [uri, ...more] = uris;
    const id = uri === undefined || more.length > 0 ? undefined : readWorkloadUri(trustDomain, uri);
    let admission: FollowerAdmission;
    if (id === undefined) admission = { refused: "unknown" };
    else if (id.kind !== "proxy") admission = { refused: "not-a-proxy" };
    else if (disabled().includes(id.name)) admission = { refused: "disabled" };
    else admission = { name: id.name };
    return Promise.resolve(admission);
  };
}
