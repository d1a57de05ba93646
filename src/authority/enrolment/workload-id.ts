/**
 * What an enrolled machine is called in its certificate: `spiffe://<trust domain>/sallyport/<kind>/<name>`.
 *
 * A SPIFFE ID and not a scheme of our own: whoever knows X.509-SVIDs (Envoy, SPIRE's bundles, our own
 * `mtls` authenticator) can then say in policy which machines it means. The kind is part of it, so a
 * certificate of a workload can never be shown where only proxies are let in, whatever it is called.
 * Refuses to read what is not of exactly that form and of our own trust domain.
 */
import { workloadNameSchema } from "../../model/workload-name.ts";
import { WORKLOAD_KINDS, type WorkloadKind } from "../../model/workloads.ts";

export interface WorkloadId {
  readonly kind: WorkloadKind;
  readonly name: string;
}

/**
 * The issuer's host without port: SPIFFE-ID section 2.1 takes letters, digits, '-', '.' and '_'. An
 * issuer on an IPv6 address (loopback, for those who try it) has its colons as '-'.
 */
export function trustDomainOf(issuer: string): string {
  return new URL(issuer).hostname.toLowerCase().replaceAll(/[[\]]/g, "").replaceAll(":", "-");
}

export function workloadUri(trustDomain: string, { kind, name }: WorkloadId): string {
  return `spiffe://${trustDomain}/sallyport/${kind}/${name}`;
}

/** Who it is, or undefined where it is nobody of ours. */
export function readWorkloadUri(trustDomain: string, uri: string): WorkloadId | undefined {
  const prefix = `spiffe://${trustDomain}/sallyport/`;
  if (!uri.startsWith(prefix)) return undefined;
  const [kind, name, ...more] = uri.slice(prefix.length).split("/");
  const known = WORKLOAD_KINDS.find((one) => one === kind);
  if (known === undefined || name === undefined || more.length > 0) return undefined;
  return isWorkloadName(name) ? { kind: known, name } : undefined;
}

export function isWorkloadName(name: string): boolean {
  return workloadNameSchema.safeParse(name).success;
}
