/**
 * Whether a service is the workload that it has to be: by its X.509-SVID, verified by the authorities
 * of its own trust domain and no other's, and by exactly the SPIFFE IDs that the configuration names.
 * The runtime has verified the chain before, by all of these authorities together; this is asked on top.
 */
import type { TLSSocket } from "node:tls";
import { type Certificate, parseCertificate, SERVER_AUTH } from "../crypto/certificate.ts";
import { checkStanding, findChain, isChainFault } from "../crypto/certificate-chain.ts";
import { parseSpiffeId } from "../crypto/spiffe-id.ts";
import { signersFault, svidOf } from "../identity/spiffe/mtls-svid.ts";
import { SallyportError } from "../model/errors.ts";
import { presentedBy } from "./presented.ts";
import type { ServiceTlsOptions } from "./tls-options.ts";

/** The authorities of a trust domain; undefined where there are none. */
export type AuthoritiesOf = (trustDomain: string) => readonly Certificate[] | undefined;

export interface ServerIdentity {
  /** Of all trust domains in question. */
  readonly anchors: readonly Certificate[];
  /** What is wrong with who answered; undefined: it is who it has to be. */
  check(socket: TLSSocket, nowMs: number): Error | undefined;
}

/** Undefined where the options name no identity. */
export function createServerIdentity(
  { serverId, serverTrustDomain }: Pick<ServiceTlsOptions, "serverId" | "serverTrustDomain">,
  authoritiesOf: AuthoritiesOf,
): ServerIdentity | undefined {
  const trustDomains = trustDomainsOf({ serverId, serverTrustDomain });
  if (trustDomains.length === 0) return undefined;
  const anchors = new Map(
    trustDomains.map((trustDomain) => [trustDomain, authoritiesOf(trustDomain) ?? []]),
  );
  const isWanted = (id: string, trustDomain: string): boolean =>
    serverId === undefined ? trustDomain === serverTrustDomain : serverId.includes(id);
  return {
    anchors: [...anchors.values()].flat(),
    check(socket, nowMs) {
      const [own, ...others] = presentedBy(socket);
      if (own === undefined) return refusal("it showed no certificate");
      try {
        const leaf = parseCertificate(own);
        const named = svidOf(leaf);
        if ("detail" in named) return refusal(`its certificate is no SVID: ${named.detail}`);
        const id = `spiffe://${named.trustDomain}${named.path}`;
        if (!isWanted(id, named.trustDomain)) return refusal(`it is ${id}`);
        const trust = { anchors: anchors.get(named.trustDomain) ?? [], lists: undefined };
        const presented = others.map(parseCertificate);
        const found = findChain(leaf, { presented, trust, usage: SERVER_AUTH });
        if (isChainFault(found)) return refusal(found.detail);
        const standing = checkStanding(found, undefined, nowMs);
        if (isChainFault(standing)) return refusal(standing.detail);
        const signers = signersFault(found.certificates.slice(1));
        return signers === undefined ? undefined : refusal(signers);
      } catch (error) {
        if (error instanceof SallyportError) return refusal(error.message);
        throw error;
      }
    },
  };
}

/** Whose authorities it takes. */
export function trustDomainsOf({
  serverId = [],
  serverTrustDomain,
}: Pick<ServiceTlsOptions, "serverId" | "serverTrustDomain">): string[] {
  const named = serverId.flatMap((id) => parseSpiffeId(id)?.trustDomain ?? []);
  return [...new Set([...named, ...(serverTrustDomain === undefined ? [] : [serverTrustDomain])])];
}

function refusal(detail: string): Error {
  const error = new Error(`the service is not who it has to be: ${detail}`);
  return Object.assign(error, { code: "ERR_TLS_WRONG_SPIFFE_ID" });
}
